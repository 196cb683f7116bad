// SPDX-License-Identifier: GPL-2.0

//! What the ring is made of in a model: words that know from where they are used, and cells that
//! find two users at once.

use super::memory::{self, Slot};
use crate::sync::{
    atomic::{Acquire, Atomic, Full, Relaxed, Release},
    barrier::smp_mb,
};
use core::mem::MaybeUninit;
use loom::cell::UnsafeCell;

/// The memory of a model.
pub struct Kernel;

impl memory::Word for Atomic<usize> {
    fn new(value: usize) -> Self {
        let word = Atomic::new(value);
        // From here on others may use it.
        word.load(Relaxed);
        word
    }

    fn load_relaxed(&self) -> usize {
        self.load(Relaxed)
    }

    #[track_caller]
    fn load_acquire(&self) -> usize {
        self.load(Acquire)
    }

    #[track_caller]
    fn store_release(&self, value: usize) {
        self.store(value, Release);
    }

    #[track_caller]
    fn cas_relaxed(&self, old: usize, new: usize) -> Result<(), usize> {
        self.cmpxchg(old, new, Relaxed).map(drop)
    }

    #[track_caller]
    fn swap(&self, new: usize) -> usize {
        self.xchg(new, Full)
    }
}

/// Room for a value.
pub struct Place<T>(UnsafeCell<MaybeUninit<T>>);

impl<T> memory::Cell<T> for Place<T> {
    fn vacant() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    unsafe fn put(&self, value: T) {
        // SAFETY: The caller promises that nobody else uses it.
        self.0.with_mut(|place| unsafe { (*place).write(value) });
    }

    unsafe fn take(&self) -> T {
        // SAFETY: The caller promises that there is a value, and that nobody else uses it.
        self.0
            .with_mut(|place| unsafe { (*place).assume_init_read() })
    }
}

// SAFETY: A vector that nobody changes gives the same slots each time; words order as they say but
// in a run that is to fail for it.
unsafe impl memory::Memory for Kernel {
    type Word = Atomic<usize>;
    type Cell<T> = Place<T>;
    type Slots<T> = kernel::prelude::KVVec<Slot<T, Self>>;

    #[track_caller]
    fn full_barrier() {
        smp_mb(Full);
    }

    fn relax() {
        loom::thread::yield_now();
    }
}
