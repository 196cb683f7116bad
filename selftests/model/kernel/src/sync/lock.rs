// SPDX-License-Identifier: GPL-2.0

//! Locks.

use super::LockClassKey;
use crate::prelude::{CStr, Pin, PinInit};
use core::marker::PhantomData;
use loom::sync::{Mutex, MutexGuard};

/// A kind of lock.
pub trait Backend {}

/// Spinlocks.
pub mod spinlock {
    /// The kind.
    pub enum SpinLockBackend {}
    impl super::Backend for SpinLockBackend {}
}

/// A lock.
pub struct Lock<T, B: Backend> {
    inner: Mutex<T>,
    _kind: PhantomData<fn(B)>,
}

/// Holds it.
pub struct Guard<'a, T, B: Backend> {
    _inner: MutexGuard<'a, T>,
    _kind: PhantomData<fn(B)>,
}

impl<T, B: Backend> Lock<T, B> {
    /// Makes one.
    pub fn new(value: T, _: &'static CStr, _: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        Self {
            inner: Mutex::new(value),
            _kind: PhantomData,
        }
    }

    /// Takes it.
    pub fn lock(&self) -> Guard<'_, T, B> {
        Guard {
            _inner: self.inner.lock().expect("loom's locks are not poisoned"),
            _kind: PhantomData,
        }
    }

    /// Takes it if it is free.
    pub fn try_lock(&self) -> Option<Guard<'_, T, B>> {
        let _inner = self.inner.try_lock().ok()?;
        Some(Guard {
            _inner,
            _kind: PhantomData,
        })
    }
}
