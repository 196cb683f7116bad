// SPDX-License-Identifier: GPL-2.0

//! Spinlocks: waiting costs a CPU, taking a free one next to nothing.
//!
//! For critical sections that are shorter than two context switches, or that must not sleep.
//!
//! | data is shared with | take |
//! |---|---|
//! | process context only | [`SpinLock`] |
//! | soft interrupts | [`SpinLockBh`] |
//! | hard interrupts | [`SpinLockIrq`] |
//! | code that has to spin on `PREEMPT_RT` too | [`RawSpinLock`], [`RawSpinLockIrq`] |
//!
//! The context is part of the type, so that a lock is never taken in the wrong way. The first and
//! the third are the `kernel` crate's.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/spinlock.h`](srctree/include/linux/spinlock.h) |
//! | context | `lock`: [`SpinLock`] and [`RawSpinLock`] process, [`SpinLockBh`] process and softirq, the `Irq` ones all; `try_lock`: the same, but those of [`SpinLock`] and [`RawSpinLock`] anywhere |
//! | safe against | preempt-safe: yes; SMP-safe: yes; interrupt-safe: `Bh` against soft interrupts, `Irq` against both, the others against neither |
//! | sleeps | no, and nothing that sleeps may be done while one is held |
//! | `PREEMPT_RT` | all but the raw ones are sleeping locks with priority inheritance: preemption and interrupts stay on, and hard interrupts must not even try; the raw ones are the same |
//! | fairness | first come, first served (queued spinlocks); on a virtual machine without paravirtual spinlocks whoever is lucky, so one CPU may starve; with paravirtual ones a running CPU may go ahead of a queued one |
//! | cost | one atomic operation when free, else a CPU for as long as it takes |
//! | order | taking is an acquire, releasing a release: who holds it sees all that was done under it before |
//! | errors | none: it waits for ever, for a lock that this thread holds as well |
//!
//! # Examples
//!
//! ```ignore
//! let n = KBox::pin_init(new_spinlock_bh!(0u64, "n"), GFP_KERNEL)?;
//! *n.lock() += 1;
//! ```

use super::lock::{Backend, Guard, Lock};
use kernel::{bindings, prelude::*};

pub use kernel::sync::{
    new_spinlock, new_spinlock_irq, SpinLock, SpinLockGuard, SpinLockIrq, SpinLockIrqGuard,
};

/// Creates a [`SpinLockBh`] initialiser with the given name and a lock class of its own.
#[macro_export]
macro_rules! new_spinlock_bh {
    ($inner:expr, $name:literal) => {
        $crate::sync::spinlock::SpinLockBh::new(
            $inner,
            $crate::lock_name!($name),
            ::kernel::static_lock_class!(),
        )
    };
}
pub use crate::new_spinlock_bh;

/// Creates a [`RawSpinLock`] initialiser with the given name and a lock class of its own.
#[macro_export]
macro_rules! new_raw_spinlock {
    ($inner:expr, $name:literal) => {
        $crate::sync::spinlock::RawSpinLock::new(
            $inner,
            $crate::lock_name!($name),
            ::kernel::static_lock_class!(),
        )
    };
}
pub use crate::new_raw_spinlock;

/// Creates a [`RawSpinLockIrq`] initialiser with the given name and a lock class of its own.
#[macro_export]
macro_rules! new_raw_spinlock_irq {
    ($inner:expr, $name:literal) => {
        $crate::sync::spinlock::RawSpinLockIrq::new(
            $inner,
            $crate::lock_name!($name),
            ::kernel::static_lock_class!(),
        )
    };
}
pub use crate::new_raw_spinlock_irq;

/// A spinlock for data that soft interrupts use as well: holding it keeps them off this CPU.
///
/// Context: process and softirq.
pub type SpinLockBh<T> = Lock<T, SpinLockBhBackend>;

/// Holds a [`SpinLockBh`].
pub type SpinLockBhGuard<'a, T> = Guard<'a, T, SpinLockBhBackend>;

/// A spinlock that spins on `PREEMPT_RT` too. For process context; hardirq with
/// [`RawSpinLockIrq`].
pub type RawSpinLock<T> = Lock<T, RawSpinLockBackend>;

/// Holds a [`RawSpinLock`].
pub type RawSpinLockGuard<'a, T> = Guard<'a, T, RawSpinLockBackend>;

/// A spinlock that spins on `PREEMPT_RT` too and keeps interrupts off this CPU.
///
/// Context: process, softirq and hardirq. Interrupts are counted off, so guards may be dropped in
/// any order.
pub type RawSpinLockIrq<T> = Lock<T, RawSpinLockIrqBackend>;

/// Holds a [`RawSpinLockIrq`].
pub type RawSpinLockIrqGuard<'a, T> = Guard<'a, T, RawSpinLockIrqBackend>;

macro_rules! backend {
    (
        $(#[$doc:meta])*
        $name:ident: $state:ty, init $init:path, $lock:ident, $try:ident, $unlock:ident, $held:ident
    ) => {
        $(#[$doc])*
        pub struct $name;

        // SAFETY: The native lock ensures mutual exclusion; `relock` is the default, which locks in
        // the same way.
        unsafe impl Backend for $name {
            type State = $state;
            type GuardState = ();

            #[inline]
            unsafe fn init(
                ptr: *mut Self::State,
                name: *const c_char,
                key: *mut bindings::lock_class_key,
            ) {
                // SAFETY: The caller promises that `ptr` is valid for writes and that `name` and
                // `key` are static.
                unsafe { $init(ptr, name, key) }
            }

            #[inline]
            unsafe fn lock(ptr: *mut Self::State) -> Self::GuardState {
                // SAFETY: The caller promises that the lock is initialised.
                unsafe { crate::ffi::$lock(ptr) }
            }

            #[inline]
            unsafe fn try_lock(ptr: *mut Self::State) -> Option<Self::GuardState> {
                // SAFETY: As in `lock`.
                unsafe { crate::ffi::$try(ptr) }.then_some(())
            }

            #[inline]
            unsafe fn unlock(ptr: *mut Self::State, _: &Self::GuardState) {
                // SAFETY: The caller promises that it holds the lock.
                unsafe { crate::ffi::$unlock(ptr) }
            }

            #[inline]
            unsafe fn assert_is_held(ptr: *mut Self::State) {
                // SAFETY: As in `lock`.
                unsafe { crate::ffi::$held(ptr) }
            }
        }
    };
}

backend!(
    /// A `spinlock_t` that is taken with bottom halves disabled.
    SpinLockBhBackend: bindings::spinlock_t,
    init bindings::__spin_lock_init,
    childkernel_spin_lock_bh,
    childkernel_spin_trylock_bh,
    childkernel_spin_unlock_bh,
    childkernel_spin_assert_held
);

backend!(
    /// A `raw_spinlock_t`.
    RawSpinLockBackend: bindings::raw_spinlock_t,
    init crate::ffi::childkernel_raw_spin_lock_init,
    childkernel_raw_spin_lock,
    childkernel_raw_spin_trylock,
    childkernel_raw_spin_unlock,
    childkernel_raw_spin_assert_held
);

backend!(
    /// A `raw_spinlock_t` that is taken with interrupts disabled.
    RawSpinLockIrqBackend: bindings::raw_spinlock_t,
    init crate::ffi::childkernel_raw_spin_lock_init,
    childkernel_raw_spin_lock_irq_disable,
    childkernel_raw_spin_trylock_irq_disable,
    childkernel_raw_spin_unlock_irq_enable,
    childkernel_raw_spin_assert_held
);
