// SPDX-License-Identifier: GPL-2.0

//! What all locks have in common, as far as statistics go.
#![deny(unsafe_code)]

use crate::sync::{
    lock::{
        mutex::MutexBackend,
        spinlock::{SpinLockBackend, SpinLockIrqBackend},
        Backend, Guard, Lock,
    },
    rcu_list::{self, RcuList},
    resilient::{ResilientGuard, ResilientSpinLock},
    rwlock::{self, RwLockIn},
    rwsem::{self, PerCpuRwSemaphore, RwSemaphore},
    semaphore::{Permit, Semaphore},
    seqcount::{self, SeqCount},
    seqlock::{self, SeqLockIn},
    spinlock::{RawSpinLockBackend, RawSpinLockIrqBackend, SpinLockBhBackend},
};
use kernel::prelude::*;

/// A lock that can be counted.
///
/// Implement it for a lock of your own to wrap it in [`Counted`].
pub trait Lockable {
    /// What the statistics call this kind of lock.
    const KIND: &'static str;
    /// What holds the lock.
    type Guard<'a>
    where
        Self: 'a;

    /// Takes the lock, waiting for it.
    fn acquire(&self) -> Self::Guard<'_>;
    /// Takes the lock if that needs no waiting.
    fn try_acquire(&self) -> Option<Self::Guard<'_>>;
}

/// What the statistics call a lock of the `kernel` crate.
pub trait BackendKind: Backend {
    /// The name of the kind.
    const KIND: &'static str;
}

macro_rules! kind {
    ($($backend:ty => $kind:literal),* $(,)?) => {
        $(
            impl BackendKind for $backend {
                const KIND: &'static str = $kind;
            }
        )*
    };
}

kind!(
    MutexBackend => "mutex",
    RawSpinLockBackend => "raw_spinlock",
    RawSpinLockIrqBackend => "raw_spinlock_irq",
    SpinLockBackend => "spinlock",
    SpinLockBhBackend => "spinlock_bh",
    SpinLockIrqBackend => "spinlock_irq",
);

impl<T, B: BackendKind> Lockable for Lock<T, B> {
    const KIND: &'static str = B::KIND;
    type Guard<'a>
        = Guard<'a, T, B>
    where
        Self: 'a;

    #[inline]
    fn acquire(&self) -> Self::Guard<'_> {
        self.lock()
    }

    #[inline]
    fn try_acquire(&self) -> Option<Self::Guard<'_>> {
        self.try_lock()
    }
}

macro_rules! lockable {
    (
        $(#[$doc:meta])*
        [$($generics:tt)*] $lock:ty, $kind:expr, $guard:ty, $acquire:ident, $try_acquire:ident
    ) => {
        $(#[$doc])*
        impl<$($generics)*> Lockable for $lock {
            const KIND: &'static str = $kind;
            type Guard<'a>
                = $guard
            where
                Self: 'a;

            #[inline]
            fn acquire(&self) -> Self::Guard<'_> {
                self.$acquire()
            }

            #[inline]
            fn try_acquire(&self) -> Option<Self::Guard<'_>> {
                self.$try_acquire()
            }
        }
    };
}

lockable!(
    /// Counts the writers; readers of a sequence lock take nothing that could be counted.
    [T: seqlock::Payload, V: seqlock::Variant] SeqLockIn<T, V>, "seqlock",
    seqlock::WriteGuard<'a, T, V>, write, try_write
);
lockable!(
    /// Counts who takes the writers' lock.
    [T: seqcount::Payload, L: seqcount::Outer] SeqCount<T, L>, "seqcount",
    seqcount::SeqGuard<'a, T, L>, lock, try_lock
);
lockable!(
    /// Counts the writers; lookups take no lock.
    [T: Send + Sync + 'static, B: Backend] RcuList<T, B>, "rculist",
    rcu_list::Writer<'a, T, B>, lock, try_lock
);
lockable!(
    /// Counts the writers.
    [T, V: rwlock::Variant] RwLockIn<T, V>, "rwlock", rwlock::WriteGuard<'a, T, V>, write,
    try_write
);
lockable!(
    /// Counts the writers.
    [T] RwSemaphore<T>, "rwsem", rwsem::WriteGuard<'a, T>, write, try_write
);
lockable!(
    /// Counts permits.
    [] Semaphore, "semaphore", Permit<'a>, down, try_down
);

/// Counts the writers. There is no trying to write: it has to wait for a grace period.
impl<T> Lockable for PerCpuRwSemaphore<T> {
    const KIND: &'static str = "percpu_rwsem";
    type Guard<'a>
        = rwsem::PerCpuWriteGuard<'a, T>
    where
        Self: 'a;

    #[inline]
    fn acquire(&self) -> Self::Guard<'_> {
        self.write()
    }

    #[inline]
    fn try_acquire(&self) -> Option<Self::Guard<'_>> {
        None
    }
}

/// Counts attempts. There is no trying: an attempt is bounded anyway, so none counts as contended.
impl<T> Lockable for ResilientSpinLock<T> {
    const KIND: &'static str = "resilient";
    type Guard<'a>
        = Result<ResilientGuard<'a, T>>
    where
        Self: 'a;

    #[inline]
    fn acquire(&self) -> Self::Guard<'_> {
        self.lock()
    }

    #[inline]
    fn try_acquire(&self) -> Option<Self::Guard<'_>> {
        Some(self.lock())
    }
}
