// SPDX-License-Identifier: GPL-2.0

//! Statistics: what is shown while others count is no more than what was done, and in the end it is
//! what was done.
#![deny(unsafe_code)]

use super::{
    actor::Actor,
    outcome::Wrong,
    Contexts::Hardirq,
    Entry,
    Mistake::{self, SumFirst, ZeroCells},
    Setup, Subject,
};
use crate::{
    new_raw_spinlock_irq,
    stats::Counted,
    sync::{
        atomic::{Acquire, Atomic, FetchUpdate, Full, Relaxed},
        preempt::local_interrupt_disable,
        PerCpu, RawSpinLockIrq,
    },
};
use kernel::{prelude::*, sync::Arc};

/// The counts of a lock, and of twins that are counted in another way.
#[pin_data]
struct Snapshots {
    #[pin]
    lock: Counted<RawSpinLockIrq<()>>,
    cells: PerCpu<Atomic<u64>>,
    before: Atomic<u64>,
    /// Whether somebody resets it. One at a time, so that it can be told what is left.
    resets: Atomic<bool>,
    /// How often it was taken. Counted before that.
    done: Atomic<u64>,
    mistake: Option<Mistake>,
}

impl Snapshots {
    fn make(setup: &Setup) -> Result<Arc<dyn Subject>> {
        let cells = PerCpu::new(|_| Atomic::new(0))?;
        let subject = Arc::pin_init(
            try_pin_init!(Self {
                lock <- Counted::new(
                    c"torture/snapshot",
                    new_raw_spinlock_irq!((), "torture_snapshot")
                ),
                cells,
                before: Atomic::new(0),
                resets: Atomic::new(false),
                done: Atomic::new(0),
                mistake: setup.mistake,
            }),
            GFP_KERNEL,
        )?;
        Ok(subject)
    }

    fn sum(&self) -> u64 {
        self.cells.sum(|cell| cell.load(Relaxed))
    }

    fn count(&self, actor: &mut Actor<'_>) {
        self.done.fetch_add(1, Full);
        if self.mistake.is_none() {
            return drop(self.lock.lock());
        }
        let here = local_interrupt_disable();
        let cell = self.cells.get(&here);
        let value = cell.load(Relaxed);
        if self.mistake == Some(ZeroCells) {
            actor.pause();
        }
        cell.store(value.wrapping_add(1), Relaxed);
    }

    fn counted(&self, actor: &mut Actor<'_>) -> u64 {
        match self.mistake {
            None => self.lock.stats().acquisitions(),
            Some(SumFirst) => {
                let sum = self.sum();
                actor.rest(true);
                sum.wrapping_sub(self.before.load(Acquire))
            }
            Some(_) => self.sum(),
        }
    }

    fn reset(&self) {
        match self.mistake {
            None => self.lock.stats().reset(),
            Some(SumFirst) => {
                let now = self.sum();
                // Of several the last counts.
                let _ = self
                    .before
                    .fetch_update(|then| (then < now).then_some(now), Full);
            }
            Some(_) => self.cells.for_each(|_, cell| cell.store(0, Relaxed)),
        }
    }

    /// Looks while others count and reset.
    fn look(&self, actor: &mut Actor<'_>) {
        let counted = self.counted(actor);
        actor.check(counted <= self.done.load(Relaxed), Wrong::Miscounted);
    }

    /// Resets it, and looks whether all that was done before is off.
    fn look_after_reset(&self, actor: &mut Actor<'_>) {
        if self.resets.xchg(true, Full) {
            return;
        }
        let before = self.done.load(Relaxed);
        self.reset();
        // Who was just counting is through then.
        actor.linger();
        let counted = self.counted(actor);
        let since = self.done.load(Relaxed).wrapping_sub(before);
        // One of each, and two interrupts, may have been about to count.
        let late = actor.threads().saturating_mul(3) as u64;
        actor.check(counted <= since.saturating_add(late), Wrong::Miscounted);
        self.resets.store(false, Relaxed);
    }
}

impl Subject for Snapshots {
    fn act(&self, actor: &mut Actor<'_>) {
        // Seldom: there has to be something to be reset.
        match actor.random.below(256) {
            0 if actor.may_sleep() => self.look_after_reset(actor),
            1..32 if actor.may_sleep() => self.look(actor),
            _ => self.count(actor),
        }
    }

    fn settle(&self, actor: &mut Actor<'_>) {
        // Nobody counts any more: nothing is lost.
        self.reset();
        let zero = self.counted(actor);
        actor.check(zero == 0, Wrong::Miscounted);
        self.count(actor);
        let one = self.counted(actor);
        actor.check(one == 1, Wrong::Miscounted);
    }
}

/// All of them.
pub(super) static ENTRIES: &[Entry] = &[Entry {
    name: "statistics",
    contexts: Hardirq,
    spins: true,
    twins: &[SumFirst, ZeroCells],
    make: Snapshots::make,
}];
