// SPDX-License-Identifier: GPL-2.0

//! Mutexes: waiters sleep, after spinning for a moment while the owner runs.
//!
//! The type is the `kernel` crate's. What it lacks are waits that a signal, or a request to stop,
//! can end: without one a child kernel that waits for a mutex cannot be stopped.
//!
//! Context: process, may sleep. Fairness: a waiter that has been passed over is handed the lock.
//!
//! C header: [`include/linux/mutex.h`](srctree/include/linux/mutex.h)

use super::{lock::Guard, nested::state};
use kernel::{error::to_result, prelude::*};

pub use kernel::sync::{new_mutex, Mutex, MutexGuard};

/// The waits for a [`Mutex`] that can be ended.
///
/// # Examples
///
/// ```ignore
/// let mut guard = mutex.lock_interruptible()?;
/// ```
pub trait MutexExt<T: ?Sized> {
    /// Takes the mutex, unless a signal, or a request to stop this kernel thread, comes first.
    ///
    /// # Errors
    ///
    /// `EINTR` when interrupted.
    fn lock_interruptible(&self) -> Result<MutexGuard<'_, T>>;

    /// Takes the mutex, unless a fatal signal comes first. A request to stop does not end it.
    ///
    /// # Errors
    ///
    /// `EINTR` when killed.
    fn lock_killable(&self) -> Result<MutexGuard<'_, T>>;
}

impl<T: ?Sized> MutexExt<T> for Mutex<T> {
    #[inline]
    fn lock_interruptible(&self) -> Result<MutexGuard<'_, T>> {
        // SAFETY: The mutex is initialised.
        to_result(unsafe { crate::ffi::childkernel_mutex_lock_interruptible(state(self)) })?;
        // SAFETY: It was just taken.
        Ok(unsafe { Guard::new(self, ()) })
    }

    #[inline]
    fn lock_killable(&self) -> Result<MutexGuard<'_, T>> {
        // SAFETY: The mutex is initialised.
        to_result(unsafe { crate::ffi::childkernel_mutex_lock_killable(state(self)) })?;
        // SAFETY: It was just taken.
        Ok(unsafe { Guard::new(self, ()) })
    }
}
