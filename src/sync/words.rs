// SPDX-License-Identifier: GPL-2.0

//! Plain data that is copied while it may be written: what sequence locks and counts hold.
//!
//! A reader may copy while a writer stores, so the copy may be a mix of two values until the
//! sequence has been checked. In Rust even a copy that is thrown away must not be a data race, nor
//! an invalid value. So both sides move the data word by word with relaxed atomics, and the type
//! has to have neither padding, nor pointers, nor invalid values, nor a destructor.

use super::atomic::{Atomic, Relaxed};
use core::{
    cell::UnsafeCell,
    mem::{size_of, MaybeUninit},
};
use kernel::prelude::*;

/// What a sequence lock or count can hold: plain old data, aligned to 8 bytes at most.
///
/// Implemented for all types that qualify.
pub trait Payload: Copy + Send + FromBytes + IntoBytes + 'static {}
impl<T: Copy + Send + FromBytes + IntoBytes + 'static> Payload for T {}

/// Aligned to a word, so that it can be moved word by word whatever `T` is.
#[repr(C, align(8))]
struct Aligned<T>(T);

/// A `T` that any thread may load and store at any time, though not in one piece.
pub(super) struct Words<T: Payload>(UnsafeCell<Aligned<T>>);

// SAFETY: All access to the data goes through atomics; it is given out as copies, which are `Send`.
unsafe impl<T: Payload> Sync for Words<T> {}

impl<T: Payload> Words<T> {
    const WHOLE: usize = size_of::<T>() / size_of::<usize>();

    pub(super) fn new(value: T) -> Self {
        const_assert!(align_of::<T>() <= align_of::<u64>());
        Self(UnsafeCell::new(Aligned(value)))
    }

    /// Lends the data.
    ///
    /// # Safety
    ///
    /// Nobody may store as long as the reference lives.
    #[inline]
    pub(super) unsafe fn as_ref(&self) -> &T {
        // SAFETY: By the safety requirements all accesses meanwhile are loads. The value is
        // initialised, and valid whatever was stored, as it is `FromBytes`.
        unsafe { &(*self.0.get()).0 }
    }

    /// Copies the data word by word. If it is stored to meanwhile, the copy may be torn.
    #[inline(always)]
    pub(super) fn load(&self) -> T {
        self.load_with(|| ())
    }

    /// As [`load`](Self::load), calling `pause` after each word.
    #[inline(always)]
    pub(super) fn load_with(&self, pause: impl Fn()) -> T {
        let mut copy = MaybeUninit::<Aligned<T>>::uninit();
        let src = self.0.get().cast::<usize>();
        let dst = copy.as_mut_ptr().cast::<usize>();

        for i in 0..Self::WHOLE {
            // SAFETY: Word `i` is inside both values, which are aligned to words. Concurrent
            // stores to the source are atomic; the destination is ours.
            unsafe { dst.add(i).write(Atomic::from_ptr(src.add(i)).load(Relaxed)) };
            pause();
        }
        for i in Self::WHOLE * size_of::<usize>()..size_of::<T>() {
            // SAFETY: As above, for the bytes of the last, incomplete word.
            unsafe {
                let byte = Atomic::from_ptr(src.cast::<i8>().add(i)).load(Relaxed);
                dst.cast::<i8>().add(i).write(byte);
            }
        }
        // SAFETY: All bytes of the `T` inside, which comes first, were written above, and
        // `FromBytes` makes any bytes a valid `T`, torn or not.
        unsafe { copy.as_ptr().cast::<T>().read() }
    }

    /// Stores the data word by word. Two stores at once may be mixed for good, so there must be a
    /// lock around it.
    #[inline(always)]
    pub(super) fn store(&self, value: T) {
        let value = Aligned(value);
        let src = core::ptr::from_ref(&value).cast::<usize>();
        let dst = self.0.get().cast::<usize>();

        for i in 0..Self::WHOLE {
            // SAFETY: Word `i` is inside both values, which are aligned to words, and `IntoBytes`
            // rules out padding. Concurrent accesses to the destination are atomic.
            unsafe { Atomic::from_ptr(dst.add(i)).store(src.add(i).read(), Relaxed) };
        }
        for i in Self::WHOLE * size_of::<usize>()..size_of::<T>() {
            // SAFETY: As above, for the bytes of the last, incomplete word.
            unsafe {
                Atomic::from_ptr(dst.cast::<i8>().add(i))
                    .store(src.cast::<i8>().add(i).read(), Relaxed)
            };
        }
    }
}
