// SPDX-License-Identifier: GPL-2.0

//! `counter`: children add to one number.
//!
//! What must hold: in the end the number is the sum of what each child says it has added.
#![deny(unsafe_code)]

use super::{Free, Guarded, Load, Pace, Plan, Worker};
use crate::{
    new_local_lock, new_percpu_rwsem, new_raw_spinlock, new_raw_spinlock_irq, new_rwlock,
    new_rwsem, new_semaphore, new_seqcount, new_seqlock, new_spinlock_bh,
    stats::Counted,
    sync::{
        atomic::{Atomic, Bit, BitArray, FetchUpdate, Relaxed},
        lock::Lock,
        lockable::{BackendKind, Lockable},
        new_mutex, new_spinlock, new_spinlock_irq,
        order::levels,
        preempt::preempt_disable,
        resilient::{self, ResilientSpinLockIn},
        rwlock::{RwLockIn, Variant},
        seqcount::Outer,
        seqlock::{self, SeqLockIn},
        LocalLock, Mutex, Ordered, PerCpu, PerCpuRwSemaphore, RawSpinLock, RawSpinLockIrq,
        ResilientSpinLock, ResilientSpinLockIrq, RwLock, RwLockBh, RwLockIrq, RwSemaphore,
        Semaphore, SeqCount, SeqLock, SeqLockBh, SeqLockIrq, SpinLock, SpinLockBh, SpinLockIrq,
    },
};
use kernel::{fmt, prelude::*, sync::Arc};

/// Something to add to.
trait Number: Send + Sync {
    /// Adds 1, spending the worker's time for the critical section in between. False if it gave up.
    fn add(&self, worker: &mut Worker<'_, '_>) -> bool;
    /// Returns the number.
    fn value(&self, free: &mut Free<'_>) -> u64;
}

/// A lock that has a number inside.
trait Holds: Lockable {
    /// Reads the number, if the guard has got it.
    fn get(guard: &Self::Guard<'_>) -> Option<u64>;
    /// Writes the number.
    fn set(guard: &mut Self::Guard<'_>, number: u64);
}

macro_rules! holds {
    ($([$($generics:tt)*] $lock:ty;)*) => {
        $(
            impl<$($generics)*> Holds for $lock {
                fn get(guard: &Self::Guard<'_>) -> Option<u64> {
                    Some(**guard)
                }

                fn set(guard: &mut Self::Guard<'_>, number: u64) {
                    **guard = number;
                }
            }
        )*
    };
}

holds! {
    [B: BackendKind] Lock<u64, B>;
    [V: Variant] RwLockIn<u64, V>;
    [] RwSemaphore<u64>;
    [] PerCpuRwSemaphore<u64>;
}

impl<V: seqlock::Variant> Holds for SeqLockIn<u64, V> {
    fn get(guard: &Self::Guard<'_>) -> Option<u64> {
        Some(guard.load())
    }

    fn set(guard: &mut Self::Guard<'_>, number: u64) {
        guard.store(number);
    }
}

impl<L: Outer + Lockable> Holds for SeqCount<u64, L> {
    fn get(guard: &Self::Guard<'_>) -> Option<u64> {
        Some(guard.load())
    }

    fn set(guard: &mut Self::Guard<'_>, number: u64) {
        guard.write().store(number);
    }
}

impl<V: resilient::Variant> Holds for ResilientSpinLockIn<u64, V> {
    fn get(guard: &Self::Guard<'_>) -> Option<u64> {
        guard.as_deref().ok().copied()
    }

    fn set(guard: &mut Self::Guard<'_>, number: u64) {
        if let Ok(guard) = guard {
            **guard = number;
        }
    }
}

impl<L: Holds + Send + Sync> Number for Guarded<L> {
    fn add(&self, worker: &mut Worker<'_, '_>) -> bool {
        let (mut guard, _) = self.lock(worker.ctx.token());
        let Some(old) = L::get(&guard) else {
            return false;
        };
        worker.pace.hold();
        L::set(&mut guard, old.wrapping_add(1));
        true
    }

    fn value(&self, free: &mut Free<'_>) -> u64 {
        // Not counted, so that the lock's acquisitions are the children's.
        let (guard, _) = self.lock_by(free, |counted| counted.inner().acquire());
        L::get(&guard).unwrap_or(0)
    }
}

/// Adds 1 by a load and a store: whatever comes in between is lost.
fn step(number: &Atomic<u64>, pace: &Pace) {
    let old = number.load(Relaxed);
    pace.hold();
    number.store(old.wrapping_add(1), Relaxed);
}

/// A number beside a semaphore: with its only permit nobody else may touch it.
#[pin_data]
struct Permitted {
    #[pin]
    permit: Guarded<Semaphore>,
    number: Atomic<u64>,
}

impl Number for Permitted {
    fn add(&self, worker: &mut Worker<'_, '_>) -> bool {
        let (permit, _) = self.permit.lock(worker.ctx.token());
        step(&self.number, &worker.pace);
        drop(permit);
        true
    }

    fn value(&self, _: &mut Free<'_>) -> u64 {
        self.number.load(Relaxed)
    }
}

/// A number for each CPU: that no other thread runs there is all that it needs.
impl Number for PerCpu<Atomic<u64>> {
    fn add(&self, worker: &mut Worker<'_, '_>) -> bool {
        let (here, _) = worker.ctx.token().preempt_disable();
        step(self.get(&*here), &worker.pace);
        drop(here);
        true
    }

    fn value(&self, _: &mut Free<'_>) -> u64 {
        self.sum(|number| number.load(Relaxed))
    }
}

/// The same, where a lock says so.
impl Number for Ordered<levels::Load, LocalLock<Atomic<u64>>> {
    fn add(&self, worker: &mut Worker<'_, '_>) -> bool {
        let (number, _) = self.lock(worker.ctx.token());
        step(&number, &worker.pace);
        drop(number);
        true
    }

    fn value(&self, _: &mut Free<'_>) -> u64 {
        self.unordered().sum(|number| number.load(Relaxed))
    }
}

/// A number beside a bit that is its lock.
struct BitLocked {
    bits: BitArray<1>,
    number: Atomic<u64>,
}

const LOCK: Bit<1> = Bit::at::<0>();

impl Number for BitLocked {
    fn add(&self, worker: &mut Worker<'_, '_>) -> bool {
        // As `bit_spin_lock()` does: who has the lock is not preempted, who waits for it may be.
        let here = loop {
            let here = preempt_disable();
            if !self.bits.test_and_set_lock(LOCK) {
                break here;
            }
            drop(here);
            while self.bits.test(LOCK) {
                core::hint::spin_loop();
            }
        };
        step(&self.number, &worker.pace);
        self.bits.clear_unlock(LOCK);
        drop(here);
        true
    }

    fn value(&self, _: &mut Free<'_>) -> u64 {
        self.number.load(Relaxed)
    }
}

/// Adds by compare-and-swap, without a lock.
impl Number for Atomic<u64> {
    fn add(&self, worker: &mut Worker<'_, '_>) -> bool {
        let mut first = true;
        let add = |old: u64| {
            // Once only, or those that hold for long would never be done.
            if core::mem::take(&mut first) {
                worker.pace.hold();
            }
            Some(old.wrapping_add(1))
        };
        self.fetch_update(add, Relaxed).is_ok()
    }

    fn value(&self, _: &mut Free<'_>) -> u64 {
        self.load(Relaxed)
    }
}

/// The broken twin: nothing keeps another child out between reading and writing.
struct Unlocked(Atomic<u64>);

impl Number for Unlocked {
    fn add(&self, worker: &mut Worker<'_, '_>) -> bool {
        let old = self.0.load(Relaxed);
        worker.pace.widen();
        self.0.store(old.wrapping_add(1), Relaxed);
        true
    }

    fn value(&self, _: &mut Free<'_>) -> u64 {
        self.0.load(Relaxed)
    }
}

#[pin_data]
struct Counter<N> {
    #[pin]
    number: N,
    expected: Atomic<u64>,
    /// What it was in the end.
    value: Atomic<u64>,
}

impl<N: Number> Load for Counter<N> {
    fn work(&self, worker: &mut Worker<'_, '_>) -> Result {
        let mut own = 0u64;
        while !worker.done() {
            if self.number.add(worker) {
                own = own.wrapping_add(1);
                worker.ctx.add_ops(1);
            }
            worker.pace.think();
        }
        self.expected.fetch_add(own, Relaxed);
        Ok(())
    }

    fn finish(&self, free: &mut Free<'_>) -> u64 {
        let value = self.number.value(free);
        self.value.store(value, Relaxed);
        u64::from(value != self.expected.load(Relaxed))
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "value {} of {}",
            self.value.load(Relaxed),
            self.expected.load(Relaxed)
        ))
    }
}

fn counter<N: Number + 'static>(
    plan: &Plan,
    number: impl PinInit<N, Error>,
) -> Result<Arc<dyn Load>> {
    if plan.twin.is_some() {
        return make(Ok(Unlocked(Atomic::new(0))));
    }
    make(number)
}

fn make<N: Number + 'static>(number: impl PinInit<N, Error>) -> Result<Arc<dyn Load>> {
    let counter: Arc<Counter<N>> = Arc::pin_init(
        try_pin_init!(Counter {
            number <- number,
            expected: Atomic::new(0),
            value: Atomic::new(0),
        }),
        GFP_KERNEL,
    )?;
    Ok(counter)
}

macro_rules! under {
    ($($name:ident: $lock:ty = $new:expr;)*) => {
        $(
            pub(super) fn $name(plan: &Plan) -> Result<Arc<dyn Load>> {
                let name = kernel::c_str!(concat!("counter/", stringify!($name)));
                counter(plan, Guarded::<$lock>::new(Counted::new(name, $new)))
            }
        )*
    };
}

under! {
    spinlock: SpinLock<u64> = new_spinlock!(0, "childkernel_counter_spinlock");
    spinlock_bh: SpinLockBh<u64> = new_spinlock_bh!(0, "childkernel_counter_spinlock_bh");
    spinlock_irq: SpinLockIrq<u64> = new_spinlock_irq!(0, "childkernel_counter_spinlock_irq");
    raw_spinlock: RawSpinLock<u64> = new_raw_spinlock!(0, "childkernel_counter_raw");
    raw_spinlock_irq: RawSpinLockIrq<u64> = new_raw_spinlock_irq!(0, "childkernel_counter_rawirq");
    resilient: ResilientSpinLock<u64> = ResilientSpinLock::new(0);
    resilient_irq: ResilientSpinLockIrq<u64> = ResilientSpinLockIrq::new(0);
    rwlock: RwLock<u64> = new_rwlock!(0, "childkernel_counter_rwlock");
    rwlock_bh: RwLockBh<u64> = new_rwlock!(0, "childkernel_counter_rwlock_bh");
    rwlock_irq: RwLockIrq<u64> = new_rwlock!(0, "childkernel_counter_rwlock_irq");
    mutex: Mutex<u64> = new_mutex!(0, "childkernel_counter_mutex");
    rwsem: RwSemaphore<u64> = new_rwsem!(0, "childkernel_counter_rwsem");
    percpu_rwsem: PerCpuRwSemaphore<u64> = new_percpu_rwsem!(0, "childkernel_counter_percpu");
    seqlock: SeqLock<u64> = new_seqlock!(0, "childkernel_counter_seqlock");
    seqlock_bh: SeqLockBh<u64> = new_seqlock!(0, "childkernel_counter_seqlock_bh");
    seqlock_irq: SeqLockIrq<u64> = new_seqlock!(0, "childkernel_counter_seqlock_irq");
    seqcount: SeqCount<u64, SpinLock<()>> = new_seqcount!(
        0,
        new_spinlock!((), "childkernel_counter_seqcount_lock"),
        "childkernel_counter_seqcount"
    );
    seqcount_mutex: SeqCount<u64, Mutex<()>> = new_seqcount!(
        0,
        new_mutex!((), "childkernel_counter_seqcount_mutex_lock"),
        "childkernel_counter_seqcount_mutex"
    );
}

/// With one permit.
pub(super) fn semaphore(plan: &Plan) -> Result<Arc<dyn Load>> {
    counter(
        plan,
        try_pin_init!(Permitted {
            permit <- Ordered::new(Counted::new(
                c"counter/semaphore",
                new_semaphore!(1, "childkernel_counter_semaphore")
            )),
            number: Atomic::new(0),
        }),
    )
}

/// With preemption off.
pub(super) fn percpu(plan: &Plan) -> Result<Arc<dyn Load>> {
    counter(plan, PerCpu::new(|_| Atomic::new(0)))
}

/// With this CPU's lock.
pub(super) fn local_lock(plan: &Plan) -> Result<Arc<dyn Load>> {
    let number: Result<LocalLock<Atomic<u64>>> =
        new_local_lock!(|_| Atomic::new(0), "childkernel_counter_local_lock");
    counter(plan, Ok(Ordered::<levels::Load, _>::of(number?)))
}

/// With a bit as the lock.
pub(super) fn bitlock(plan: &Plan) -> Result<Arc<dyn Load>> {
    counter(
        plan,
        Ok(BitLocked {
            bits: BitArray::new(),
            number: Atomic::new(0),
        }),
    )
}

/// By a CAS loop.
pub(super) fn atomic(plan: &Plan) -> Result<Arc<dyn Load>> {
    counter(plan, Ok(Atomic::<u64>::new(0)))
}
