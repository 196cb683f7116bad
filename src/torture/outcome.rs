// SPDX-License-Identifier: GPL-2.0

//! What can go wrong, and what was seen.
#![deny(unsafe_code)]

use crate::sync::atomic::{Atomic, Relaxed};
use kernel::{fmt, prelude::*};

/// What can go wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Wrong {
    /// Two were inside that keep each other out.
    Together = 0,
    /// What was read was partly old and partly new.
    Torn = 1,
    /// What was done is not there in the end.
    Lost = 2,
    /// What was seen later is older.
    Backwards = 3,
    /// Something was used after it was freed.
    Freed = 4,
    /// What was freed did not come back, or twice.
    Missing = 5,
    /// It was not released, with nobody at work.
    Kept = 6,
    /// A wait was not ended by what it was for.
    Asleep = 7,
    /// The lock itself says that this is a deadlock.
    Deadlock = 8,
    /// An old handle got what is not its own.
    Stale = 9,
    /// Two have not seen what each did before it looked.
    Unseen = 10,
    /// What is counted is more than what was done, or less.
    Miscounted = 11,
}

/// How many kinds there are.
const KINDS: usize = 12;

const WORDS: [&str; KINDS] = [
    "together",
    "torn",
    "lost",
    "backwards",
    "freed",
    "missing",
    "kept",
    "asleep",
    "deadlock",
    "stale",
    "unseen",
    "miscounted",
];

/// How often each has gone wrong.
pub(super) struct Wrongs([Atomic<u64>; KINDS]);

impl Wrongs {
    pub(super) const fn new() -> Self {
        Self([const { Atomic::new(0) }; KINDS])
    }

    pub(super) fn add(&self, wrong: Wrong, n: u64) {
        if let Some(count) = self.0.get(wrong as usize) {
            count.fetch_add(n, Relaxed);
        }
    }

    pub(super) fn add_all(&self, other: &Self) {
        for (ours, theirs) in self.0.iter().zip(&other.0) {
            ours.fetch_add(theirs.load(Relaxed), Relaxed);
        }
    }

    pub(super) fn sum(&self) -> u64 {
        let add = |sum: u64, n: &Atomic<u64>| sum.wrapping_add(n.load(Relaxed));
        self.0.iter().fold(0, add)
    }

    pub(super) fn any(&self) -> bool {
        self.sum() != 0
    }

    /// What has gone wrong, as the inside of a JSON object.
    pub(super) fn shown(&self) -> impl fmt::Display + '_ {
        Shown(self)
    }
}

struct Shown<'a>(&'a Wrongs);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.0 .0.iter().map(|n| n.load(Relaxed));
        let seen = WORDS.iter().zip(counts).filter(|(_, n)| *n != 0);
        for (i, (word, n)) in seen.enumerate() {
            let comma = if i == 0 { "" } else { "," };
            f.write_fmt(fmt!("{comma}\"{word}\":{n}"))?;
        }
        Ok(())
    }
}

/// What was seen, in one bout or in several of the same.
pub(super) struct Outcome {
    pub(super) bouts: u64,
    /// Operations of each thread.
    pub(super) each: KVec<u64>,
    pub(super) softirq: u64,
    pub(super) hardirq: u64,
    /// The longest wait of a thread, in ns.
    pub(super) longest: u64,
    pub(super) wrongs: Wrongs,
    /// How many operations were done when the first thing went wrong, if one did in the last bout.
    pub(super) caught: Option<u64>,
    /// Operations of the bouts before the last.
    before: u64,
}

impl Outcome {
    pub(super) fn new(threads: usize) -> Result<Self> {
        Ok(Self {
            bouts: 0,
            each: KVec::from_elem(0, threads, GFP_KERNEL)?,
            softirq: 0,
            hardirq: 0,
            longest: 0,
            wrongs: Wrongs::new(),
            caught: None,
            before: 0,
        })
    }

    /// All operations.
    pub(super) fn ops(&self) -> u64 {
        let irqs = self.softirq.wrapping_add(self.hardirq);
        self.each.iter().fold(irqs, |sum, n| sum.wrapping_add(*n))
    }

    /// All operations until something went wrong.
    pub(super) fn until_caught(&self) -> u64 {
        self.caught
            .map_or(self.ops(), |n| n.wrapping_add(self.before))
    }

    /// Adds what one more bout has shown.
    pub(super) fn add(&mut self, bout: &Self) {
        self.before = self.ops();
        self.bouts = self.bouts.wrapping_add(bout.bouts);
        for (ours, theirs) in self.each.iter_mut().zip(&bout.each) {
            *ours = ours.wrapping_add(*theirs);
        }
        self.softirq = self.softirq.wrapping_add(bout.softirq);
        self.hardirq = self.hardirq.wrapping_add(bout.hardirq);
        self.longest = self.longest.max(bout.longest);
        self.wrongs.add_all(&bout.wrongs);
        self.caught = bout.caught;
    }
}
