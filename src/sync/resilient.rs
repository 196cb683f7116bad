// SPDX-License-Identifier: GPL-2.0

//! Spinlocks that give up: on a deadlock, or on a holder that never lets go.
//!
//! For locks that are shared with code that may die while it holds one: a child kernel that oopses
//! keeps its locks for ever, and whoever spins for an ordinary one spins for ever, too.
//!
//! A deadlock of two CPUs, or of one with itself, is noticed by what each CPU holds and wants, as
//! far as that is resilient locks; anything else by a limit. Release in the reverse order of taking:
//! other orders are safe, but then a deadlock may be seen where there is none, or be noticed by the
//! limit only.
//!
//! There is no `try_lock`: Linux has none. A lock that this CPU holds fails at once, though.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/asm-generic/rqspinlock.h`](srctree/include/asm-generic/rqspinlock.h) |
//! | context | [`ResilientSpinLock`] process; in interrupts too, where one that comes over a holder gets `EDEADLK` rather than the lock; [`ResilientSpinLockIrq`] all |
//! | safe against | preempt-safe: yes; SMP-safe: yes; interrupt-safe: [`ResilientSpinLockIrq`] yes, [`ResilientSpinLock`] no |
//! | sleeps | no, and nothing that sleeps may be done while one is held |
//! | `PREEMPT_RT` | the same: it spins, with preemption off and, if `Irq`, interrupts off |
//! | fairness | first come, first served, but a waiter that gives up may make those behind it give up as well; on a virtual machine without paravirtual spinlocks whoever is lucky |
//! | cost | one atomic operation and a note of this CPU when free; a holder that is dead costs up to half a second each time, a second on such a virtual machine |
//! | order | taking is an acquire, releasing a release, as with any spinlock |
//! | errors | `EDEADLK`: this CPU holds it, or one that its holder wants; `ETIMEDOUT`: it did not become free in time |

use crate::ffi::to_result;
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::{Deref, DerefMut},
};
use kernel::{
    prelude::*,
    types::{NotThreadSafe, Opaque},
};

/// For data that is used with interrupts on, or by code that keeps them off already.
pub type ResilientSpinLock<T> = ResilientSpinLockIn<T, Plain>;
/// For data that interrupts use as well: holding it keeps them off this CPU.
pub type ResilientSpinLockIrq<T> = ResilientSpinLockIn<T, Irq>;

/// How the lock is taken. Implemented by [`Plain`] and [`Irq`].
///
/// # Safety
///
/// The functions must be those of one native variant.
pub unsafe trait Variant {
    /// # Safety
    ///
    /// The lock must be initialised.
    unsafe fn lock(lock: *mut u32) -> c_int;
    /// # Safety
    ///
    /// The lock must have been taken by `lock`, by this thread.
    unsafe fn unlock(lock: *mut u32);
}

/// Leaves interrupts as they are.
pub struct Plain;

// SAFETY: These belong together.
unsafe impl Variant for Plain {
    #[inline]
    unsafe fn lock(lock: *mut u32) -> c_int {
        // SAFETY: By the safety requirements, here and below.
        unsafe { crate::ffi::childkernel_res_spin_lock(lock) }
    }

    #[inline]
    unsafe fn unlock(lock: *mut u32) {
        // SAFETY: See `lock`.
        unsafe { crate::ffi::childkernel_res_spin_unlock(lock) }
    }
}

/// Keeps interrupts off this CPU. They are counted off, so guards may be dropped in any order.
pub struct Irq;

// SAFETY: These belong together.
unsafe impl Variant for Irq {
    #[inline]
    unsafe fn lock(lock: *mut u32) -> c_int {
        // SAFETY: By the safety requirements, here and below.
        unsafe { crate::ffi::childkernel_res_spin_lock_irq(lock) }
    }

    #[inline]
    unsafe fn unlock(lock: *mut u32) {
        // SAFETY: See `lock`.
        unsafe { crate::ffi::childkernel_res_spin_unlock_irq(lock) }
    }
}

/// Data behind a native `rqspinlock_t` that is taken as `V` says.
///
/// It has no lockdep class: the lock itself knows of deadlocks.
///
/// # Examples
///
/// ```ignore
/// let n = KBox::pin_init(ResilientSpinLock::new(0u64), GFP_KERNEL)?;
/// *n.lock()? += 1;
/// let _held = n.lock()?;
/// assert!(n.lock().is_err()); // EDEADLK instead of a hang.
/// ```
#[pin_data]
pub struct ResilientSpinLockIn<T, V: Variant = Plain> {
    /// The native lock: one word, as the shim checks.
    #[pin]
    lock: Opaque<u32>,
    data: UnsafeCell<T>,
    _variant: PhantomData<V>,
}

// SAFETY: It owns the data.
unsafe impl<T: Send, V: Variant> Send for ResilientSpinLockIn<T, V> {}
// SAFETY: One holder at a time, which may be any thread.
unsafe impl<T: Send, V: Variant> Sync for ResilientSpinLockIn<T, V> {}

impl<T, V: Variant> ResilientSpinLockIn<T, V> {
    /// Creates an initialiser.
    pub fn new(value: T) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes.
            lock <- Opaque::ffi_init(|slot| unsafe {
                crate::ffi::childkernel_res_spin_lock_init(slot)
            }),
            data: UnsafeCell::new(value),
            _variant: PhantomData,
        })
    }

    /// Takes the lock.
    ///
    /// # Errors
    ///
    /// `EDEADLK` if this CPU holds it already, or holds one that its holder wants; `ETIMEDOUT` if
    /// it did not become free in time.
    #[inline]
    pub fn lock(&self) -> Result<ResilientGuard<'_, T, V>> {
        // SAFETY: The lock is initialised.
        to_result(unsafe { V::lock(self.lock.get()) })?;
        // INVARIANT: It was just taken.
        Ok(ResilientGuard {
            lock: self,
            _not_send: NotThreadSafe,
        })
    }

    /// Whether anybody had it, or waited for it, a moment ago.
    #[inline]
    pub fn is_locked(&self) -> bool {
        // SAFETY: The lock is initialised.
        unsafe { crate::ffi::childkernel_res_spin_is_locked(self.lock.get()) }
    }
}

/// Holds a [`ResilientSpinLock`].
///
/// # Invariants
///
/// The lock is held by this thread, with preemption disabled.
#[must_use = "the lock is released at once when the guard is unused"]
pub struct ResilientGuard<'a, T, V: Variant = Plain> {
    lock: &'a ResilientSpinLockIn<T, V>,
    _not_send: NotThreadSafe,
}

impl<T, V: Variant> Deref for ResilientGuard<'_, T, V> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant nobody else is there.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T, V: Variant> DerefMut for ResilientGuard<'_, T, V> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: By the type invariant nobody else is there.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T, V: Variant> Drop for ResilientGuard<'_, T, V> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { V::unlock(self.lock.lock.get()) };
    }
}
