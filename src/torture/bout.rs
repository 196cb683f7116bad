// SPDX-License-Identifier: GPL-2.0

//! A bout: a subject that is used for a while, by the threads of a child and by timers.
#![deny(unsafe_code)]

use super::{
    actor::{Actor, Place},
    ffi,
    outcome::{Outcome, Wrong, Wrongs},
    random::Random,
    Contexts, Entry, Mistake, Setup, Subject, MODULE,
};
use crate::{
    child::{restart::Policy, Builder, Context, Handle, Restart},
    sync::{
        atomic::{Acquire, Atomic, Full, Relaxed, Release},
        preempt::{in_hardirq, in_softirq},
    },
    workload::ticker::{self, Tick, Ticking},
};
use kernel::{
    cpu::{nr_cpu_ids, CpuId},
    prelude::*,
    str::CString,
    sync::Arc,
    time::{Delta, Instant, Monotonic},
};

/// How many operations in 100 read.
const MIXES: [u64; 5] = [0, 10, 50, 90, 99];
/// A thread moves to another CPU once in so many operations.
const MOVE_EVERY: u64 = 300;
/// How often timers are there, in µs: at least, and how much longer at most.
const TICK_US: (i64, u64) = (100, 400);
/// A child that is to end in an error or to crash does up to so many operations before.
const ERRAND: u64 = 200;
/// How often one that has failed begins again.
const ERRORS: u32 = 3;

/// What one thread has done. Only that thread writes it.
#[repr(align(64))]
struct Slot {
    ops: Atomic<u64>,
    longest: Atomic<u64>,
}

/// A subject that is being used.
pub(super) struct Bout {
    subject: Arc<dyn Subject>,
    contexts: Contexts,
    pub(super) mistake: Option<Mistake>,
    /// How many operations in 100 read.
    pub(super) reads: u64,
    seed: u64,
    tick: Delta,
    began: Instant<Monotonic>,
    ready: Atomic<usize>,
    over: Atomic<bool>,
    /// One for each thread, and one for all who are there for a short time.
    slots: KVec<Slot>,
    softirq: Atomic<u64>,
    hardirq: Atomic<u64>,
    /// Numbers those who do something once.
    errands: Atomic<u64>,
    wrongs: Wrongs,
    /// How many operations were done when the first thing went wrong, plus one.
    caught: Atomic<u64>,
}

type Timers = [Option<Ticking>; 2];

impl Bout {
    fn new(entry: &Entry, setup: &Setup, seed: u64) -> Result<Arc<Self>> {
        let mut random = Random::new(seed, 0);
        let mut slots = KVec::new();
        for _ in 0..=setup.threads {
            let slot = Slot {
                ops: Atomic::new(0),
                longest: Atomic::new(0),
            };
            slots.push(slot, GFP_KERNEL)?;
        }
        let mix = random.below(MIXES.len() as u64) as usize;
        let reads = match setup.mistake {
            // So that there are enough of both to meet each other.
            Some(_) => 50,
            None => MIXES.get(mix).copied().unwrap_or(50),
        };
        let bout = Self {
            subject: (entry.make)(setup)?,
            contexts: entry.contexts,
            mistake: setup.mistake,
            reads,
            seed,
            tick: Delta::from_micros(TICK_US.0 + random.below(TICK_US.1) as i64),
            began: Instant::now(),
            ready: Atomic::new(0),
            over: Atomic::new(false),
            slots,
            softirq: Atomic::new(0),
            hardirq: Atomic::new(0),
            errands: Atomic::new(0),
            wrongs: Wrongs::new(),
            caught: Atomic::new(0),
        };
        Ok(Arc::new(bout, GFP_KERNEL)?)
    }

    /// Uses a subject, made anew, for so long, or until something goes wrong in a twin.
    ///
    /// # Errors
    ///
    /// What is in the way of making it, its child or its timers.
    pub(super) fn run(
        ctx: &mut Context<'_>,
        entry: &'static Entry,
        setup: &Setup,
        seed: u64,
        ms: u32,
        unrest: &mut Unrest,
    ) -> Result<Outcome> {
        let bout = Self::new(entry, setup, seed)?;
        let cpus = online_cpus()?;
        let name = CString::try_from_fmt(fmt!("t:{}", entry.name))?;
        let theirs = bout.clone();
        let child = Builder::new(MODULE, &name)
            .threads(setup.threads)
            .cpus(&cpus)
            .spawn(move |ctx| theirs.work(ctx))?;
        let others = match setup.mistake {
            Some(_) => None,
            None => Some(unrest.spawn(&bout)?),
        };
        // By the clock: where others do not let go of the CPU, a short sleep takes long.
        while bout.now() < u64::from(ms).saturating_mul(1_000_000) {
            if bout.is_over() || ctx.should_stop() {
                break;
            }
            ctx.sleep(10);
        }
        bout.over.store(true, Release);
        // Before the child, as they use what it uses.
        drop(others);
        child.stop();
        if let Some(why) = child.record().error() {
            return Err(why);
        }
        drop(child);
        let mut last = Actor::new(&bout, Place::Process, setup.threads, Random::new(seed, 1));
        bout.subject.settle(&mut last);
        bout.outcome(setup.threads)
    }

    fn outcome(&self, threads: usize) -> Result<Outcome> {
        let mut outcome = Outcome::new(threads)?;
        outcome.bouts = 1;
        for (sum, slot) in outcome.each.iter_mut().zip(&self.slots) {
            *sum = slot.ops.load(Relaxed);
            outcome.longest = outcome.longest.max(slot.longest.load(Relaxed));
        }
        outcome.softirq = self.softirq.load(Relaxed);
        outcome.hardirq = self.hardirq.load(Relaxed);
        outcome.wrongs.add_all(&self.wrongs);
        outcome.caught = self.caught.load(Relaxed).checked_sub(1);
        Ok(outcome)
    }

    /// How many threads there are.
    pub(super) fn threads(&self) -> usize {
        self.slots.len().saturating_sub(1)
    }

    /// Whether it is over.
    pub(super) fn is_over(&self) -> bool {
        self.over.load(Acquire)
    }

    /// The time since it began, in ns.
    pub(super) fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    /// Notes that something has gone wrong, `n` times. A twin is caught then.
    #[cold]
    pub(super) fn wrong(&self, wrong: Wrong, n: u64) {
        if n == 0 {
            return;
        }
        self.wrongs.add(wrong, n);
        let mut ops = self.softirq.load(Relaxed) + self.hardirq.load(Relaxed);
        for slot in &self.slots {
            ops = ops.wrapping_add(slot.ops.load(Relaxed));
        }
        // Only the first counts.
        let _ = self.caught.cmpxchg(0, ops.wrapping_add(1), Full);
        if self.mistake.is_some() {
            self.over.store(true, Release);
        }
    }

    /// What each thread does.
    fn work(self: &Arc<Self>, ctx: &mut Context<'_>) -> Result {
        let index = ctx.index();
        let timers = self.timers(index)?;
        let random = Random::new(self.seed, index as u64 + 2);
        let mut actor = Actor::new(self, Place::Process, index, random);
        self.ready.fetch_add(1, Full);
        // Nobody is done before the others have begun.
        while self.ready.load(Acquire) < self.threads() && !ctx.should_stop() {
            crate::ffi::cond_resched();
        }
        let slot = self.slots.get(index).ok_or(EINVAL)?;
        while !ctx.should_stop() && !self.is_over() {
            self.subject.act(&mut actor);
            slot.ops
                .store(slot.ops.load(Relaxed).wrapping_add(1), Relaxed);
            if actor.random.one_in(MOVE_EVERY) {
                move_somewhere(&mut actor.random);
            } else if actor.random.one_in(4) {
                // Outside, too.
                actor.pause();
            }
        }
        slot.longest.store(actor.longest(), Relaxed);
        drop(timers);
        Ok(())
    }

    /// Timers on the CPU of this thread, if it is the first one there.
    fn timers(self: &Arc<Self>, index: usize) -> Result<Timers> {
        // An interrupt that waits for a lock that is kept, as one of a resilient lock does for a
        // second, leaves its CPU no time for those who are to notice.
        let here = index < super::online() && self.mistake != Some(Mistake::Kept);
        let softirq = match here && self.contexts >= Contexts::Softirq {
            true => Some(ticker::in_softirq(self.clone(), self.tick)?),
            false => None,
        };
        let hardirq = match here && self.contexts >= Contexts::Hardirq {
            true => Some(ticker::in_hardirq_unless_rt(self.clone(), self.tick)?),
            false => None,
        };
        Ok([softirq, hardirq])
    }

    /// A few operations by somebody who is here for that only.
    fn errand(&self, ctx: &mut Context<'_>) {
        let number = self.errands.fetch_add(1, Relaxed);
        let index = self.threads();
        let random = Random::new(self.seed, number.wrapping_add(1000));
        let mut actor = Actor::new(self, Place::Process, index, random);
        let most = actor.random.below(ERRAND);
        for _ in 0..most {
            if ctx.should_stop() || self.is_over() {
                return;
            }
            self.subject.act(&mut actor);
        }
    }
}

impl Tick for Bout {
    fn tick(&self) {
        let (place, count) = if in_hardirq() {
            (Place::Hardirq, &self.hardirq)
        } else if in_softirq() {
            (Place::Softirq, &self.softirq)
        } else {
            return;
        };
        if self.is_over() {
            return;
        }
        let number = self.errands.fetch_add(1, Relaxed);
        let random = Random::new(self.seed, number.wrapping_add(1000));
        let mut actor = Actor::new(self, place, self.slots.len(), random);
        self.subject.act(&mut actor);
        count.fetch_add(1, Relaxed);
    }
}

/// Moves the current thread to another CPU, to the one where it is, or to any.
fn move_somewhere(random: &mut Random) {
    let cpus = u64::from(nr_cpu_ids());
    let cpu = CpuId::from_u32(random.below(cpus) as u32);
    match random.below(4) {
        0 => ffi::move_to(None),
        _ => ffi::move_to(cpu),
    }
}

/// The CPUs that are online.
fn online_cpus() -> Result<KVec<CpuId>> {
    let mut cpus = KVec::new();
    for cpu in (0..nr_cpu_ids()).filter(|cpu| crate::ffi::cpu_online(*cpu)) {
        cpus.push(CpuId::from_u32(cpu).ok_or(EINVAL)?, GFP_KERNEL)?;
    }
    Ok(cpus)
}

/// Children that come and go while others are at work: they end in errors, and some crash.
pub(super) struct Unrest {
    errors: Arc<Atomic<u64>>,
    /// How many are still to crash.
    to_crash: u32,
    crashes: u64,
}

/// Ends those that were spawned for a bout.
pub(super) struct Others {
    _failing: Handle,
    _crashing: Option<Handle>,
}

impl Unrest {
    pub(super) fn new(to_crash: u32) -> Result<Self> {
        Ok(Self {
            errors: Arc::new(Atomic::new(0), GFP_KERNEL)?,
            to_crash,
            crashes: 0,
        })
    }

    /// How many children have ended in an error.
    pub(super) fn errors(&self) -> u64 {
        self.errors.load(Relaxed)
    }

    /// How many have crashed.
    pub(super) fn crashes(&self) -> u64 {
        self.crashes
    }

    fn spawn(&mut self, bout: &Arc<Bout>) -> Result<Others> {
        let (theirs, errors) = (bout.clone(), self.errors.clone());
        let again = Restart::by(Policy::OnError)
            .limit(ERRORS, 60_000)
            .backoff(5, 20);
        let failing = Builder::new(MODULE, c"t:fails")
            .restart(again)
            .spawn(move |ctx| {
                theirs.errand(ctx);
                errors.fetch_add(1, Relaxed);
                Err(EIO)
            })?;
        let crashing = match self.to_crash {
            0 => None,
            left => {
                self.to_crash = left - 1;
                let theirs = bout.clone();
                let child = Builder::new(MODULE, c"t:crashes").spawn(move |ctx| {
                    theirs.errand(ctx);
                    #[cfg(CONFIG_CHILDKERNEL_FAULTS)]
                    crate::ffi::fault_bug();
                    Ok(())
                })?;
                self.crashes += 1;
                Some(child)
            }
        };
        Ok(Others {
            _failing: failing,
            _crashing: crashing,
        })
    }
}
