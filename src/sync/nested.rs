// SPDX-License-Identifier: GPL-2.0

//! Two locks of one class, held at once by one thread.
//!
//! lockdep knows locks by their class. Two buckets of one table are the same to it, so the second
//! looks like the first taken twice. The nested functions say that the second is another one, taken
//! in a fixed order. They are for [`Ordered::lock_two`](super::order::Ordered::lock_two), which
//! keeps that order.
//!
//! C header: [`include/linux/lockdep.h`](srctree/include/linux/lockdep.h)

use super::{
    lock::{mutex::MutexBackend, spinlock::SpinLockBackend, Backend, Guard, Lock},
    lockable::{BackendKind, Lockable},
    spinlock::RawSpinLockBackend,
};

/// A lock of which two may be held at once, taken in a fixed order.
pub trait Nestable: Lockable {
    /// Takes the lock while another one of its class is held.
    fn acquire_nested(&self) -> Self::Guard<'_>;
}

/// A backend with a function for the second lock of a class.
///
/// # Safety
///
/// `lock_nested` must take the lock as [`Backend::lock`] does.
pub unsafe trait NestedBackend: BackendKind {
    /// Takes the lock, as lockdep's subclass `SINGLE_DEPTH_NESTING`.
    ///
    /// # Safety
    ///
    /// The lock must be initialised.
    unsafe fn lock_nested(ptr: *mut Self::State) -> Self::GuardState;
}

macro_rules! nested {
    ($($backend:ty, $lock:ident;)*) => {
        $(
            // SAFETY: The same native function, but for what lockdep is told.
            unsafe impl NestedBackend for $backend {
                #[inline]
                unsafe fn lock_nested(ptr: *mut Self::State) -> Self::GuardState {
                    // SAFETY: By the safety requirements of this function.
                    unsafe { crate::ffi::$lock(ptr) }
                }
            }
        )*
    };
}

nested! {
    MutexBackend, childkernel_mutex_lock_nested;
    SpinLockBackend, childkernel_spin_lock_nested;
    RawSpinLockBackend, childkernel_raw_spin_lock_nested;
}

/// The native lock, which `Lock` begins with.
pub(super) fn state<T: ?Sized, B: Backend>(lock: &Lock<T, B>) -> *mut B::State {
    // `Lock` is `repr(C)`, and the state is in an `UnsafeCell`.
    core::ptr::from_ref(lock).cast::<B::State>().cast_mut()
}

impl<T, B: NestedBackend> Nestable for Lock<T, B> {
    #[inline]
    fn acquire_nested(&self) -> Self::Guard<'_> {
        // SAFETY: The lock is initialised.
        let guard = unsafe { B::lock_nested(state(self)) };
        // SAFETY: It was just taken.
        unsafe { Guard::new(self, guard) }
    }
}
