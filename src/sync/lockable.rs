// SPDX-License-Identifier: GPL-2.0

//! What all locks have in common, for code that takes whichever it is given: statistics, lock
//! order.
#![deny(unsafe_code)]

use super::{
    local_lock::{self, LocalLockGuard, LocalLockIn},
    lock::{
        mutex::MutexBackend,
        spinlock::{SpinLockBackend, SpinLockIrqBackend},
        Backend, Guard, Lock,
    },
    order::{RawSpinning, Sleeping, Spinning, Wait},
    rcu_list::{self, RcuList},
    resilient::{self, ResilientGuard, ResilientSpinLockIn},
    rwlock::{self, RwLockIn},
    rwsem::{self, PerCpuRwSemaphore, RwSemaphore},
    semaphore::{Permit, Semaphore},
    seqcount::{self, SeqCount},
    seqlock::{self, SeqLockIn},
    spinlock::{RawSpinLockBackend, RawSpinLockIrqBackend, SpinLockBhBackend},
};
use kernel::prelude::*;

/// A lock that can be waited for.
///
/// Implement it for a lock of your own to wrap it in [`Counted`](crate::stats::Counted) or
/// [`Ordered`](super::order::Ordered).
pub trait Lockable {
    /// What this kind of lock is called.
    const KIND: &'static str;
    /// How it is waited for: [`Sleeping`], [`Spinning`] or [`RawSpinning`].
    type Wait: Wait;
    /// What holds the lock, until it is dropped, and not for longer than `'a`.
    type Guard<'a>
    where
        Self: 'a;

    /// Takes the lock, waiting for it.
    fn acquire(&self) -> Self::Guard<'_>;
    /// Takes the lock if that needs no waiting.
    fn try_acquire(&self) -> Option<Self::Guard<'_>>;
}

/// What there is to know of a lock of the `kernel` crate by its backend.
pub trait BackendKind: Backend {
    /// The name of the kind.
    const KIND: &'static str;
    /// How it is waited for.
    type Wait: Wait;
}

macro_rules! kind {
    ($($backend:ty => $kind:literal, $wait:ty;)*) => {
        $(
            impl BackendKind for $backend {
                const KIND: &'static str = $kind;
                type Wait = $wait;
            }
        )*
    };
}

kind!(
    MutexBackend => "mutex", Sleeping;
    RawSpinLockBackend => "raw_spinlock", RawSpinning;
    RawSpinLockIrqBackend => "raw_spinlock_irq", RawSpinning;
    SpinLockBackend => "spinlock", Spinning;
    SpinLockBhBackend => "spinlock_bh", Spinning;
    SpinLockIrqBackend => "spinlock_irq", Spinning;
);

impl<T, B: BackendKind> Lockable for Lock<T, B> {
    const KIND: &'static str = B::KIND;
    type Wait = B::Wait;
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
        [$($generics:tt)*] $lock:ty, $kind:expr, $wait:ty, $guard:ty, $acquire:ident, $try_acquire:ident
    ) => {
        $(#[$doc])*
        impl<$($generics)*> Lockable for $lock {
            const KIND: &'static str = $kind;
            type Wait = $wait;
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
    [T: seqlock::Payload, V: seqlock::Variant] SeqLockIn<T, V>, "seqlock", Spinning,
    seqlock::WriteGuard<'a, T, V>, write, try_write
);
lockable!(
    /// Counts who takes the writers' lock.
    [T: seqcount::Payload, L: seqcount::Outer + Lockable] SeqCount<T, L>, "seqcount", L::Wait,
    seqcount::SeqGuard<'a, T, L>, lock, try_lock
);
lockable!(
    /// Counts the writers; lookups take no lock.
    [T: Send + Sync + 'static, B: BackendKind] RcuList<T, B>, "rculist", B::Wait,
    rcu_list::Writer<'a, T, B>, lock, try_lock
);
lockable!(
    /// Counts the writers.
    [T, V: rwlock::Variant] RwLockIn<T, V>, "rwlock", Spinning, rwlock::WriteGuard<'a, T, V>, write,
    try_write
);
lockable!(
    /// Counts the writers.
    [T] RwSemaphore<T>, "rwsem", Sleeping, rwsem::WriteGuard<'a, T>, write, try_write
);
lockable!(
    /// Counts permits.
    [] Semaphore, "semaphore", Sleeping, Permit<'a>, down, try_down
);

/// There is no trying: nobody waits for it, but on `PREEMPT_RT`.
impl<T: Send + Sync, V: local_lock::Variant> Lockable for LocalLockIn<T, V> {
    const KIND: &'static str = "local_lock";
    type Wait = Spinning;
    type Guard<'a>
        = LocalLockGuard<'a, T, V>
    where
        Self: 'a;

    #[inline]
    fn acquire(&self) -> Self::Guard<'_> {
        self.lock()
    }

    #[inline]
    fn try_acquire(&self) -> Option<Self::Guard<'_>> {
        None
    }
}

/// Counts the writers. There is no trying to write: it has to wait for a grace period.
impl<T> Lockable for PerCpuRwSemaphore<T> {
    const KIND: &'static str = "percpu_rwsem";
    type Wait = Sleeping;
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
impl<T, V: resilient::Variant> Lockable for ResilientSpinLockIn<T, V> {
    const KIND: &'static str = "resilient";
    type Wait = RawSpinning;
    type Guard<'a>
        = Result<ResilientGuard<'a, T, V>>
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
