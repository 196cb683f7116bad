// SPDX-License-Identifier: GPL-2.0

//! The same data behind every primitive that can guard it.
//!
//! `W` words: who reads adds them up, who writes adds one to each.
#![deny(unsafe_code)]

use super::race::{InRust, Racer};
use crate::{
    new_percpu_rwsem, new_raw_spinlock, new_raw_spinlock_irq, new_rwlock, new_rwsem, new_semaphore,
    new_seqlock, new_spinlock_bh,
    sync::{
        atomic::{Atomic, Bit, BitArray, FetchUpdate, Relaxed},
        new_mutex, new_spinlock, new_spinlock_irq,
        preempt::preempt_disable,
        rcu, Mutex, PerCpuCounters, PerCpuRwSemaphore, RawSpinLock, RawSpinLockIrq, Rcu,
        ResilientSpinLock, ResilientSpinLockIrq, RwLock, RwLockBh, RwLockIrq, RwSemaphore,
        Semaphore, SeqLock, SeqLockBh, SeqLockIrq, SpinLock, SpinLockBh, SpinLockIrq,
    },
};
use core::hint::black_box;
use kernel::{prelude::*, sync::Arc};

/// What several threads use at once. Both say whether it was done.
pub(super) trait Shared: Send + Sync {
    /// Reads, and calls `inside` while it has what it reads.
    fn read(&self, inside: impl FnOnce()) -> bool;
    /// Writes, and calls `inside` while it keeps all others out.
    fn write(&self, inside: impl FnOnce()) -> bool;
}

#[inline(always)]
fn sum<const W: usize>(words: &[u64; W]) {
    black_box(words.iter().fold(0u64, |sum, n| sum.wrapping_add(*n)));
}

#[inline(always)]
fn add<const W: usize>(words: &mut [u64; W]) {
    for n in words {
        *n = n.wrapping_add(1);
    }
}

/// Locks that lend what is inside: how it is taken to read, and how to write.
macro_rules! lends {
    ($($lock:ty: $read:ident, $write:ident;)*) => {
        $(
            impl<const W: usize> Shared for $lock {
                #[inline(always)]
                fn read(&self, inside: impl FnOnce()) -> bool {
                    let words = self.$read();
                    sum(&words);
                    inside();
                    true
                }

                #[inline(always)]
                fn write(&self, inside: impl FnOnce()) -> bool {
                    let mut words = self.$write();
                    add(&mut words);
                    inside();
                    true
                }
            }
        )*
    };
}

lends! {
    SpinLock<[u64; W]>: lock, lock;
    SpinLockBh<[u64; W]>: lock, lock;
    SpinLockIrq<[u64; W]>: lock, lock;
    RawSpinLock<[u64; W]>: lock, lock;
    RawSpinLockIrq<[u64; W]>: lock, lock;
    Mutex<[u64; W]>: lock, lock;
    RwLock<[u64; W]>: read, write;
    RwLockBh<[u64; W]>: read, write;
    RwLockIrq<[u64; W]>: read, write;
    RwSemaphore<[u64; W]>: read, write;
    PerCpuRwSemaphore<[u64; W]>: read, write;
}

/// Locks that may refuse.
macro_rules! refuses {
    ($($lock:ty),*) => {
        $(
            impl<const W: usize> Shared for $lock {
                #[inline(always)]
                fn read(&self, inside: impl FnOnce()) -> bool {
                    let Ok(words) = self.lock() else { return false };
                    sum(&words);
                    inside();
                    true
                }

                #[inline(always)]
                fn write(&self, inside: impl FnOnce()) -> bool {
                    let Ok(mut words) = self.lock() else {
                        return false;
                    };
                    add(&mut words);
                    inside();
                    true
                }
            }
        )*
    };
}

refuses!(ResilientSpinLock<[u64; W]>, ResilientSpinLockIrq<[u64; W]>);

/// Who reads has a copy, and spends its time with that.
macro_rules! copies {
    ($($lock:ident),*) => {
        $(
            impl<const W: usize> Shared for $lock<[u64; W]> {
                #[inline(always)]
                fn read(&self, inside: impl FnOnce()) -> bool {
                    // By its name: that of the trait would be this one.
                    let words = $lock::read(self);
                    sum(&words);
                    inside();
                    true
                }

                #[inline(always)]
                fn write(&self, inside: impl FnOnce()) -> bool {
                    let mut words = $lock::write(self);
                    words.update(|mut words| {
                        add(&mut words);
                        words
                    });
                    inside();
                    true
                }
            }
        )*
    };
}

copies!(SeqLock, SeqLockBh, SeqLockIrq);

/// A semaphore has nothing inside: it stands beside what it guards.
#[pin_data]
struct Permitted<const W: usize> {
    #[pin]
    lock: Semaphore,
    words: [Atomic<u64>; W],
}

/// So does a bit.
struct Marked<const W: usize> {
    bit: BitArray<1>,
    words: [Atomic<u64>; W],
}

const BIT: Bit<1> = Bit::at::<0>();

fn zeroes<const W: usize>() -> [Atomic<u64>; W] {
    [const { Atomic::new(0) }; W]
}

#[inline(always)]
fn sum_atomics(words: &[Atomic<u64>]) {
    let add = |sum: u64, n: &Atomic<u64>| sum.wrapping_add(n.load(Relaxed));
    black_box(words.iter().fold(0, add));
}

#[inline(always)]
fn add_atomics(words: &[Atomic<u64>]) {
    for n in words {
        n.store(n.load(Relaxed).wrapping_add(1), Relaxed);
    }
}

impl<const W: usize> Shared for Permitted<W> {
    #[inline(always)]
    fn read(&self, inside: impl FnOnce()) -> bool {
        let _permit = self.lock.down();
        sum_atomics(&self.words);
        inside();
        true
    }

    #[inline(always)]
    fn write(&self, inside: impl FnOnce()) -> bool {
        let _permit = self.lock.down();
        add_atomics(&self.words);
        inside();
        true
    }
}

impl<const W: usize> Marked<W> {
    #[inline(always)]
    fn with(&self, f: impl FnOnce()) -> bool {
        let _here = preempt_disable();
        while self.bit.test_and_set_lock(BIT) {
            core::hint::spin_loop();
        }
        f();
        self.bit.clear_unlock(BIT);
        true
    }
}

impl<const W: usize> Shared for Marked<W> {
    #[inline(always)]
    fn read(&self, inside: impl FnOnce()) -> bool {
        self.with(|| {
            sum_atomics(&self.words);
            inside();
        })
    }

    #[inline(always)]
    fn write(&self, inside: impl FnOnce()) -> bool {
        self.with(|| {
            add_atomics(&self.words);
            inside();
        })
    }
}

/// A number that is compared and swapped. Nothing is held: the time is spent afterwards.
struct Swapped(Atomic<u64>);

impl Shared for Swapped {
    #[inline(always)]
    fn read(&self, inside: impl FnOnce()) -> bool {
        black_box(self.0.load(Relaxed));
        inside();
        true
    }

    #[inline(always)]
    fn write(&self, inside: impl FnOnce()) -> bool {
        let done = self.0.fetch_update(|n| Some(n.wrapping_add(1)), Relaxed);
        inside();
        done.is_ok()
    }
}

/// A number for each CPU.
impl Shared for PerCpuCounters<1> {
    #[inline(always)]
    fn read(&self, inside: impl FnOnce()) -> bool {
        black_box(self.sum(0));
        inside();
        true
    }

    #[inline(always)]
    fn write(&self, inside: impl FnOnce()) -> bool {
        self.add(0, 1);
        inside();
        true
    }
}

/// A pointer that is replaced by one to a new copy.
struct Published<const W: usize> {
    pointer: Rcu<[u64; W]>,
    /// Copies since somebody last waited until all that were replaced are gone.
    copies: Atomic<u32>,
}

/// So many copies may wait for the end of their grace period: a writer is not held up by it, but
/// memory is not without end.
const COPIES: u32 = 4096;

impl<const W: usize> Shared for Published<W> {
    #[inline(always)]
    fn read(&self, inside: impl FnOnce()) -> bool {
        let reading = rcu::read_lock();
        if let Some(words) = self.pointer.read(&reading) {
            sum(words);
        }
        inside();
        true
    }

    /// Another writer's step in between is lost, as it is without a lock for writers.
    #[inline(always)]
    fn write(&self, inside: impl FnOnce()) -> bool {
        let Ok(mut node) = rcu::Node::new([0; W], GFP_KERNEL) else {
            return false;
        };
        {
            let reading = rcu::read_lock();
            if let Some(words) = self.pointer.read(&reading) {
                *node = *words;
            }
        }
        add(&mut node);
        inside();
        drop(self.pointer.replace(node));
        if self.copies.fetch_add(1, Relaxed) % COPIES == COPIES - 1 {
            rcu::flush();
        }
        true
    }
}

/// Functions that make each of them.
macro_rules! make {
    ($($name:ident: $init:expr;)*) => {
        $(
            pub(super) fn $name<const W: usize>() -> Result<Arc<dyn Racer>> {
                $init
            }
        )*
    };
}

make! {
    spinlock: InRust::<SpinLock<[u64; W]>>::make(new_spinlock!([0; W], "bench_shared_spinlock"));
    spinlock_bh: InRust::<SpinLockBh<[u64; W]>>::make(
        new_spinlock_bh!([0; W], "bench_shared_spinlock_bh"));
    spinlock_irq: InRust::<SpinLockIrq<[u64; W]>>::make(
        new_spinlock_irq!([0; W], "bench_shared_spinlock_irq"));
    raw_spinlock: InRust::<RawSpinLock<[u64; W]>>::make(
        new_raw_spinlock!([0; W], "bench_shared_raw_spinlock"));
    raw_spinlock_irq: InRust::<RawSpinLockIrq<[u64; W]>>::make(
        new_raw_spinlock_irq!([0; W], "bench_shared_raw_spinlock_irq"));
    resilient: InRust::<ResilientSpinLock<[u64; W]>>::make(ResilientSpinLock::new([0; W]));
    resilient_irq: InRust::<ResilientSpinLockIrq<[u64; W]>>::make(
        ResilientSpinLockIrq::new([0; W]));
    mutex: InRust::<Mutex<[u64; W]>>::make(new_mutex!([0; W], "bench_shared_mutex"));
    rwlock: InRust::<RwLock<[u64; W]>>::make(new_rwlock!([0; W], "bench_shared_rwlock"));
    rwlock_bh: InRust::<RwLockBh<[u64; W]>>::make(
        new_rwlock!([0; W], "bench_shared_rwlock_bh"));
    rwlock_irq: InRust::<RwLockIrq<[u64; W]>>::make(
        new_rwlock!([0; W], "bench_shared_rwlock_irq"));
    rwsem: InRust::<RwSemaphore<[u64; W]>>::make(new_rwsem!([0; W], "bench_shared_rwsem"));
    percpu_rwsem: InRust::<PerCpuRwSemaphore<[u64; W]>>::make(
        new_percpu_rwsem!([0; W], "bench_shared_percpu_rwsem"));
    seqlock: InRust::<SeqLock<[u64; W]>>::make(new_seqlock!([0; W], "bench_shared_seqlock"));
    seqlock_bh: InRust::<SeqLockBh<[u64; W]>>::make(
        new_seqlock!([0; W], "bench_shared_seqlock_bh"));
    seqlock_irq: InRust::<SeqLockIrq<[u64; W]>>::make(
        new_seqlock!([0; W], "bench_shared_seqlock_irq"));
    semaphore: InRust::<Permitted<W>>::make(pin_init!(Permitted {
        lock <- new_semaphore!(1, "bench_shared_semaphore"),
        words: zeroes(),
    }));
    bitlock: InRust::<Marked<W>>::make(Ok::<_, Error>(Marked {
        bit: BitArray::new(),
        words: zeroes(),
    }));
    rcu_pointer: InRust::<Published<W>>::make(Ok::<_, Error>(Published {
        pointer: Rcu::new(rcu::Node::new([0; W], GFP_KERNEL)?),
        copies: Atomic::new(0),
    }));
}

pub(super) fn atomic_cas() -> Result<Arc<dyn Racer>> {
    InRust::<Swapped>::make(Ok::<_, Error>(Swapped(Atomic::new(0))))
}

pub(super) fn percpu() -> Result<Arc<dyn Racer>> {
    InRust::<PerCpuCounters<1>>::make(PerCpuCounters::new())
}
