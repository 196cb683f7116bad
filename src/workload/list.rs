// SPDX-License-Identifier: GPL-2.0

//! `list`: writers insert into and remove from an RCU list, everybody else looks up.
//!
//! Lookups come from children, from a timer in hard interrupt context, and from one in soft
//! interrupt context. What must hold: no lookup sees an element that is half built, that was
//! unlinked before the lookup began, or that was freed; and all that was removed is freed, in
//! process context.
//!
//! The broken twins never free memory early: an element that is "recycled" without a grace period
//! is overwritten with poison, and its memory waits for the grace period all the same.
#![deny(unsafe_code)]

use super::{
    ticker::{self, Tick, Ticking},
    Free, Guarded, Load, Plan, Twin, Worker,
};
use crate::{
    new_rcu_list,
    stats::Counted,
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        lock::{mutex::MutexBackend, spinlock::SpinLockBackend},
        lockable::BackendKind,
        new_mutex,
        order::levels,
        preempt::{in_hardirq, in_softirq},
        rcu,
        rcu_list::{Node, Removed, Writer},
        Mutex, Ordered, RcuList,
    },
};
use kernel::{fmt, prelude::*, sync::Arc, time::Delta};

/// An element that lookups may use.
const LIVE: u32 = 0x6c69_7665;
/// An element that was freed.
const POISON: u32 = 0x6465_6164;

/// How many elements each writer keeps in the list.
const KEEP: u64 = 8;
/// A writer waits for a grace period itself once in so many removals, so that no more than this
/// many wait for their deferred end.
const SYNCHRONIZE_EVERY: u64 = 64;
/// How often the timers look up.
const TICK: Delta = Delta::from_micros(500);

/// What is counted, by all contexts.
struct Tally {
    inserted: Atomic<u64>,
    removed: Atomic<u64>,
    freed: Atomic<u64>,
    process: Atomic<u64>,
    softirq: Atomic<u64>,
    hardirq: Atomic<u64>,
    /// What was seen in interrupts and destructors, which are no child.
    violations: Atomic<u64>,
    /// Counts the removals that are done. Written under the writers' lock.
    epoch: Atomic<u64>,
}

struct Element {
    key: u64,
    /// `!key` when built.
    check: Atomic<u64>,
    state: Atomic<u32>,
    /// The removal that unlinked it, or 0.
    unlinked: Atomic<u64>,
    tally: Arc<Tally>,
}

impl Element {
    fn unbuilt(key: u64, tally: Arc<Tally>) -> Self {
        Self {
            key,
            check: Atomic::new(0),
            state: Atomic::new(0),
            unlinked: Atomic::new(0),
            tally,
        }
    }

    fn build(&self) {
        self.check.store(!self.key, Relaxed);
        self.state.store(LIVE, Relaxed);
    }

    fn poison(&self) {
        self.state.store(POISON, Relaxed);
        self.check.store(0, Relaxed);
    }

    fn is_whole(&self) -> bool {
        self.state.load(Relaxed) == LIVE && self.check.load(Relaxed) == !self.key
    }
}

impl Drop for Element {
    fn drop(&mut self) {
        self.poison();
        // One for which there was no memory has never been in the list.
        if self.unlinked.load(Relaxed) != 0 {
            self.tally.freed.fetch_add(1, Relaxed);
        }
        if in_hardirq() || in_softirq() {
            self.tally.violations.fetch_add(1, Relaxed);
        }
    }
}

/// What the timers need: the list and the counters.
#[pin_data]
struct Lookup<B: BackendKind> {
    #[pin]
    list: Guarded<RcuList<Element, B>>,
    tally: Arc<Tally>,
}

impl<B: BackendKind> Lookup<B> {
    /// Looks at all elements. `pause` is called while an element is in use.
    fn check(&self, pause: impl Fn()) -> u64 {
        let mut violations = 0u64;
        let began = self.tally.epoch.load(Acquire);
        let guard = rcu::read_lock();
        for element in self.list.unordered().inner().iter(&guard) {
            let whole = element.is_whole();
            pause();
            let unlinked = element.unlinked.load(Relaxed);
            if !whole || !element.is_whole() || (unlinked != 0 && unlinked <= began) {
                violations = violations.wrapping_add(1);
            }
        }
        violations
    }
}

impl<B: BackendKind + 'static> Tick for Lookup<B> {
    /// Looks up from a timer, and counts in which context that was.
    fn tick(&self) {
        self.tally.violations.fetch_add(self.check(|| ()), Relaxed);
        let count = if in_hardirq() {
            &self.tally.hardirq
        } else if in_softirq() {
            &self.tally.softirq
        } else {
            &self.tally.process
        };
        count.fetch_add(1, Relaxed);
    }
}

type Tickers = (Ticking, Ticking);

#[pin_data]
struct ListLoad<B: BackendKind> {
    lookup: Arc<Lookup<B>>,
    writers: usize,
    twin: Option<Twin>,
    /// Cancelled when dropped.
    #[pin]
    tickers: Ordered<levels::LoadEnd, Mutex<Option<Tickers>>>,
}

/// With writers under a spinlock.
pub(super) fn spinlock(plan: &Plan) -> Result<Arc<dyn Load>> {
    make::<SpinLockBackend>(plan, c"list/rculist")
}

/// With writers under a mutex.
pub(super) fn mutex(plan: &Plan) -> Result<Arc<dyn Load>> {
    make::<MutexBackend>(plan, c"list/rculist_mutex")
}

/// Makes the load and starts its timers.
fn make<B: BackendKind + 'static>(plan: &Plan, name: &CStr) -> Result<Arc<dyn Load>> {
    let tally = Arc::new(
        Tally {
            inserted: Atomic::new(0),
            removed: Atomic::new(0),
            freed: Atomic::new(0),
            process: Atomic::new(0),
            softirq: Atomic::new(0),
            hardirq: Atomic::new(0),
            violations: Atomic::new(0),
            epoch: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    let lookup: Arc<Lookup<B>> = Arc::pin_init(
        try_pin_init!(Lookup {
            list <- Ordered::new(Counted::new(name, new_rcu_list!("childkernel_list"))),
            tally,
        }),
        GFP_KERNEL,
    )?;
    let tickers = (
        ticker::in_hardirq(lookup.clone(), TICK)?,
        ticker::in_softirq(lookup.clone(), TICK)?,
    );
    let load: Arc<ListLoad<B>> = Arc::pin_init(
        pin_init!(ListLoad {
            lookup,
            writers: plan.writers,
            twin: plan.twin,
            tickers <- Ordered::new(new_mutex!(Some(tickers), "childkernel_list_tickers")),
        }),
        GFP_KERNEL,
    )?;
    Ok(load)
}

impl<B: BackendKind> ListLoad<B> {
    fn insert(&self, worker: &mut Worker<'_, '_>, key: u64) -> Result {
        let lookup = &*self.lookup;
        let element = Element::unbuilt(key, lookup.tally.clone());
        if self.twin == Some(Twin::Unbuilt) {
            let node = Node::new(element, GFP_KERNEL)?;
            let (mut list, _) = lookup.list.lock(worker.ctx.token());
            list.push_front(node);
            worker.pace.widen();
            // What the program order should have had before.
            list.iter().take(1).for_each(Element::build);
        } else {
            element.build();
            let node = Node::new(element, GFP_KERNEL)?;
            let (mut list, _) = lookup.list.lock(worker.ctx.token());
            list.push_front(node);
        }
        lookup.tally.inserted.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Unlinks the first element that is wanted. `pause` is called in the critical section.
    fn unlink(
        &self,
        list: &mut Writer<'_, Element, B>,
        wanted: impl Fn(&Element) -> bool,
        pause: impl FnOnce(),
    ) -> Option<Removed<Element>> {
        let tally = &*self.lookup.tally;
        let removed = list.remove(wanted)?;
        pause();
        // The lock is held, so removals are numbered in their order. A lookup that begins after
        // this store must not find the element.
        let epoch = tally.epoch.load(Relaxed).wrapping_add(1);
        removed.unlinked.store(epoch, Relaxed);
        tally.epoch.store(epoch, Release);
        tally.removed.fetch_add(1, Relaxed);
        Some(removed)
    }

    /// Removes the element with this key and leaves it to its end, waiting for that or not.
    fn remove(&self, worker: &mut Worker<'_, '_>, key: u64, wait: bool) -> bool {
        let (mut list, _) = self.lookup.list.lock(worker.ctx.token());
        let removed = self.unlink(&mut list, |e| e.key == key, || worker.pace.hold());
        drop(list);
        let Some(removed) = removed else { return false };
        if self.twin == Some(Twin::NoGrace) {
            removed.poison();
        }
        if wait {
            removed.synchronize();
        } else {
            removed.defer();
        }
        true
    }

    fn write(&self, worker: &mut Worker<'_, '_>) -> Result {
        // Keys tell the writers apart.
        let writer = (worker.index as u64) << 48;
        let key = |n: u64| writer | n;
        let mut first = 0u64;
        let mut next = 0u64;
        while !worker.done() {
            self.insert(worker, key(next))?;
            next = next.wrapping_add(1);
            if next.wrapping_sub(first) > KEEP {
                // It was there, as nobody else removes this writer's.
                // A twin goes on removing, for its readers to meet.
                let wait = self.twin.is_none() && next % SYNCHRONIZE_EVERY == 0;
                if !self.remove(worker, key(first), wait) {
                    worker.ctx.violation();
                }
                first = first.wrapping_add(1);
            }
            if self.twin.is_some() {
                // As slow as its readers, so as not to end long before them.
                for _ in 0..KEEP {
                    worker.pace.widen();
                }
            }
            worker.ctx.add_ops(1);
            worker.pace.think();
        }
        Ok(())
    }

    fn read(&self, worker: &mut Worker<'_, '_>) {
        // In an empty list there is nothing to see of what a twin does wrong.
        while self.twin.is_some() && self.lookup.tally.inserted.load(Relaxed) == 0 && !worker.done()
        {
            core::hint::spin_loop();
        }
        while !worker.done() {
            let twin = self.twin.is_some();
            let violations = self.lookup.check(|| {
                if twin {
                    worker.pace.widen();
                } else {
                    worker.pace.hold();
                }
            });
            if violations > 0 {
                worker.ctx.violation();
            }
            self.lookup.tally.process.fetch_add(1, Relaxed);
            worker.ctx.add_ops(1);
            worker.pace.think();
        }
    }
}

impl<B: BackendKind + 'static> Load for ListLoad<B> {
    fn work(&self, worker: &mut Worker<'_, '_>) -> Result {
        if worker.index < self.writers {
            self.write(worker)
        } else {
            self.read(worker);
            Ok(())
        }
    }

    fn finish(&self, free: &mut Free<'_>) -> u64 {
        let tally = &*self.lookup.tally;
        // Cancelling waits for a lookup that is under way.
        let tickers = self.tickers.lock(free).0.take();
        drop(tickers);

        let list = &self.lookup.list;
        loop {
            let (mut writer, _) = list.lock_by(free, |counted| counted.inner().lock());
            let removed = self.unlink(&mut writer, |_| true, || ());
            drop(writer);
            let Some(removed) = removed else { break };
            removed.defer();
        }
        rcu::flush();
        let removed = tally.removed.load(Relaxed);
        let leaks = u64::from(removed != tally.inserted.load(Relaxed))
            .saturating_add(u64::from(removed != tally.freed.load(Relaxed)));
        tally.violations.load(Relaxed).saturating_add(leaks)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tally = &*self.lookup.tally;
        f.write_fmt(fmt!(
            "inserted {} removed {} freed {} lookups {} softirq {} hardirq {}",
            tally.inserted.load(Relaxed),
            tally.removed.load(Relaxed),
            tally.freed.load(Relaxed),
            tally.process.load(Relaxed),
            tally.softirq.load(Relaxed),
            tally.hardirq.load(Relaxed)
        ))
    }
}
