// SPDX-License-Identifier: GPL-2.0

//! Races: threads that use the same at once, for a while, and what that is like for each.
//!
//! They are the threads of one child, each on a CPU of its own, and begin together. Whoever they
//! race for, they are the same threads: what is C of a C side is a batch of operations (`batch.h`).
//!
//! The first operation of each batch is timed, so that the clock does not get to be what is
//! measured. Their number has no divisor in common with 100, so that in the course of time each
//! kind of operation is first. Where the question is how a lock goes from one to the next, each is.
#![deny(unsafe_code)]

use super::{
    ffi::{self, Batch, Contended, Subject},
    shared::Shared,
    waits::Waits,
    Run,
};
use crate::{
    child::{Builder, Context},
    new_completion,
    sync::{
        atomic::{Atomic, Relaxed},
        new_mutex, Completion, Mutex,
    },
};
use kernel::{
    cpu::{nr_cpu_ids, CpuId},
    prelude::*,
    sync::Arc,
};

/// Operations in a batch.
const BATCH: u32 = 31;

/// What can be raced for.
pub(super) trait Racer: Send + Sync {
    /// Does a batch, or what of it there is time for until it is over.
    fn batch(&self, course: &Course, batch: &mut Batch);
}

/// What those who race look at.
pub(super) struct Course {
    /// Not 0 any more: it is over.
    pub(super) stop: Atomic<u32>,
    /// Where each notes that it is about to leave, if anybody asks.
    pub(super) left: Option<Left>,
}

/// When who was inside was about to leave, in ns; on a cache line of its own.
#[repr(align(64))]
pub(super) struct Left(pub(super) Atomic<u64>);

/// Something in C.
pub(super) struct InC {
    pub(super) subject: Arc<Subject>,
    pub(super) twin: &'static Contended,
}

impl Racer for InC {
    fn batch(&self, course: &Course, batch: &mut Batch) {
        self.twin.run(&self.subject, course, batch);
    }
}

/// Something in Rust, on cache lines of its own as what the C sides use.
#[pin_data]
#[repr(align(64))]
pub(super) struct InRust<S> {
    #[pin]
    shared: S,
}

impl<S: Shared + 'static> InRust<S> {
    pub(super) fn make<E>(shared: impl PinInit<S, E>) -> Result<Arc<dyn Racer>>
    where
        Error: From<E>,
    {
        let racer = Arc::<Self>::pin_init::<Error>(
            try_pin_init!(Self { shared <- shared }? Error),
            GFP_KERNEL,
        )?;
        Ok(racer)
    }
}

impl<S: Shared> Racer for InRust<S> {
    #[inline(never)]
    fn batch(&self, course: &Course, batch: &mut Batch) {
        for i in 0..batch.n {
            if course.stop.load(Relaxed) != 0 {
                return;
            }
            let first = i == 0;
            let reads = begins(batch, first);
            let done = if reads {
                self.shared.read(|| inside(course, batch, first))
            } else {
                self.shared.write(|| inside(course, batch, first))
            };
            if !done {
                batch.failed = true;
                return;
            }
            ends(batch, first);
        }
    }
}

/// Before an operation: whether it reads. As `bench_begins()` does.
#[inline(always)]
pub(super) fn begins(batch: &mut Batch, first: bool) -> bool {
    batch.turn = batch.turn.wrapping_add(batch.read);
    let reads = batch.turn >= 100;
    if reads {
        batch.turn = batch.turn.wrapping_sub(100);
        batch.reads = batch.reads.wrapping_add(1);
    } else {
        batch.writes = batch.writes.wrapping_add(1);
    }
    if first {
        batch.first_reads = reads;
        batch.asked = ffi::time();
    }
    reads
}

/// While it has what it came for. As `bench_inside()` does.
#[inline(always)]
pub(super) fn inside(course: &Course, batch: &mut Batch, first: bool) {
    if first {
        batch.got = ffi::time();
        if let Some(left) = &course.left {
            comes(left, batch);
        }
    }
    if batch.hold != 0 {
        ffi::spin(batch.hold);
    }
    if let (true, Some(left)) = (first, &course.left) {
        left.0.store(ffi::time(), Relaxed);
    }
}

/// As `bench_comes()` does.
#[inline(always)]
fn comes(left: &Left, batch: &mut Batch) {
    let last = left.0.load(Relaxed);
    left.0.store(0, Relaxed);
    batch.handed = if last > batch.asked {
        batch.got.saturating_sub(last)
    } else {
        0
    };
}

/// After it. As `bench_ends()` does.
#[inline(always)]
pub(super) fn ends(batch: &mut Batch, first: bool) {
    if first {
        batch.released = ffi::time();
    }
}

/// How a race goes.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    /// How many threads, each on a CPU of its own.
    pub(super) cpus: usize,
    /// How many operations in 100 read.
    pub(super) read: u32,
    /// Loops that each operation stays inside.
    pub(super) hold: u64,
    pub(super) ms: u32,
    /// Whether the question is how it goes from one to the next.
    pub(super) handover: bool,
}

/// What one thread, or all of them together, has seen.
pub(super) struct Tally {
    pub(super) reads: u64,
    pub(super) writes: u64,
    pub(super) wait: Waits,
    pub(super) wait_read: Waits,
    pub(super) wait_write: Waits,
    /// From when one was about to leave until the next one, who waited, got in.
    pub(super) handed: Waits,
    /// The longest time that a thread had to wait. See [`Tally::starves`].
    pub(super) starve: u64,
    /// The longest time from asking for it to having released it.
    pub(super) longest: u64,
    pub(super) switches: u64,
}

impl Tally {
    fn new() -> Result<Self> {
        Ok(Self {
            reads: 0,
            writes: 0,
            wait: Waits::new()?,
            wait_read: Waits::new()?,
            wait_write: Waits::new()?,
            handed: Waits::new()?,
            starve: 0,
            longest: 0,
            switches: 0,
        })
    }

    fn take_times(&mut self, batch: &Batch) {
        let wait = batch.got.saturating_sub(batch.asked);
        self.wait.record(wait);
        if batch.first_reads {
            self.wait_read.record(wait);
        } else {
            self.wait_write.record(wait);
        }
        if batch.handed != 0 {
            self.handed.record(batch.handed);
        }
        let took = batch.released.saturating_sub(batch.asked);
        self.longest = self.longest.max(took);
    }

    /// What no sample has seen shows in its batch, which takes as much longer than the others.
    fn starves(&mut self, slowest: u64, all: u64, batches: u64) {
        let usual = all.checked_div(batches).unwrap_or(0);
        let more = slowest.saturating_sub(usual);
        self.starve = self.wait.longest().max(more);
    }

    fn add(&mut self, other: &Self) {
        self.reads = self.reads.wrapping_add(other.reads);
        self.writes = self.writes.wrapping_add(other.writes);
        self.wait.add(&other.wait);
        self.wait_read.add(&other.wait_read);
        self.wait_write.add(&other.wait_write);
        self.handed.add(&other.handed);
        self.starve = self.starve.max(other.starve);
        self.longest = self.longest.max(other.longest);
        self.switches = self.switches.wrapping_add(other.switches);
    }
}

/// Where threads begin and end.
#[pin_data]
struct Track {
    racer: Arc<dyn Racer>,
    rules: Rules,
    ready: Atomic<u32>,
    #[pin]
    all_ready: Completion,
    go: Atomic<u32>,
    course: Course,
    #[pin]
    tallies: Mutex<KVec<Result<Tally>>>,
}

impl Track {
    fn run(&self, ctx: &mut Context<'_>) -> Result {
        let tally = Tally::new();
        if self.ready.fetch_add(1, Relaxed) as usize + 1 == self.rules.cpus {
            self.all_ready.complete();
        }
        let done = tally.and_then(|tally| self.race(ctx, tally));
        let mut tallies = self.tallies.lock();
        // There is room: that was made for all threads.
        tallies.push_within_capacity(done).map_err(|_| ENOSPC)
    }

    /// What a thread begins with: not where another does.
    fn batch(&self, index: u64) -> Batch {
        Batch {
            stop: core::ptr::null(),
            n: if self.rules.handover { 1 } else { BATCH },
            read: self.rules.read,
            turn: (index.wrapping_mul(37) % 100) as u32,
            hold: self.rules.hold,
            left: core::ptr::null_mut(),
            random: index.wrapping_add(1),
            reads: 0,
            writes: 0,
            asked: 0,
            got: 0,
            released: 0,
            handed: 0,
            first_reads: false,
            failed: false,
        }
    }

    fn race(&self, ctx: &mut Context<'_>, mut tally: Tally) -> Result<Tally> {
        let mut batch = self.batch(ctx.index() as u64);
        while self.go.load(Relaxed) == 0 && !ctx.should_stop() {
            crate::ffi::cond_resched();
        }
        let (mut batches, mut slowest, mut all) = (0u64, 0u64, 0u64);
        let switches = ffi::switches();
        while self.course.stop.load(Relaxed) == 0 && !ctx.should_stop() {
            batch.released = 0;
            let begin = ffi::time();
            self.racer.batch(&self.course, &mut batch);
            if batch.failed {
                return Err(ETIMEDOUT);
            }
            if batch.released == 0 {
                // It was over before it began.
                break;
            }
            let took = ffi::time().saturating_sub(begin);
            batches = batches.wrapping_add(1);
            slowest = slowest.max(took);
            all = all.wrapping_add(took);
            tally.take_times(&batch);
            crate::ffi::cond_resched();
        }
        tally.switches = ffi::switches().wrapping_sub(switches);
        tally.reads = batch.reads;
        tally.writes = batch.writes;
        tally.starves(slowest, all, batches);
        Ok(tally)
    }
}

/// How a race went.
pub(super) struct Outcome {
    /// How long it took.
    pub(super) ns: u64,
    /// How many operations each thread has done.
    pub(super) each: KVec<u64>,
    /// All threads.
    pub(super) sum: Tally,
}

impl Outcome {
    /// How many operations were done.
    pub(super) fn ops(&self) -> u64 {
        self.sum.reads.wrapping_add(self.sum.writes)
    }
}

/// Races. `EINTR` if the run is to end.
pub(super) fn race(run: &mut Run<'_, '_>, racer: Arc<dyn Racer>, rules: Rules) -> Result<Outcome> {
    let cpus = cpus(rules.cpus)?;
    let threads = cpus.len();
    let rules = Rules {
        cpus: threads,
        ..rules
    };
    let track = Arc::pin_init::<Error>(
        try_pin_init!(Track {
            racer,
            rules,
            ready: Atomic::new(0),
            all_ready <- new_completion!("childkernel_bench_ready"),
            go: Atomic::new(0),
            course: Course {
                stop: Atomic::new(0),
                left: rules.handover.then(|| Left(Atomic::new(0))),
            },
            tallies <- new_mutex!(
                KVec::with_capacity(threads, GFP_KERNEL)?,
                "childkernel_bench_tallies"
            ),
        }),
        GFP_KERNEL,
    )?;

    let their = track.clone();
    let child = Builder::new(run.module, c"bench-race")
        .threads(threads)
        .cpus(&cpus)
        .spawn(move |ctx| their.run(ctx))?;
    track.all_ready.wait_interruptible().map_err(|_| EINTR)?;
    let begin = ffi::time();
    track.go.store(1, Relaxed);
    run.ctx.sleep(rules.ms);
    track.course.stop.store(1, Relaxed);
    let ns = ffi::time().saturating_sub(begin);
    // Waits for them.
    drop(child);
    if run.ctx.should_stop() {
        return Err(EINTR);
    }

    let mut each = KVec::with_capacity(threads, GFP_KERNEL)?;
    let mut sum = Tally::new()?;
    let mut tallies = track.tallies.lock();
    while let Some(tally) = tallies.pop() {
        let tally = tally?;
        each.push(tally.reads.wrapping_add(tally.writes), GFP_KERNEL)?;
        sum.add(&tally);
    }
    if each.len() < threads {
        return Err(EAGAIN);
    }
    Ok(Outcome { ns, each, sum })
}

/// The first `n` CPUs that are online.
pub(super) fn cpus(n: usize) -> Result<KVec<CpuId>> {
    let mut cpus = KVec::new();
    let online = (0..nr_cpu_ids()).filter(|cpu| crate::ffi::cpu_online(*cpu));
    for cpu in online.take(n) {
        cpus.push(CpuId::from_u32(cpu).ok_or(EINVAL)?, GFP_KERNEL)?;
    }
    Ok(cpus)
}

/// More than so many are not raced with: a record has the operations of each.
const CPUS_MAX: usize = 32;

/// So many at most are there to race.
pub(super) fn all_cpus() -> usize {
    super::online().clamp(1, CPUS_MAX)
}

/// One CPU, and all of them if there are more.
pub(super) fn one_and_all() -> impl Iterator<Item = usize> {
    let all = all_cpus();
    [1, all].into_iter().take(if all > 1 { 2 } else { 1 })
}

/// How long [`ffi::spin`] takes here.
#[derive(Clone, Copy)]
pub(super) struct Spin {
    ns: u64,
}

impl Spin {
    const LOOPS: u64 = 100_000;

    /// Measures it: the least of a few, as whatever comes in between takes longer.
    pub(super) fn measure() -> Self {
        let tries = (0..16).map(|_| {
            let begin = ffi::time();
            ffi::spin(Self::LOOPS);
            ffi::time().saturating_sub(begin)
        });
        Self {
            ns: tries.min().unwrap_or(1).max(1),
        }
    }

    /// How many loops take so long.
    pub(super) fn loops(self, ns: u64) -> u64 {
        let loops = ns.saturating_mul(Self::LOOPS).checked_div(self.ns);
        loops.unwrap_or(0).max(u64::from(ns != 0))
    }
}
