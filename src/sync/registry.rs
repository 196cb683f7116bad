// SPDX-License-Identifier: GPL-2.0

//! A global list of what there is: children, locks.
//!
//! A static needs a lock that is initialised before anything runs. The kernel crate's global locks
//! are initialised at run time, so the mutex is a C one, `DEFINE_MUTEX` in the shim, with a lockdep
//! class of its own.

use super::{
    lockable::Lockable,
    order::{Before, Level, Ordered, Sleeping, Token},
};
use core::cell::UnsafeCell;
use kernel::{
    bindings,
    prelude::*,
    sync::{Arc, Mutex, MutexGuard}, //
};

/// The mutexes that there are.
#[derive(Clone, Copy)]
pub(crate) enum RegistryMutex {
    Children,
    Controlled,
    Entries,
    ChildDirectories,
    Locks,
    Watch,
    LockDirectories,
    StatsMode,
}

impl RegistryMutex {
    fn as_raw(self) -> *mut bindings::mutex {
        // SAFETY: These functions return the address of a static.
        unsafe {
            match self {
                Self::Children => crate::ffi::childkernel_children_mutex(),
                Self::Controlled => crate::ffi::childkernel_controlled_mutex(),
                Self::Entries => crate::ffi::childkernel_entries_mutex(),
                Self::ChildDirectories => crate::ffi::childkernel_child_directories_mutex(),
                Self::Locks => crate::ffi::childkernel_locks_mutex(),
                Self::Watch => crate::ffi::childkernel_watch_mutex(),
                Self::LockDirectories => crate::ffi::childkernel_lock_directories_mutex(),
                Self::StatsMode => crate::ffi::childkernel_stats_mode_mutex(),
            }
        }
    }
}

impl Lockable for RegistryMutex {
    const KIND: &'static str = "mutex";
    type Wait = Sleeping;
    type Guard<'a> = MutexGuard<'a, ()>;

    fn acquire(&self) -> Self::Guard<'_> {
        // SAFETY: The shim returns the address of a static, initialised mutex.
        let mutex: &'static Mutex<()> = unsafe { Mutex::from_raw(self.as_raw()) };
        mutex.lock()
    }

    fn try_acquire(&self) -> Option<Self::Guard<'_>> {
        // SAFETY: As in `acquire`.
        let mutex: &'static Mutex<()> = unsafe { Mutex::from_raw(self.as_raw()) };
        mutex.try_lock()
    }
}

/// A static value behind a static mutex of level `V`.
///
/// Context: process, may sleep.
pub(crate) struct Global<V: Level, T> {
    mutex: Ordered<V, RegistryMutex>,
    value: UnsafeCell<T>,
}

// SAFETY: The value is only touched under the mutex.
unsafe impl<V: Level, T: Send> Sync for Global<V, T> {}

impl<V: Level, T> Global<V, T> {
    /// Puts `value` behind the given mutex.
    pub(crate) const fn new(mutex: RegistryMutex, value: T) -> Self {
        Self {
            mutex: Ordered::of(mutex),
            value: UnsafeCell::new(value),
        }
    }

    /// Calls `f` with the value and the token for what may be taken meanwhile.
    pub(crate) fn with<H: Before<V>, R>(
        &self,
        token: &mut Token<'_, H>,
        f: impl FnOnce(&mut T, &mut Token<'_, V>) -> R,
    ) -> R {
        let (_guard, mut token) = self.mutex.lock(token);
        // SAFETY: The value is only touched here, under the mutex, which is always the same one.
        f(unsafe { &mut *self.value.get() }, &mut token)
    }
}

/// A list of reference-counted things behind a static mutex of level `V`.
///
/// Context: process, may sleep. Nothing is locked and no reference is dropped while it is held.
pub(crate) struct Registry<V: Level, T: 'static>(Global<V, KVec<Arc<T>>>);

impl<V: Level, T> Registry<V, T> {
    /// Makes an empty registry behind the given mutex.
    pub(crate) const fn new(mutex: RegistryMutex) -> Self {
        Self(Global::new(mutex, KVec::new()))
    }

    /// Calls `f` with the list. `f` must neither lock nor drop anything.
    pub(crate) fn with<H: Before<V>, R>(
        &self,
        token: &mut Token<'_, H>,
        f: impl FnOnce(&mut KVec<Arc<T>>) -> R,
    ) -> R {
        self.0.with(token, |items, _| f(items))
    }

    /// Adds `item`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn add<H: Before<V>>(&self, token: &mut Token<'_, H>, item: Arc<T>) -> Result {
        self.with(token, |items| Ok(items.push(item, GFP_KERNEL)?))
    }

    /// Takes `item` out; without effect if it is not in.
    pub(crate) fn remove<H: Before<V>>(&self, token: &mut Token<'_, H>, item: &T) {
        let found = self.with(token, |items| {
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
    pub(crate) fn collect<H: Before<V>, U>(
        &self,
        token: &mut Token<'_, H>,
        keep: impl Fn(&Arc<T>) -> Option<U>,
    ) -> Result<KVec<U>> {
        self.with(token, |items| {
            let mut all = KVec::with_capacity(items.len(), GFP_KERNEL)?;
            for item in items.iter().filter_map(keep) {
                all.push(item, GFP_KERNEL)?;
            }
            Ok(all)
        })
    }
}
