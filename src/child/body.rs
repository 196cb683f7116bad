// SPDX-License-Identifier: GPL-2.0

//! What becomes of a child: all that happens to its generations happens here, under its lock.
//!
//! Each step looks at how things are, does what can be done without waiting for anybody, and says
//! when to look again. Owners and the supervisor make the same steps.
#![deny(unsafe_code)]

use super::{
    deputy::{Deputy, Errand, Exit, OnExit},
    generation::{Generation, Pin},
    history::Past,
    life::Life,
    record::{End, Record},
    restart::{Decision, Restarts, Severity},
    run::Program,
    state::State,
    thread::Thread,
};
use crate::sync::{
    atomic::Relaxed,
    order::{levels, Token},
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{msecs_to_jiffies, Jiffies, Msecs},
    ThisModule,
};

mod leftovers;
mod quarantine;

use leftovers::Leftovers;

const NS_PER_MS: i64 = 1_000_000;

/// How long a child may take to end when it was told to, whatever signs of life it gives.
const PATIENCE_NS: i64 = 10_000 * NS_PER_MS;

/// What may be taken under a child's lock.
pub(super) type Inside<'a> = Token<'a, levels::Child>;

/// A list of generations. It needs no memory of its own.
type Chain = Option<KBox<Generation>>;

fn push(chain: &mut Chain, mut generation: KBox<Generation>) {
    generation.next = chain.take();
    *chain = Some(generation);
}

/// Generations that were joined, and their owner, which their destructors are code of.
pub(super) struct Remains {
    // First: it is held until they have gone.
    _generations: Chain,
    _pin: Pin,
}

/// The generations of a child, and what its owner has said of them.
pub(super) struct Body {
    /// `None` once the owner goes: from then on nothing of it is run, nor dropped, any more.
    program: Option<Arc<dyn Program>>,
    hook: Option<Arc<dyn OnExit>>,
    owner: &'static ThisModule,
    restarts: Restarts,
    /// Whether it is to be started again by itself.
    wanted: bool,
    /// The present generation, until it was joined or given up.
    live: Chain,
    /// Those in quarantine. Each holds its owner.
    given_up: Chain,
    /// Those that were joined, with what is their owner's, for a thread of its to drop.
    remains: Chain,
    /// The same, if no such thread comes any more.
    funeral: Chain,
    deputy: Option<Thread<Deputy>>,
    untold: Option<Exit>,
    /// An end that is to be decided about.
    verdict: Option<End>,
    /// When the present generation was started, told to end, and when the next is to be started,
    /// in ns since the record was made.
    started: i64,
    told: i64,
    due: i64,
    reminded: i64,
    /// The handle is gone.
    closed: bool,
    /// Holds the owner for what is in quarantine then.
    pin: Option<Pin>,
}

impl Body {
    pub(super) fn new(
        program: Arc<dyn Program>,
        hook: Option<Arc<dyn OnExit>>,
        owner: &'static ThisModule,
        restarts: Restarts,
    ) -> Self {
        Self {
            program: Some(program),
            hook,
            owner,
            restarts,
            wanted: true,
            live: None,
            given_up: None,
            remains: None,
            funeral: None,
            deputy: None,
            untold: None,
            verdict: None,
            started: 0,
            told: 0,
            due: 0,
            reminded: 0,
            closed: false,
            pin: None,
        }
    }

    /// Makes the next generation and lets it run. The child is `Spawning`.
    ///
    /// # Errors
    ///
    /// `ESRCH` if the owner has gone; `ENOMEM`, `EINVAL`, `EINTR`, as threads and mailboxes say.
    /// The child is stopped then.
    pub(super) fn start(&mut self, record: &Arc<Record>, token: &mut Inside<'_>) -> Result {
        self.start_counted(record, token, 0)
    }

    /// The same, and counts so many restarts: who sees the count can find the generation, and who
    /// sees it at work sees that it was counted.
    fn start_counted(
        &mut self,
        record: &Arc<Record>,
        token: &mut Inside<'_>,
        restarts: u64,
    ) -> Result {
        let number = record.generation().wrapping_add(1);
        self.started = record.now();
        let generation = match self.make(record, number) {
            Ok(generation) => generation,
            Err(error) => {
                record.transition(State::Stopped);
                return Err(error);
            }
        };
        generation.life.bequeath(self.remains.take());
        record.generations.begin(number, restarts, || {
            record.outcome.store(End::Returned.to_word(), Relaxed);
            generation.run.publish(token, number);
        });
        record.silence.store(0, Relaxed);
        record.transition(State::Running);
        generation.wake(record.now());
        self.live = Some(generation);
        record.watch.kick();
        Ok(())
    }

    fn make(&self, record: &Arc<Record>, number: u32) -> Result<KBox<Generation>> {
        let program = self.program.as_ref().ok_or(ESRCH)?;
        let (threads, memory) = (record.slots.len(), record.memory.clone());
        let life = Arc::pin_init(Life::new(number, threads, memory), GFP_KERNEL)?;
        let run = program.begin()?;
        Generation::create(record, life, run)
    }

    /// Asks the child to end. It is not started again by itself.
    pub(super) fn ask(&mut self, record: &Record) {
        self.wanted = false;
        if record.transition(State::Stopping) {
            self.told = record.now();
            if let Some(live) = &self.live {
                live.stop();
            }
        } else if record.state() == State::Backoff {
            record.transition(State::Stopped);
            record.ended.complete_all();
        }
    }

    /// Wants it to be started again by itself, from now on.
    pub(super) fn want(&mut self) {
        self.wanted = true;
        // What was to be decided about an end is decided now.
        self.verdict = None;
    }

    /// The life of what has to end before a wait for this child is over.
    pub(super) fn awaited(&self, all: bool) -> Option<Arc<Life>> {
        let live = self.live.as_ref();
        let awaited = live.or(self.given_up.as_ref().filter(|_| all));
        awaited.map(|generation| generation.life.clone())
    }

    /// Whether generations of it are in quarantine.
    pub(super) fn has_given_up(&self) -> bool {
        self.given_up.is_some()
    }

    /// Takes what is the owner's, to be dropped when the lock is not held. If the owner goes, it
    /// stays for [`close`](Self::close), which who frees the owner waits for.
    pub(super) fn take_remains(&mut self) -> Option<Remains> {
        // While there are any the owner is there.
        self.remains.as_ref()?;
        let pin = self.new_pin()?;
        Some(Remains {
            _generations: self.remains.take(),
            _pin: pin,
        })
    }

    /// Lets go of all that is the owner's. What is in quarantine keeps it, and `pin` then holds it.
    pub(super) fn close(&mut self, record: &Record, pin: Option<Pin>) -> Leftovers {
        self.closed = true;
        self.pin = pin;
        self.verdict = None;
        record.ended.complete_all();
        Leftovers {
            deputy: self.deputy.take(),
            untold: self.untold.take(),
            hook: self.hook.take(),
            program: self.program.take(),
            _remains: self.remains.take(),
            _funeral: self.funeral.take(),
        }
    }

    /// Whether the handle is gone, and all that was in quarantine then.
    pub(super) fn is_buried(&self) -> bool {
        self.closed
            && self.live.is_none()
            && self.given_up.is_none()
            && self.funeral.is_none()
            && self.deputy.is_none()
    }

    /// What held the owner for what was in quarantine.
    pub(super) fn take_pin(&mut self) -> Option<Pin> {
        self.pin.take()
    }

    pub(super) fn new_pin(&self) -> Option<Pin> {
        Pin::new(self.owner)
    }

    /// Does all that can be done now. Only an owner, who `may_wait`, waits until threads that have
    /// returned are gone.
    pub(super) fn attend(&mut self, record: &Arc<Record>, token: &mut Inside<'_>, may_wait: bool) {
        self.attend_given_up(record);
        self.attend_live(record, token, may_wait);
        self.attend_deputy(record);
        self.attend_verdict(record);
        if record.state() == State::Backoff && record.now() >= self.due {
            self.start_again(record, token);
        }
    }

    /// When to look again, at the latest.
    pub(super) fn wish(&self, record: &Record, period: Jiffies) -> Option<Jiffies> {
        // What has returned is gone in no time.
        let returned = self
            .live
            .as_ref()
            .is_some_and(|live| live.life.alive() == 0)
            || self
                .deputy
                .as_ref()
                .is_some_and(|deputy| deputy.body().has_returned());
        if returned {
            return Some(1);
        }
        if record.state() == State::Backoff {
            let left = self.due.saturating_sub(record.now()).max(0) / NS_PER_MS;
            let left = Msecs::try_from(left)
                .unwrap_or(Msecs::MAX)
                .saturating_add(1);
            return Some(msecs_to_jiffies(left).min(period));
        }
        let busy = self.live.is_some()
            || self.given_up.is_some()
            || self.funeral.is_some()
            || self.deputy.is_some()
            || self.untold.is_some()
            || self.verdict.is_some();
        busy.then_some(period)
    }

    fn attend_live(&mut self, record: &Arc<Record>, token: &mut Inside<'_>, may_wait: bool) {
        let Some(live) = &self.live else { return };
        if let Some(counts) = live.run.mail() {
            record.mail.set(counts);
        }
        if count_deaths(record, live) && record.transition(State::Crashed) {
            // Others may wait for what it was to answer.
            live.run.abort();
            live.stop();
            self.told = record.now();
        }
        if live.life.error().is_some() && !live.life.was_stopped() {
            // Others may wait for what does not come any more.
            live.stop();
        }
        let now = record.now();
        if live.life.alive() == 0 {
            if may_wait || live.has_exited() {
                self.join_live(record, token);
            }
        } else if matches!(record.state(), State::Stopping | State::Crashed) {
            let told = now.saturating_sub(self.told);
            let silence = live.life.silence(now);
            // One that is busy ending is not stuck.
            let silent =
                record.heartbeat > 0 && told.min(silence) > heartbeat_ns(record).saturating_mul(2);
            if silent || told > PATIENCE_NS {
                self.give_up(record, token);
            }
        } else if record.heartbeat > 0 {
            let silence = live.life.silence(now);
            record.silence.store(silence, Relaxed);
            let limit = heartbeat_ns(record);
            if silence <= limit {
                if record.transition(State::Running) {
                    pr_warn!(
                        "child {} ({}) gives signs of life\n",
                        record.id,
                        record.name()
                    );
                }
                return;
            }
            if record.transition(State::Stuck) {
                let (id, name) = (record.id, record.name());
                pr_warn!(
                    "child {id} ({name}) gives no sign of life for {} ms\n",
                    silence / NS_PER_MS
                );
            }
            if silence > limit.saturating_mul(2) {
                self.give_up(record, token);
            }
        }
    }

    /// The present generation has no thread any more.
    fn join_live(&mut self, record: &Arc<Record>, token: &mut Inside<'_>) {
        let Some(mut live) = self.live.take() else {
            return;
        };
        let signal = live.join();
        if let Some(counts) = live.run.mail() {
            record.mail.set(counts);
        }
        let died = record.state() == State::Crashed;
        let end = live.end(died, signal);
        push(&mut self.remains, live);
        // Before the state says that it has ended.
        record.outcome.store(end.to_word(), Relaxed);
        record.transition(State::Stopped);
        self.conclude(record, token, end);
    }

    /// A generation has ended: tells whom it concerns.
    fn conclude(&mut self, record: &Arc<Record>, token: &mut Inside<'_>, end: End) {
        let now = record.now();
        record.outcome.store(end.to_word(), Relaxed);
        record.concluded.store(end.to_word(), Relaxed);
        record.history.push(
            token,
            Past {
                generation: record.generation(),
                end,
                at_ns: now.unsigned_abs(),
                lived_ns: now.saturating_sub(self.started).unsigned_abs(),
            },
        );
        // A wait that a stop has ended is what a stop is for.
        let asked = [EINTR, ERESTARTSYS].map(End::Failed).contains(&end) && !self.wanted;
        if end != End::Returned && !asked {
            pr_warn!("child {} ({}) ended: {end}\n", record.id, record.name());
        }
        record.send_uevent(end);
        if self.hook.is_some() {
            let identity = record.identity();
            if self.untold.replace(Exit { identity, end }).is_some() {
                pr_warn!(
                    "child {} ({}): its owner misses an end\n",
                    record.id,
                    record.name()
                );
            }
        }
        self.verdict = Some(end);
    }

    /// Sends out who does what is the owner's code.
    fn attend_deputy(&mut self, record: &Arc<Record>) {
        if let Some(deputy) = &self.deputy {
            if !deputy.has_exited() {
                return;
            }
            if !deputy.body().has_returned() {
                leftovers::has_died(record);
            }
            self.deputy = None;
        }
        let mut errand = match (self.funeral.take(), self.untold, &self.hook) {
            (Some(remains), ..) => Some(Errand::Bury(remains)),
            (None, Some(exit), Some(hook)) => Some(Errand::Tell(hook.clone(), exit)),
            _ => return,
        };
        let sent = Deputy::send(record.name(), &record.watch, &mut errand);
        match (sent, errand) {
            (Ok(deputy), _) => {
                // Of a funeral nobody is left to be told.
                self.untold = None;
                self.deputy = Some(deputy);
            }
            // Next time, perhaps.
            (Err(_), Some(Errand::Bury(remains))) => self.funeral = Some(remains),
            (Err(_), _) => {}
        }
    }

    /// Decides what follows an end, once its owner was told.
    fn attend_verdict(&mut self, record: &Arc<Record>) {
        if self.deputy.is_some() || self.untold.is_some() {
            return;
        }
        let Some(end) = self.verdict.take() else {
            return;
        };
        let (id, name) = (record.id, record.name());
        let decision = if self.wanted {
            let budget = &record.watch.budget;
            let now = record.now().unsigned_abs();
            self.restarts.decide(severity(end), now, || {
                budget.allows_crash() && (self.given_up.is_none() || budget.has_room())
            })
        } else {
            Decision::Rest
        };
        match decision {
            Decision::Rest => {}
            Decision::After(ns) => {
                self.due = record.now().saturating_add_unsigned(ns);
                if record.transition(State::Backoff) {
                    return;
                }
            }
            Decision::GiveUp => {
                if record.transition(State::Failed) {
                    pr_warn!(
                        "child {id} ({name}) is not started again: its restarts are used up\n"
                    );
                }
            }
        }
        record.ended.complete_all();
    }

    /// The next generation, by itself.
    fn start_again(&mut self, record: &Arc<Record>, token: &mut Inside<'_>) {
        record.transition(State::Spawning);
        if let Err(error) = self.start_counted(record, token, 1) {
            self.conclude(record, token, End::Failed(error));
        }
    }
}

/// Counts threads that have died, and says whether there were any.
fn count_deaths(record: &Record, generation: &Generation) -> bool {
    let deaths = generation.count_deaths();
    record.crashes.fetch_add(u64::from(deaths), Relaxed);
    record.watch.budget.count_oopses(deaths);
    deaths > 0
}

fn severity(end: End) -> Severity {
    match end {
        End::Returned => Severity::Returned,
        End::Failed(_) => Severity::Failed,
        End::Crashed(_) | End::Stuck => Severity::Crashed,
    }
}

/// How long a child may give no sign of life, in ns.
fn heartbeat_ns(record: &Record) -> i64 {
    i64::from(record.heartbeat).saturating_mul(NS_PER_MS)
}
