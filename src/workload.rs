// SPDX-License-Identifier: GPL-2.0

//! Loads: what children can be told to run, each checking itself as it runs.
//!
//! | load | what children do | what must hold |
//! |---|---|---|
//! | `counter` | add to one number under a lock, or by a CAS loop | the number is the sum of what each has added |
//! | `record` | write an 8-word record under a lock, or copy it | no copy is torn, none goes back |
//! | `list` | insert into and remove from an RCU list, or look up; two timers look up as well, in hard and soft interrupt context | no lookup sees what is half built, was unlinked before it began, or freed; all that was removed is freed |
//! | `handshake` | pass a token to and fro through completions, semaphores or flags | it arrives each time, in order, and no wait goes on for ever |
//! | `pipeline` | pass messages that they own from one to the next, through mailboxes | each comes out once, in order, as all have changed it; none is lost, and each is dropped once |
//! | `table` | insert into, remove from and look up in a hash table under one lock, or one for each bucket | what is found is whole and what was put there; in the end there is what they say they left |
//! | `memory` | take pieces of their arenas up to the quota, and give them back | what is in them stays; there is `ENOMEM` at the quota and not before; all is given back |
//! | `requests` | ask others, or answer | each gets the answer to its own question; each call ends; nothing is left of any |
//!
//! A load is a [`Load`]; this file runs it: makes the children, ends them, adds up, and says in one
//! line how it went. To add one: a file below `workload/`, and its lines in [`kind`].
#![deny(unsafe_code)]

use crate::{
    child::{Builder, Context, Handle},
    new_completion,
    stats::Counted,
    sync::{
        atomic::{Acquire, Atomic, Full, Relaxed},
        order::levels,
        Completion, Ordered, Outermost, Token,
    },
};
use kernel::{
    fmt,
    prelude::*,
    str::CString,
    sync::Arc,
    time::{Delta, Instant, Monotonic},
    ThisModule,
};

mod alone;
pub(crate) mod buckets;
mod buffered;
mod config;
mod counter;
mod handshake;
mod kind;
mod list;
mod memory;
mod pipeline;
mod published;
mod record;
mod report;
mod requests;
mod table;
pub(crate) mod ticker;

pub(crate) use alone::Alone;
use config::Twin;
pub(crate) use config::{Config, Numbers};
use kind::{Kind, Plan};

/// A twin does this many operations in each child, and ends: its fault shows by then.
const TWIN_OPS: u64 = 20_000;

/// What children run together.
trait Load: Send + Sync {
    /// Runs in each child until [`Worker::done`].
    fn work(&self, worker: &mut Worker<'_, '_>) -> Result;

    /// Checks what can only be checked when all children have ended, and returns how many
    /// violations that shows. Called once.
    fn finish(&self, free: &mut Free<'_>) -> u64;

    /// Says in a few words what was done besides the operations.
    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

struct Described<'a>(&'a dyn Load);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.describe(f)
    }
}

/// A load that runs, with its children. Dropping it ends the load.
struct Session {
    shared: Arc<Shared>,
    children: KVec<Handle>,
}

impl Drop for Session {
    fn drop(&mut self) {
        let complete = self.children.len() == self.shared.children;
        self.shared.stop.store(true, Relaxed);
        // Stops and joins them.
        self.children.clear();
        if complete {
            self.shared.settle();
        }
    }
}

/// What the children of a session share, or the threads of one child.
#[pin_data]
struct Shared {
    kind: Kind,
    load: Arc<dyn Load>,
    config: Config,
    /// Who they are, for the log.
    who: CString,
    children: usize,
    /// Completed when all children of all loads, and their files, have been made: those that ran
    /// before would be in the way.
    #[pin]
    begin: Completion,
    /// Ends all at once; they are joined one after the other.
    stop: Atomic<bool>,
    /// Those that have begun to work.
    begun: Atomic<usize>,
    alive: Atomic<usize>,
    arrived: Atomic<usize>,
    ops: Atomic<u64>,
    violations: Atomic<u64>,
}

impl Shared {
    fn new(kind: Kind, plan: &Plan, config: Config, who: CString) -> Result<Arc<Self>> {
        Arc::pin_init(
            try_pin_init!(Self {
                kind,
                load: (kind.make)(plan)?,
                config,
                who,
                children: plan.children,
                begin <- new_completion!("childkernel_load_begin"),
                stop: Atomic::new(false),
                begun: Atomic::new(0),
                alive: Atomic::new(plan.children),
                arrived: Atomic::new(0),
                ops: Atomic::new(0),
                violations: Atomic::new(0),
            }),
            GFP_KERNEL,
        )
    }

    /// What each child runs.
    fn run(&self, index: usize, ctx: &mut Context<'_>) -> Result {
        if self.begin.wait_interruptible().is_err() {
            // Stopped before it began.
            return Ok(());
        }
        self.begun.fetch_add(1, Relaxed);
        let seconds = self.config.seconds;
        // Those of earlier generations, which worked at another load.
        let (ops, violations) = (ctx.ops(), ctx.violations());
        let mut worker = Worker {
            ctx,
            shared: self,
            pace: Pace {
                hold_ns: self.config.hold_ns,
                think_ns: self.config.think_ns,
            },
            index,
            before: ops,
            deadline: (seconds > 0).then(|| Instant::now() + Delta::from_secs(i64::from(seconds))),
            asked: 0,
            late: false,
        };
        if self.config.twin.is_some() {
            worker.meet();
        }
        let result = self.load.work(&mut worker);
        self.ops.fetch_add(ctx.ops().wrapping_sub(ops), Relaxed);
        self.violations
            .fetch_add(ctx.violations().wrapping_sub(violations), Relaxed);
        if self.alive.fetch_sub(1, Full) == 1 {
            let found = self.end(ctx.token());
            ctx.add_violations(found);
        }
        result
    }

    /// When all have gone. The last one that ends checks the load. If some never ran, as they were
    /// stopped before they had a CPU, that is left to be done.
    fn settle(&self) {
        let left = self.alive.load(Acquire);
        let begun = self.begun.load(Relaxed);
        let ended = self.children.saturating_sub(left);
        if begun != ended {
            // What they had taken is still taken, and what they have done was not added up.
            pr_warn!(
                "{}: end: {}, not checked: {} died at work\n",
                self.kind.name(),
                self.who.to_str().unwrap_or("?"),
                begun.saturating_sub(ended)
            );
        } else if left != 0 {
            self.end(&mut Token::outermost());
        }
    }

    /// Ends the session when all its children have, and returns the violations that this shows.
    fn end(&self, free: &mut Free<'_>) -> u64 {
        let found = self.load.finish(free);
        let violations = self.violations.load(Relaxed).saturating_add(found);
        let verdict = if violations == 0 {
            "SUCCESS"
        } else {
            "FAILURE"
        };
        pr_info!(
            "{}: end: {}, {} ops, {} violations, {}: {verdict}\n",
            self.kind.name(),
            self.who.to_str().unwrap_or("?"),
            self.ops.load(Relaxed),
            violations,
            Described(&*self.load)
        );
        found
    }
}

/// How long things take.
struct Pace {
    hold_ns: u64,
    think_ns: u64,
}

impl Pace {
    /// Spends the time that the critical section is to last.
    #[inline]
    fn hold(&self) {
        crate::ffi::ndelay(self.hold_ns);
    }

    /// Spends the time between two critical sections.
    #[inline]
    fn think(&self) {
        crate::ffi::ndelay(self.think_ns);
    }

    /// Widens the window of a race, in a twin.
    #[inline]
    fn widen(&self) {
        crate::ffi::ndelay(self.hold_ns.max(2_000));
    }
}

/// What a child that holds nothing may take.
type Free<'a> = Token<'a, Outermost>;

/// What the children of a load share, in its place in the order of locks.
type Guarded<L> = Ordered<levels::Load, Counted<L>>;

/// A child at work on a load.
struct Worker<'a, 'c> {
    ctx: &'a mut Context<'c>,
    shared: &'a Shared,
    pace: Pace,
    /// Which child of the session, or thread of the child, this is, from 0.
    index: usize,
    /// The operations that this thread had counted before.
    before: u64,
    deadline: Option<Instant<Monotonic>>,
    asked: u32,
    late: bool,
}

impl Worker<'_, '_> {
    /// Whether it is time to end. Once it is, it stays so.
    #[inline]
    fn done(&mut self) -> bool {
        self.asked = self.asked.wrapping_add(1);
        if self.asked % 16 == 0 {
            self.late = self.late || self.is_late();
        }
        self.ctx.should_stop()
            || self.shared.stop.load(Relaxed)
            || self.late
            || (self.shared.config.twin.is_some() && self.ops() >= TWIN_OPS)
    }

    /// The operations of this thread at this load.
    fn ops(&self) -> u64 {
        self.ctx.ops().wrapping_sub(self.before)
    }

    fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| !deadline.elapsed().is_negative())
    }

    /// Waits until all children of a twin are there: one that ran alone could do no wrong.
    fn meet(&mut self) {
        self.shared.arrived.fetch_add(1, Full);
        // Not asleep: who comes last would be done before the others are awake.
        while self.shared.arrived.load(Acquire) < self.shared.children && !self.ctx.should_stop() {
            core::hint::spin_loop();
        }
    }
}

impl Session {
    /// Makes load `kind` and the children that run it.
    fn start(module: &'static ThisModule, config: &Config, kind: Kind) -> Result<Self> {
        let plan = config.plan(kind);
        let count = plan.children;
        let who = CString::try_from_fmt(fmt!("{count} children"))?;
        let mut this = Self {
            shared: Shared::new(kind, &plan, config.clone_for_session()?, who)?,
            children: KVec::with_capacity(count, GFP_KERNEL)?,
        };
        for index in 0..count {
            this.add_child(module, index)?;
        }
        pr_info!(
            "{}: {count} children, hold {} ns, think {} ns, {}\n",
            kind.name(),
            config.hold_ns,
            config.think_ns,
            config::Duration(config.seconds)
        );
        Ok(this)
    }

    fn add_child(&mut self, module: &'static ThisModule, index: usize) -> Result {
        let kind = self.shared.kind;
        let shared = self.shared.clone();
        let name = CString::try_from_fmt(fmt!("{}/{index}", kind.thread))?;
        let cpu = self.shared.config.cpu(index);
        let child = Builder::new(module, &name)
            .workload(kind.label)
            .cpus(cpu)
            .memory(self.shared.config.memory)
            .spawn(move |ctx| shared.run(index, ctx))?;
        Ok(self.children.push(child, GFP_KERNEL)?)
    }
}

/// All loads that run. Dropping it ends them.
pub(crate) struct Workload {
    _report: Option<Handle>,
    sessions: KVec<Session>,
}

impl Drop for Workload {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Workload {
    /// Lets the children begin, who are waiting for it. Until then they leave the CPUs to whoever
    /// has something to do before.
    pub(crate) fn begin(&self) {
        for session in &self.sessions {
            session.shared.begin.complete_all();
        }
    }

    /// Tells all loads to end, all together. Does not wait.
    pub(crate) fn stop(&self) {
        for session in &self.sessions {
            session.shared.stop.store(true, Relaxed);
        }
    }

    /// Makes what `config` asks for: nothing, by default. It waits for [`begin`](Self::begin).
    ///
    /// # Errors
    ///
    /// `ENOMEM`. Nothing goes on running then.
    pub(crate) fn start(module: &'static ThisModule, config: &Config) -> Result<Self> {
        let mut sessions = KVec::new();
        for kind in config.kinds() {
            sessions.push(Session::start(module, config, kind)?, GFP_KERNEL)?;
        }
        let report = if config.stat_interval > 0 && !sessions.is_empty() {
            Some(report::spawn(module, config.stat_interval)?)
        } else {
            None
        };
        Ok(Self {
            _report: report,
            sessions,
        })
    }
}
