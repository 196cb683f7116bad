// SPDX-License-Identifier: GPL-2.0

//! What all locks have in common, for code that takes whichever it is given.
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
/// Implement it for a lock of your own to wrap it in what takes any: [`Ordered`](super::order::Ordered), for one.
pub trait Lockable {
    /// What this kind of lock is called.
    const KIND: &'static str;
    /// Whether there is one guard at most at any time. What is kept beside such a lock for its
    /// holder is then that holder's alone.
    const EXCLUSIVE: bool = false;
    /// Whether taking it may fail. Then [`holds`](Self::holds) says whether it has.
    const MAY_FAIL: bool = false;
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

    /// Whether who has `guard` holds the lock.
    #[inline]
    fn holds(guard: &Self::Guard<'_>) -> bool {
        let _ = guard;
        true
    }
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

macro_rules! lockable {
    (
        $(#[$doc:meta])*
        [$($generics:tt)*] $lock:ty as $kind:expr, $exclusive:literal, $wait:ty, $guard:ty,
        |$this:ident| $acquire:expr, $try_acquire:expr
    ) => {
        $(#[$doc])*
        impl<$($generics)*> Lockable for $lock {
            const KIND: &'static str = $kind;
            const EXCLUSIVE: bool = $exclusive;
            type Wait = $wait;
            type Guard<'a>
                = $guard
            where
                Self: 'a;

            #[inline]
            fn acquire(&self) -> Self::Guard<'_> {
                let $this = self;
                $acquire
            }

            #[inline]
            fn try_acquire(&self) -> Option<Self::Guard<'_>> {
                let $this = self;
                // Some have no way to try.
                let _ = $this;
                $try_acquire
            }
        }
    };
}

lockable!(
    [T, B: BackendKind] Lock<T, B> as B::KIND, true, B::Wait, Guard<'a, T, B>,
    |this| this.lock(), this.try_lock()
);
lockable!(
    /// The side of the writers: readers take nothing.
    [T: seqlock::Payload, V: seqlock::Variant] SeqLockIn<T, V> as "seqlock", true, Spinning,
    seqlock::WriteGuard<'a, T, V>,
    |this| this.write(), this.try_write()
);
lockable!(
    /// The lock of the writers: readers take nothing.
    [T: seqcount::Payload, L: seqcount::Outer + Lockable] SeqCount<T, L> as "seqcount", true, L::Wait,
    seqcount::SeqGuard<'a, T, L>,
    |this| this.lock(), this.try_lock()
);
lockable!(
    /// The side of the writers: lookups take nothing.
    [T: Send + Sync + 'static, B: BackendKind] RcuList<T, B> as "rculist", true, B::Wait,
    rcu_list::Writer<'a, T, B>,
    |this| this.lock(), this.try_lock()
);
lockable!(
    /// The side of the writers.
    [T, V: rwlock::Variant] RwLockIn<T, V> as "rwlock", true, Spinning, rwlock::WriteGuard<'a, T, V>,
    |this| this.write(), this.try_write()
);
lockable!(
    /// The side of the writers.
    [T] RwSemaphore<T> as "rwsem", true, Sleeping, rwsem::WriteGuard<'a, T>,
    |this| this.write(), this.try_write()
);
lockable!(
    /// The side of the writers. There is no trying: it has to wait for a grace period.
    [T] PerCpuRwSemaphore<T> as "percpu_rwsem", true, Sleeping, rwsem::PerCpuWriteGuard<'a, T>,
    |this| this.write(), None
);
lockable!(
    /// A permit, of which there may be several.
    [] Semaphore as "semaphore", false, Sleeping, Permit<'a>,
    |this| this.down(), this.try_down()
);
lockable!(
    /// That of this CPU: nobody waits for it, but on `PREEMPT_RT`.
    [T: Send + Sync, V: local_lock::Variant] LocalLockIn<T, V> as "local_lock", false, Spinning,
    LocalLockGuard<'a, T, V>,
    |this| this.lock(), this.try_lock()
);

/// An attempt. There is no trying: it is made at once if the lock is seen to be free, which it need
/// not be any more.
impl<T, V: resilient::Variant> Lockable for ResilientSpinLockIn<T, V> {
    const KIND: &'static str = "resilient";
    const MAY_FAIL: bool = true;
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
        (!self.is_locked()).then(|| self.lock())
    }

    #[inline]
    fn holds(guard: &Self::Guard<'_>) -> bool {
        guard.is_ok()
    }
}
