// SPDX-License-Identifier: GPL-2.0

//! Mutexes: waiters sleep, after spinning for a moment while the owner runs.
//!
//! The type is the `kernel` crate's. What it lacks are waits that a signal, or a request to stop,
//! can end: without one a child kernel that waits for a mutex cannot be stopped.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/mutex.h`](srctree/include/linux/mutex.h) |
//! | context | process; `try_lock` too, if need be with preemption or interrupts off, but never in an interrupt: the owner is a task |
//! | safe against | preempt-safe: yes; SMP-safe: yes; interrupt-safe: no, interrupts can not use it |
//! | sleeps | yes, and so may who holds it |
//! | `PREEMPT_RT` | an rtmutex: waiters by priority, which the owner inherits; nothing should be tried with preemption or interrupts off |
//! | fairness | newcomers and those that spin go ahead of sleepers; the first sleeper that was woken in vain is handed the mutex by the next release, so none starves |
//! | cost | one atomic operation each way when free, else two context switches |
//! | order | taking is an acquire, releasing a release |
//! | errors | `EINTR` from [`lock_interruptible`](MutexExt::lock_interruptible) on a signal or a stop, from [`lock_killable`](MutexExt::lock_killable) on a fatal signal; `lock` has none |
//!
//! # Taking it twice
//!
//! A thread that takes a mutex which it has does not reliably wait for ever. When something wakes
//! it, as a request to stop does, C's slow path asks for a hand-over to the first waiter, finds that
//! the owner is the one who asks, and takes that for success: there are two guards then, of one
//! value. This holds for `lock` as for what is here, on every kernel but `PREEMPT_RT`. lockdep reports
//! it before it happens; with a token ([`order`](super::order)) it does not compile.

use super::{lock::Guard, nested::state};
use crate::ffi::to_result;
use kernel::prelude::*;

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
