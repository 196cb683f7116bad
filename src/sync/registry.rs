// SPDX-License-Identifier: GPL-2.0

//! A global list of what there is: children, locks.
//!
//! A static needs a lock that is initialised before anything runs. The kernel crate's global locks
//! are initialised at run time, so the mutex is a C one, `DEFINE_MUTEX` in the shim, with a lockdep
//! class of its own.

use core::cell::UnsafeCell;
use kernel::{
    bindings,
    prelude::*,
    sync::{Arc, Mutex}, //
};

/// The mutexes that there are.
#[derive(Clone, Copy)]
pub(crate) enum RegistryMutex {
    Children,
    Locks,
}

impl RegistryMutex {
    fn as_raw(self) -> *mut bindings::mutex {
        // SAFETY: These functions return the address of a static.
        unsafe {
            match self {
                Self::Children => crate::ffi::childkernel_children_mutex(),
                Self::Locks => crate::ffi::childkernel_locks_mutex(),
            }
        }
    }
}

/// A list of reference-counted things behind a static mutex.
///
/// Context: process, may sleep. Order: innermost; nothing is locked and no reference is dropped
/// while it is held.
pub(crate) struct Registry<T: 'static> {
    mutex: RegistryMutex,
    items: UnsafeCell<KVec<Arc<T>>>,
}

// SAFETY: The items are only touched under the mutex.
unsafe impl<T: Send + Sync> Sync for Registry<T> {}

impl<T> Registry<T> {
    /// Makes an empty registry behind the given mutex.
    pub(crate) const fn new(mutex: RegistryMutex) -> Self {
        Self {
            mutex,
            items: UnsafeCell::new(KVec::new()),
        }
    }

    /// Calls `f` with the list. `f` must neither lock nor drop anything.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut KVec<Arc<T>>) -> R) -> R {
        // SAFETY: The shim returns the address of a static, initialised mutex.
        let mutex: &Mutex<()> = unsafe { Mutex::from_raw(self.mutex.as_raw()) };
        let _guard = mutex.lock();
        // SAFETY: The items are only touched here, under the mutex, which is always the same one.
        f(unsafe { &mut *self.items.get() })
    }

    /// Adds `item`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn add(&self, item: Arc<T>) -> Result {
        self.with(|items| Ok(items.push(item, GFP_KERNEL)?))
    }

    /// Takes `item` out; without effect if it is not in.
    pub(crate) fn remove(&self, item: &T) {
        let found = self.with(|items| {
            let at = items.iter().position(|i| core::ptr::eq(&**i, item))?;
            let found = items.remove(at).ok();
            if items.is_empty() {
                // Nothing stays allocated in a static when the module goes.
                *items = KVec::new();
            }
            found
        });
        drop(found);
    }

    /// Returns references to what passes `keep`, in the order in which it was added.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn collect<U>(&self, keep: impl Fn(&Arc<T>) -> Option<U>) -> Result<KVec<U>> {
        self.with(|items| {
            let mut all = KVec::with_capacity(items.len(), GFP_KERNEL)?;
            for item in items.iter().filter_map(keep) {
                all.push(item, GFP_KERNEL)?;
            }
            Ok(all)
        })
    }
}
