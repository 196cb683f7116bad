// SPDX-License-Identifier: GPL-2.0

//! The locks that the writers of a sequence count can hold, and what C calls the count of each.

use crate::sync::{
    lock::{Backend, Guard, Lock},
    rwlock::{self, RwLockIn},
};
use core::ops::Deref;
use kernel::{bindings, prelude::*};

/// A lock of C that a sequence count can be associated with.
///
/// # Safety
///
/// The functions must be those of the count for this lock.
pub unsafe trait Native {
    /// `seqcount_LOCKNAME_t`.
    type Count;

    /// # Safety
    ///
    /// `count` must be valid for writes and will not move; `lock` must be initialised, and stay as
    /// long as the count is used; `name` and `key` must be static.
    unsafe fn init(
        count: *mut Self::Count,
        lock: *mut Self,
        name: *const c_char,
        key: *mut bindings::lock_class_key,
    );
    /// # Safety
    ///
    /// The count must be initialised, here and below.
    unsafe fn read_begin(count: *const Self::Count) -> c_uint;
    /// # Safety
    ///
    /// See `read_begin`; `seq` must be valid for writes.
    unsafe fn try_begin(count: *const Self::Count, seq: *mut c_uint) -> bool;
    /// # Safety
    ///
    /// See `read_begin`; `seq` must be from one of the two above.
    unsafe fn retry(count: *const Self::Count, seq: c_uint) -> bool;
    /// # Safety
    ///
    /// See `read_begin`. This thread must hold the lock.
    unsafe fn write_begin(count: *mut Self::Count);
    /// # Safety
    ///
    /// This thread must be inside the write side.
    unsafe fn write_end(count: *mut Self::Count);
}

macro_rules! native {
    (
        $lock:ty, $count:ty, $init:ident, $read_begin:ident, $try_begin:ident, $retry:ident,
        $write_begin:ident, $write_end:ident
    ) => {
        // SAFETY: These belong together.
        unsafe impl Native for $lock {
            type Count = $count;

            #[inline]
            unsafe fn init(
                count: *mut Self::Count,
                lock: *mut Self,
                name: *const c_char,
                key: *mut bindings::lock_class_key,
            ) {
                // SAFETY: By the safety requirements, here and below.
                unsafe { crate::ffi::$init(count, lock, name, key) }
            }
            #[inline]
            unsafe fn read_begin(count: *const Self::Count) -> c_uint {
                // SAFETY: See `init`.
                unsafe { crate::ffi::$read_begin(count) }
            }
            #[inline]
            unsafe fn try_begin(count: *const Self::Count, seq: *mut c_uint) -> bool {
                // SAFETY: See `init`.
                unsafe { crate::ffi::$try_begin(count, seq) }
            }
            #[inline]
            unsafe fn retry(count: *const Self::Count, seq: c_uint) -> bool {
                // SAFETY: See `init`.
                unsafe { crate::ffi::$retry(count, seq) }
            }
            #[inline]
            unsafe fn write_begin(count: *mut Self::Count) {
                // SAFETY: See `init`.
                unsafe { crate::ffi::$write_begin(count) }
            }
            #[inline]
            unsafe fn write_end(count: *mut Self::Count) {
                // SAFETY: See `init`.
                unsafe { crate::ffi::$write_end(count) }
            }
        }
    };
}

native!(
    bindings::spinlock_t,
    bindings::seqcount_spinlock_t,
    childkernel_seqcount_spinlock_init,
    childkernel_seqcount_spinlock_read_begin,
    childkernel_seqcount_spinlock_try_begin,
    childkernel_seqcount_spinlock_retry,
    childkernel_seqcount_spinlock_write_begin,
    childkernel_seqcount_spinlock_write_end
);
native!(
    bindings::raw_spinlock_t,
    bindings::seqcount_raw_spinlock_t,
    childkernel_seqcount_raw_spinlock_init,
    childkernel_seqcount_raw_spinlock_read_begin,
    childkernel_seqcount_raw_spinlock_try_begin,
    childkernel_seqcount_raw_spinlock_retry,
    childkernel_seqcount_raw_spinlock_write_begin,
    childkernel_seqcount_raw_spinlock_write_end
);
native!(
    bindings::rwlock_t,
    bindings::seqcount_rwlock_t,
    childkernel_seqcount_rwlock_init,
    childkernel_seqcount_rwlock_read_begin,
    childkernel_seqcount_rwlock_try_begin,
    childkernel_seqcount_rwlock_retry,
    childkernel_seqcount_rwlock_write_begin,
    childkernel_seqcount_rwlock_write_end
);
native!(
    bindings::mutex,
    bindings::seqcount_mutex_t,
    childkernel_seqcount_mutex_init,
    childkernel_seqcount_mutex_read_begin,
    childkernel_seqcount_mutex_try_begin,
    childkernel_seqcount_mutex_retry,
    childkernel_seqcount_mutex_write_begin,
    childkernel_seqcount_mutex_write_end
);

/// A lock that the writers of a [`SeqCount`] can hold: a mutex, any spinlock but the resilient one,
/// or the write side of any reader-writer spinlock.
///
/// # Safety
///
/// `as_raw` must return the native lock inside, whose address must not change while this is
/// pinned. A guard must hold the lock that `held` returns, for itself alone.
pub unsafe trait Outer {
    /// The lock of C.
    type Native: Native;
    /// What it protects.
    type Data;
    /// What holds the lock.
    type Guard<'a>: Deref<Target = Self::Data>
    where
        Self: 'a;

    /// The lock of C.
    fn as_raw(&self) -> *mut Self::Native;
    /// Takes the lock.
    fn take(&self) -> Self::Guard<'_>;
    /// Takes the lock if it is free.
    fn try_take(&self) -> Option<Self::Guard<'_>>;
    /// The lock that `guard` holds.
    fn held<'a>(guard: &Self::Guard<'a>) -> &'a Self;
}

// SAFETY: `Lock` begins with its state, which is the native lock; it is pinned, and a guard holds
// the lock that it refers to.
unsafe impl<U, B: Backend> Outer for Lock<U, B>
where
    B::State: Native,
{
    type Native = B::State;
    type Data = U;
    type Guard<'a>
        = Guard<'a, U, B>
    where
        Self: 'a;

    #[inline]
    fn as_raw(&self) -> *mut B::State {
        // `Lock` is `repr(C)` and begins with the state, which is in an `UnsafeCell`.
        core::ptr::from_ref(self).cast::<B::State>().cast_mut()
    }
    #[inline]
    fn take(&self) -> Self::Guard<'_> {
        self.lock()
    }
    #[inline]
    fn try_take(&self) -> Option<Self::Guard<'_>> {
        self.try_lock()
    }
    #[inline]
    fn held<'a>(guard: &Self::Guard<'a>) -> &'a Self {
        guard.lock_ref()
    }
}

// SAFETY: The native lock is pinned, and a write guard has the lock that it refers to for itself.
unsafe impl<U, V: rwlock::Variant> Outer for RwLockIn<U, V> {
    type Native = bindings::rwlock_t;
    type Data = U;
    type Guard<'a>
        = rwlock::WriteGuard<'a, U, V>
    where
        Self: 'a;

    #[inline]
    fn as_raw(&self) -> *mut bindings::rwlock_t {
        RwLockIn::as_raw(self)
    }
    #[inline]
    fn take(&self) -> Self::Guard<'_> {
        self.write()
    }
    #[inline]
    fn try_take(&self) -> Option<Self::Guard<'_>> {
        self.try_write()
    }
    #[inline]
    fn held<'a>(guard: &Self::Guard<'a>) -> &'a Self {
        guard.lock_ref()
    }
}
