// SPDX-License-Identifier: GPL-2.0

//! Barriers: two threads that say something and look at what the other says.
//!
//! Store buffering, which x86 shows as well: each stores to its own and loads the other's, and not
//! both may miss. Message passing beside it: who sees the flag sees the data.
#![deny(unsafe_code)]

use super::{
    actor::Actor,
    outcome::Wrong,
    Contexts::Process,
    Entry,
    Mistake::{self, FlagFirst, NoBarrier, Weaker},
    Setup, Subject,
};
use crate::sync::{
    atomic::{Acquire, Atomic, Full, Relaxed, Release},
    barrier::{smp_mb, Read, Write},
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta},
};

/// How many rounds are an operation.
const ROUNDS: u32 = 64;
/// How often one looks for the other before it lets others run.
const LOOKS: u32 = 20_000;

/// What one of the two writes, on cache lines of its own.
#[repr(align(128))]
struct Side {
    said: Atomic<u64>,
    apart: Apart,
}

#[repr(align(128))]
struct Apart {
    /// The round that it is at.
    at: Atomic<u64>,
    /// The last round that it has done.
    done: Atomic<u64>,
    /// The last round in which it has not seen what the other said.
    missed: Atomic<u64>,
}

struct Barriers {
    sides: [Side; 2],
    data: Atomic<u64>,
    flag: Atomic<u64>,
}

const fn side() -> Side {
    Side {
        said: Atomic::new(0),
        apart: Apart {
            at: Atomic::new(0),
            done: Atomic::new(0),
            missed: Atomic::new(0),
        },
    }
}

impl Barriers {
    fn make(_: &Setup) -> Result<Arc<dyn Subject>> {
        Ok(Arc::new(
            Self {
                sides: [side(), side()],
                data: Atomic::new(0),
                flag: Atomic::new(0),
            },
            GFP_KERNEL,
        )?)
    }

    /// Whether the other has come to this round.
    fn meets(theirs: &Side, round: u64) -> bool {
        for _ in 0..LOOKS {
            // Acquire: pairs with the release of who comes. What it did in the rounds before is
            // seen.
            if theirs.apart.at.load(Acquire) >= round {
                return true;
            }
            core::hint::spin_loop();
        }
        false
    }

    /// Does a round, as soon as the other is there: says whether he was.
    fn round(&self, actor: &mut Actor<'_>, ours: &Side, theirs: &Side) -> bool {
        let round = ours.apart.done.load(Relaxed).wrapping_add(1);
        // Release: pairs with `meets`.
        ours.apart.at.store(round, Release);
        if !Self::meets(theirs, round) {
            return false;
        }
        self.say(actor, ours, theirs, round);
        ours.apart.done.store(round, Relaxed);
        true
    }

    fn say(&self, actor: &mut Actor<'_>, ours: &Side, theirs: &Side, round: u64) {
        let first = actor.index == 0;
        let before = round.wrapping_sub(1);
        if first && before != 0 {
            let missed = [ours, theirs].map(|side| side.apart.missed.load(Relaxed) == before);
            actor.check(missed != [true, true], Wrong::Unseen);
        }
        let seen = if actor.is(NoBarrier) {
            ours.said.store(round, Relaxed);
            theirs.said.load(Relaxed)
        } else if actor.is(Weaker) {
            ours.said.store(round, Release);
            theirs.said.load(Acquire)
        } else if round % 2 == 0 {
            ours.said.store(round, Relaxed);
            smp_mb(Full);
            theirs.said.load(Relaxed)
        } else {
            ours.said.xchg(round, Full);
            theirs.said.load(Relaxed)
        };
        if seen < round {
            ours.apart.missed.store(round, Relaxed);
        }
        if first {
            self.tell(actor, round);
        } else {
            let flag = self.flag.load(Relaxed);
            smp_mb(Read);
            let data = self.data.load(Relaxed);
            actor.check(data >= flag, Wrong::Unseen);
        }
    }

    fn tell(&self, actor: &mut Actor<'_>, round: u64) {
        if actor.is(FlagFirst) {
            self.flag.store(round, Relaxed);
            smp_mb(Write);
            self.data.store(round, Relaxed);
        } else {
            self.data.store(round, Relaxed);
            smp_mb(Write);
            self.flag.store(round, Relaxed);
        }
    }
}

impl Subject for Barriers {
    fn act(&self, actor: &mut Actor<'_>) {
        let [one, other] = &self.sides;
        let (ours, theirs) = match actor.index {
            0 => (one, other),
            1 => (other, one),
            // It takes two.
            _ => return fsleep(Delta::from_millis(2)),
        };
        for _ in 0..ROUNDS {
            if actor.is_over() || !self.round(actor, ours, theirs) {
                return;
            }
        }
    }
}

const TWINS: &[Mistake] = &[NoBarrier, Weaker, FlagFirst];

/// All of them.
pub(super) static ENTRIES: &[Entry] = &[Entry {
    name: "barrier",
    contexts: Process,
    spins: true,
    twins: TWINS,
    make: Barriers::make,
}];
