// SPDX-License-Identifier: GPL-2.0

//! What a mailbox's ring is made of in the kernel. Models of the mailbox have another in its place.

use super::memory::{self, Slot, Word};
use crate::sync::{
    atomic::{Acquire, Atomic, Full, Relaxed, Release},
    barrier::{barrier, smp_mb},
};
use core::{cell::UnsafeCell, mem::MaybeUninit};
use kernel::prelude::*;

/// The kernel's memory, and its memory model.
pub(super) struct Kernel;

/// Whether the processor keeps loads in their order, and stores in theirs, and no load before an
/// earlier one of them but from a store: x86. A load that acquires and a store that releases are
/// plain moves there, as they are in C, where Rust calls a function for them.
const TOTAL_STORE_ORDER: bool = cfg!(target_arch = "x86_64");

impl Word for Atomic<usize> {
    fn new(value: usize) -> Self {
        Atomic::new(value)
    }

    #[inline(always)]
    fn load_relaxed(&self) -> usize {
        // SAFETY: It is valid and aligned. Volatile, as READ_ONCE() is in C: one load of a word.
        unsafe { self.as_ptr().read_volatile() }
    }

    #[inline(always)]
    fn load_acquire(&self) -> usize {
        if !TOTAL_STORE_ORDER {
            return self.load(Acquire);
        }
        let value = self.load_relaxed();
        barrier();
        value
    }

    #[inline(always)]
    fn store_release(&self, value: usize) {
        if !TOTAL_STORE_ORDER {
            return self.store(value, Release);
        }
        barrier();
        // SAFETY: It is valid and aligned. Volatile, as WRITE_ONCE() is in C: one store of a word.
        unsafe { self.as_ptr().write_volatile(value) };
    }

    #[inline(always)]
    fn cas_relaxed(&self, old: usize, new: usize) -> Result<(), usize> {
        self.cmpxchg(old, new, Relaxed).map(drop)
    }

    #[inline(always)]
    fn swap(&self, new: usize) -> usize {
        self.xchg(new, Full)
    }
}

impl<T> memory::Cell<T> for UnsafeCell<MaybeUninit<T>> {
    fn vacant() -> Self {
        UnsafeCell::new(MaybeUninit::uninit())
    }

    #[inline]
    unsafe fn put(&self, value: T) {
        // SAFETY: The caller promises that nobody else uses it.
        unsafe { (*self.get()).write(value) };
    }

    #[inline]
    unsafe fn take(&self) -> T {
        // SAFETY: The caller promises that there is a value, and that nobody else uses it.
        unsafe { (*self.get()).assume_init_read() }
    }
}

// SAFETY: A vector that nobody changes gives the same slots each time, and may be shared as these;
// the kernel's atomics and barriers are what they say.
unsafe impl memory::Memory for Kernel {
    type Word = Atomic<usize>;
    type Cell<T> = UnsafeCell<MaybeUninit<T>>;
    type Slots<T> = KVVec<Slot<T, Self>>;

    #[inline]
    fn full_barrier() {
        smp_mb(Full);
    }

    #[inline(always)]
    fn relax() {
        core::hint::spin_loop();
    }
}
