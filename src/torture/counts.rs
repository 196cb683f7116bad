// SPDX-License-Identifier: GPL-2.0

//! Atomics, bits and what each CPU has for itself: what was counted is there, and who has
//! something for himself is alone with it.
#![deny(unsafe_code)]

use super::{
    actor::Actor,
    outcome::Wrong,
    witness::Witness,
    Contexts::{self, Hardirq, Process, Softirq},
    Entry,
    Mistake::{self, LoadStore, OtherCpu, PreemptOnly, StaleSwap, TestThenSet, Unlocked},
    Setup, Subject,
};
use crate::{
    new_local_lock,
    sync::{
        atomic::{Atomic, Bit, BitArray, FetchUpdate, Relaxed},
        local_lock::{self, LocalLockIn},
        preempt::{local_interrupt_disable, preempt_disable},
        PerCpu, PerCpuCounters,
    },
};
use kernel::{
    cpu::{nr_cpu_ids, CpuId},
    prelude::*,
    sync::Arc,
};

/// Numbers that all add to.
struct Atomics {
    added: Atomic<u64>,
    swapped: Atomic<u64>,
    bits: BitArray<1>,
    owners: [Atomic<u32>; 64],
    /// What was added to each.
    expected: PerCpuCounters<2>,
}

impl Atomics {
    fn make(_: &Setup) -> Result<Arc<dyn Subject>> {
        Ok(Arc::new(
            Self {
                added: Atomic::new(0),
                swapped: Atomic::new(0),
                bits: BitArray::new(),
                owners: [const { Atomic::new(0) }; 64],
                expected: PerCpuCounters::new()?,
            },
            GFP_KERNEL,
        )?)
    }

    fn add(&self, actor: &mut Actor<'_>) {
        if actor.errs(LoadStore) {
            let value = self.added.load(Relaxed);
            actor.rest(true);
            self.added.store(value.wrapping_add(1), Relaxed);
        } else {
            self.added.fetch_add(1, Relaxed);
        }
        self.expected.add(0, 1);
    }

    fn swap(&self, actor: &mut Actor<'_>) {
        if actor.errs(StaleSwap) {
            let mut old = self.swapped.load(Relaxed);
            let new = old.wrapping_add(1);
            actor.rest(true);
            while let Err(now) = self.swapped.cmpxchg(old, new, Relaxed) {
                old = now;
            }
        } else {
            // It never refuses.
            let _ = self
                .swapped
                .fetch_update(|n| Some(n.wrapping_add(1)), Relaxed);
        }
        self.expected.add(1, 1);
    }

    /// Who has set a bit has it for himself.
    fn mark(&self, actor: &mut Actor<'_>) {
        let number = actor.random.below(8) as usize;
        let (Some(bit), Some(owners)) = (Bit::new(number), self.owners.get(number)) else {
            return;
        };
        if actor.errs(TestThenSet) {
            if self.bits.test(bit) {
                return;
            }
            actor.rest(true);
            self.bits.set(bit);
        } else if self.bits.test_and_set(bit) {
            return;
        }
        actor.check(owners.fetch_add(1, Relaxed) == 0, Wrong::Together);
        actor.rest(true);
        owners.fetch_sub(1, Relaxed);
        actor.check(self.bits.test_and_clear(bit), Wrong::Lost);
    }
}

impl Subject for Atomics {
    fn act(&self, actor: &mut Actor<'_>) {
        match actor.random.below(3) {
            0 => self.add(actor),
            1 => self.swap(actor),
            _ => self.mark(actor),
        }
    }

    fn settle(&self, actor: &mut Actor<'_>) {
        let counts = [&self.added, &self.swapped];
        for (i, count) in counts.into_iter().enumerate() {
            let same = count.load(Relaxed) == self.expected.sum(i);
            actor.check(same, Wrong::Lost);
        }
    }
}

/// One of the CPUs that there can be.
fn any_cpu(actor: &mut Actor<'_>) -> Option<CpuId> {
    CpuId::from_u32(actor.random.below(u64::from(nr_cpu_ids())) as u32)
}

/// Counters of each CPU, and cells that a twin adds to in its own way.
struct Counters {
    counters: PerCpuCounters<1>,
    cells: PerCpu<Atomic<u64>>,
    expected: Atomic<u64>,
}

impl Counters {
    fn make(_: &Setup) -> Result<Arc<dyn Subject>> {
        Ok(Arc::new(
            Self {
                counters: PerCpuCounters::new()?,
                cells: PerCpu::new(|_| Atomic::new(0))?,
                expected: Atomic::new(0),
            },
            GFP_KERNEL,
        )?)
    }
}

fn add_by_moves(actor: &mut Actor<'_>, cell: &Atomic<u64>, sleeps: bool) {
    let value = cell.load(Relaxed);
    actor.rest(sleeps);
    cell.store(value.wrapping_add(1), Relaxed);
}

impl Subject for Counters {
    fn act(&self, actor: &mut Actor<'_>) {
        if actor.is(OtherCpu) {
            if let Some(cell) = any_cpu(actor).and_then(|cpu| self.cells.of(cpu)) {
                add_by_moves(actor, cell, true);
                self.expected.fetch_add(1, Relaxed);
            }
            return;
        }
        if actor.is(PreemptOnly) {
            let here = preempt_disable();
            add_by_moves(actor, self.cells.get(&here), false);
        } else {
            self.counters.add(0, 1);
        }
        self.expected.fetch_add(1, Relaxed);
    }

    fn settle(&self, actor: &mut Actor<'_>) {
        let cells = self.cells.sum(|cell| cell.load(Relaxed));
        let sum = self.counters.sum(0).wrapping_add(cells);
        actor.check(sum == self.expected.load(Relaxed), Wrong::Lost);
    }
}

/// A record for each CPU, under a token that says so.
struct Tokens {
    records: PerCpu<Witness>,
}

impl Tokens {
    fn make(_: &Setup) -> Result<Arc<dyn Subject>> {
        let records = PerCpu::new(|_| Witness::new())?;
        Ok(Arc::new(Self { records }, GFP_KERNEL)?)
    }
}

impl Subject for Tokens {
    fn act(&self, actor: &mut Actor<'_>) {
        if actor.errs(PreemptOnly) {
            let here = preempt_disable();
            return self.records.get(&here).write(actor, false);
        }
        let here = local_interrupt_disable();
        if actor.errs(OtherCpu) {
            if let Some(record) = any_cpu(actor).and_then(|cpu| self.records.of(cpu)) {
                record.write(actor, false);
            }
            return;
        }
        let record = self.records.get(&here);
        match actor.reads() {
            true => drop(record.read(actor, false)),
            false => record.write(actor, false),
        }
    }

    fn settle(&self, actor: &mut Actor<'_>) {
        self.records.for_each(|_, record| record.settle(actor));
    }
}

/// The same under a local lock.
struct Local<V: local_lock::Variant> {
    lock: LocalLockIn<Witness, V>,
}

impl<V: local_lock::Variant + 'static> Local<V> {
    fn make(_: &Setup) -> Result<Arc<dyn Subject>> {
        let lock = new_local_lock!(|_| Witness::new(), "torture_local_lock")?;
        Ok(Arc::new(Self { lock }, GFP_KERNEL)?)
    }
}

impl<V: local_lock::Variant + 'static> Subject for Local<V> {
    fn act(&self, actor: &mut Actor<'_>) {
        if actor.errs(Unlocked) {
            if let Some(record) = any_cpu(actor).and_then(|cpu| self.lock.peek(cpu)) {
                record.write(actor, true);
            }
            return;
        }
        let guard = self.lock.lock();
        if actor.errs(OtherCpu) {
            if let Some(record) = any_cpu(actor).and_then(|cpu| self.lock.peek(cpu)) {
                record.write(actor, false);
            }
            return;
        }
        match actor.reads() {
            true => drop(guard.read(actor, false)),
            false => guard.write(actor, false),
        }
    }

    fn settle(&self, actor: &mut Actor<'_>) {
        for cpu in (0..nr_cpu_ids()).filter_map(CpuId::from_u32) {
            if let Some(record) = self.lock.peek(cpu) {
                record.settle(actor);
            }
        }
    }
}

type Make = fn(&Setup) -> Result<Arc<dyn Subject>>;

const fn entry(
    name: &'static str,
    contexts: Contexts,
    twins: &'static [Mistake],
    make: Make,
) -> Entry {
    Entry {
        name,
        contexts,
        spins: true,
        twins,
        make,
    }
}

const LOCAL: &[Mistake] = &[Unlocked, OtherCpu];

/// All of them.
pub(super) static ENTRIES: &[Entry] = &[
    entry(
        "atomic",
        Hardirq,
        &[LoadStore, StaleSwap, TestThenSet],
        Atomics::make,
    ),
    entry(
        "percpu_counters",
        Hardirq,
        &[OtherCpu, PreemptOnly],
        Counters::make,
    ),
    entry("percpu", Hardirq, &[OtherCpu, PreemptOnly], Tokens::make),
    entry(
        "local_lock",
        Process,
        LOCAL,
        Local::<local_lock::Plain>::make,
    ),
    entry(
        "local_lock_bh",
        Softirq,
        LOCAL,
        Local::<local_lock::Bh>::make,
    ),
    entry(
        "local_lock_irq",
        Hardirq,
        LOCAL,
        Local::<local_lock::Irq>::make,
    ),
];
