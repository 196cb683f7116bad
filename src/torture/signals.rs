// SPDX-License-Identifier: GPL-2.0

//! What threads wait for: each wait is ended by what it is for, and what was done before is seen.
//!
//! Threads pass a number to and fro in pairs.
#![deny(unsafe_code)]

use super::{
    actor::{Actor, PATIENCE},
    outcome::Wrong,
    Contexts::{Hardirq, Process},
    Entry,
    Mistake::{self, Forgotten, Reinit, SignalFirst},
    Setup, Subject,
};
use crate::{
    child::Context,
    new_completion, new_semaphore,
    sync::{
        atomic::{Atomic, Relaxed},
        new_condvar, new_mutex, Completion, CondVar, CondVarExt, Mutex, Semaphore,
    },
};
use kernel::{prelude::*, sync::Arc, time::Jiffies};

/// The longest wait.
fn limit() -> Jiffies {
    // What is not noticed twice as soon is not there.
    Context::jiffies((PATIENCE / 1_000_000) as u32 * 2)
}

/// A wait that a stop does not end is made in so many parts.
const SLICES: Jiffies = 20;

/// Something that one thread signals and another waits for.
trait Signal: Send + Sync + 'static {
    fn new() -> impl PinInit<Self>
    where
        Self: Sized;
    fn signal(&self);
    /// `ETIMEDOUT` when the limit is over; another error if asked to stop, or if it is over.
    fn wait(&self, over: impl Fn() -> bool) -> Result;
    fn try_wait(&self) -> bool;
    /// Forgets what was signalled and nobody has waited for.
    fn forget(&self);
}

impl Signal for Completion {
    fn new() -> impl PinInit<Self> {
        new_completion!("torture_completion")
    }
    fn signal(&self) {
        self.complete();
    }
    fn wait(&self, _: impl Fn() -> bool) -> Result {
        self.wait_interruptible_timeout(limit()).map(drop)
    }
    fn try_wait(&self) -> bool {
        Completion::try_wait(self)
    }
    fn forget(&self) {
        self.reinit();
    }
}

impl Signal for Semaphore {
    fn new() -> impl PinInit<Self> {
        new_semaphore!(0, "torture_semaphore_signal")
    }
    fn signal(&self) {
        self.up();
    }
    fn wait(&self, over: impl Fn() -> bool) -> Result {
        // There is no wait with a limit that a stop ends.
        for _ in 0..SLICES {
            if let Ok(permit) = self.down_timeout(limit() / SLICES) {
                permit.keep();
                return Ok(());
            }
            if over() {
                return Err(EINTR);
            }
        }
        Err(ETIMEDOUT)
    }
    fn try_wait(&self) -> bool {
        self.try_down().map(|permit| permit.keep()).is_some()
    }
    fn forget(&self) {
        while self.try_wait() {}
    }
}

/// What two threads pass to and fro.
#[pin_data]
struct Pair<S: Signal> {
    #[pin]
    there: S,
    #[pin]
    back: S,
    number: Atomic<u64>,
}

#[pin_data]
struct Signals<S: Signal> {
    pairs: KVec<Pin<KBox<Pair<S>>>>,
    /// What interrupts post, and everybody takes.
    #[pin]
    post: S,
    posted: Atomic<u64>,
    taken: Atomic<u64>,
}

impl<S: Signal> Signals<S> {
    fn make(setup: &Setup) -> Result<Arc<dyn Subject>> {
        let mut pairs = KVec::new();
        for _ in 0..setup.threads / 2 {
            let pair = KBox::pin_init(
                pin_init!(Pair {
                    there <- S::new(),
                    back <- S::new(),
                    number: Atomic::new(0),
                }),
                GFP_KERNEL,
            )?;
            pairs.push(pair, GFP_KERNEL)?;
        }
        let subject = Arc::<Self>::pin_init(
            pin_init!(Self {
                pairs,
                post <- S::new(),
                posted: Atomic::new(0),
                taken: Atomic::new(0),
            }),
            GFP_KERNEL,
        )?;
        Ok(subject)
    }

    fn post(&self) {
        self.posted.fetch_add(1, Relaxed);
        self.post.signal();
    }

    fn take(&self) {
        if self.post.try_wait() {
            self.taken.fetch_add(1, Relaxed);
        }
    }

    /// Waits; says whether it was signalled.
    fn wait(actor: &mut Actor<'_>, signal: &S) -> bool {
        actor.wait(|actor| match signal.wait(|| actor.is_over()) {
            Ok(()) => true,
            Err(why) => {
                if why == ETIMEDOUT && !actor.is_over() {
                    actor.wrong(Wrong::Asleep);
                }
                false
            }
        })
    }

    /// Changes the number, and says so.
    fn pass(actor: &mut Actor<'_>, pair: &Pair<S>, signal: &S, number: u64) {
        if actor.errs(SignalFirst) {
            signal.signal();
            actor.rest(true);
            return pair.number.store(number, Relaxed);
        }
        pair.number.store(number, Relaxed);
        if !actor.errs(Forgotten) {
            signal.signal();
        }
    }
}

impl<S: Signal> Subject for Signals<S> {
    fn act(&self, actor: &mut Actor<'_>) {
        let pair = self.pairs.get(actor.index / 2);
        let Some(pair) = pair.filter(|_| actor.may_sleep()) else {
            // An interrupt, or somebody without another.
            return match actor.may_sleep() {
                true => self.take(),
                false => self.post(),
            };
        };
        let number = pair.number.load(Relaxed);
        if actor.index % 2 == 0 {
            Self::pass(actor, pair, &pair.there, number.wrapping_add(1));
            if Self::wait(actor, &pair.back) {
                let now = pair.number.load(Relaxed);
                actor.check(now == number.wrapping_add(2), Wrong::Backwards);
            }
        } else {
            if actor.errs(Reinit) {
                actor.rest(true);
                pair.there.forget();
            }
            if Self::wait(actor, &pair.there) {
                let now = pair.number.load(Relaxed);
                // Odd, when it is here.
                actor.check(now % 2 == 1, Wrong::Backwards);
                actor.rest(true);
                Self::pass(actor, pair, &pair.back, now.wrapping_add(1));
            }
        }
        self.take();
    }

    fn settle(&self, actor: &mut Actor<'_>) {
        while self.post.try_wait() {
            self.taken.fetch_add(1, Relaxed);
        }
        let same = self.posted.load(Relaxed) == self.taken.load(Relaxed);
        actor.check(same, Wrong::Lost);
    }
}

/// Whose turn it is, since when, and the number.
struct Turn {
    side: usize,
    since: u64,
    number: u64,
}

#[pin_data]
struct Table {
    #[pin]
    turn: Mutex<Turn>,
    #[pin]
    changed: CondVar,
}

/// Pairs with a condition variable.
struct Conditions {
    tables: KVec<Pin<KBox<Table>>>,
}

impl Conditions {
    fn make(setup: &Setup) -> Result<Arc<dyn Subject>> {
        let mut tables = KVec::new();
        for _ in 0..setup.threads / 2 {
            let turn = Turn {
                side: 0,
                since: 0,
                number: 0,
            };
            let table = KBox::pin_init(
                pin_init!(Table {
                    turn <- new_mutex!(turn, "torture_turn"),
                    changed <- new_condvar!("torture_changed"),
                }),
                GFP_KERNEL,
            )?;
            tables.push(table, GFP_KERNEL)?;
        }
        Ok(Arc::new(Self { tables }, GFP_KERNEL)?)
    }
}

impl Subject for Conditions {
    fn act(&self, actor: &mut Actor<'_>) {
        let Some(table) = self.tables.get(actor.index / 2) else {
            return;
        };
        let side = actor.index % 2;
        let mut turn = table.turn.lock();
        let waited = actor.wait(|_| {
            let unmet = |turn: &Turn| turn.side != side;
            table
                .changed
                .wait_while_interruptible_timeout(&mut turn, unmet, limit())
        });
        let late = actor.now().saturating_sub(turn.since) > PATIENCE;
        match waited {
            // It was there for long, and nobody has said so.
            Ok(_) if late && turn.number != 0 => actor.wrong(Wrong::Asleep),
            Ok(_) => (),
            // The other side is asleep then, or it is over.
            Err(why) if why == ETIMEDOUT && !actor.is_over() => return actor.wrong(Wrong::Asleep),
            Err(_) => return,
        }
        let number = turn.number;
        actor.check(number % 2 == side as u64, Wrong::Backwards);
        if actor.errs(SignalFirst) {
            // And changes it when the other has looked.
            table.changed.notify_one();
            drop(turn);
            actor.rest(true);
            turn = table.turn.lock();
            turn.side = 1 - side;
            turn.since = actor.now();
            turn.number = number.wrapping_add(1);
            return;
        }
        actor.rest(true);
        turn.side = 1 - side;
        turn.since = actor.now();
        turn.number = number.wrapping_add(1);
        if actor.random.one_in(2) {
            drop(turn);
        }
        if !actor.errs(Forgotten) {
            table.changed.notify_one();
        }
    }
}

const TWINS: &[Mistake] = &[Forgotten, SignalFirst, Reinit];

/// All of them.
pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        name: "completion",
        contexts: Hardirq,
        spins: false,
        twins: TWINS,
        make: Signals::<Completion>::make,
    },
    Entry {
        name: "semaphore_signal",
        contexts: Hardirq,
        spins: false,
        twins: TWINS,
        make: Signals::<Semaphore>::make,
    },
    Entry {
        name: "condvar",
        contexts: Process,
        spins: false,
        twins: &[Forgotten, SignalFirst],
        make: Conditions::make,
    },
];
