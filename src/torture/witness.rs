// SPDX-License-Identifier: GPL-2.0

//! A record that only who is alone may write: it shows whether he was.
#![deny(unsafe_code)]

use super::{actor::Actor, outcome::Wrong};
use crate::sync::atomic::{Atomic, Relaxed};

/// How many words there are, all the same whenever nobody writes.
const WORDS: usize = 4;

/// Words that are loaded and stored one by one, and who is there.
pub(super) struct Witness {
    words: [Atomic<u64>; WORDS],
    writers: Atomic<u32>,
    readers: Atomic<u32>,
    /// How often it was written.
    written: Atomic<u64>,
    /// How often somebody came in.
    entries: Atomic<u64>,
}

impl Witness {
    pub(super) const fn new() -> Self {
        Self {
            words: [const { Atomic::new(0) }; WORDS],
            writers: Atomic::new(0),
            readers: Atomic::new(0),
            written: Atomic::new(0),
            entries: Atomic::new(0),
        }
    }

    /// Changes whenever somebody comes in.
    pub(super) fn progress(&self) -> u64 {
        self.entries.load(Relaxed)
    }

    /// What it is now, without a look at whether it is whole.
    pub(super) fn value(&self) -> u64 {
        self.words.first().map_or(0, |word| word.load(Relaxed))
    }

    /// The value, which is checked to be whole, and all that was written. By who is inside.
    fn whole(&self, actor: &mut Actor<'_>) -> u64 {
        let mut words = self.words.iter().map(|word| word.load(Relaxed));
        let first = words.next().unwrap_or(0);
        let whole = words.all(|word| word == first);
        actor.check(whole, Wrong::Torn);
        actor.check(first == self.written.load(Relaxed), Wrong::Lost);
        first
    }

    /// Reads, twice, with whatever time in between.
    pub(super) fn read(&self, actor: &mut Actor<'_>, sleeps: bool) -> u64 {
        self.readers.fetch_add(1, Relaxed);
        self.entries.fetch_add(1, Relaxed);
        actor.check(self.writers.load(Relaxed) == 0, Wrong::Together);
        let before = self.whole(actor);
        actor.rest(sleeps);
        let value = self.whole(actor);
        actor.check(before == value, Wrong::Together);
        self.readers.fetch_sub(1, Relaxed);
        value
    }

    /// Adds one.
    pub(super) fn write(&self, actor: &mut Actor<'_>, sleeps: bool) {
        self.write_after(actor, sleeps, None);
    }

    /// Makes it one more than `known`, or than it is. Only a twin knows it from before.
    pub(super) fn write_after(&self, actor: &mut Actor<'_>, sleeps: bool, known: Option<u64>) {
        let writers = self.writers.fetch_add(1, Relaxed);
        self.entries.fetch_add(1, Relaxed);
        let alone = writers == 0 && self.readers.load(Relaxed) == 0;
        actor.check(alone, Wrong::Together);
        let value = self.whole(actor);
        actor.rest(sleeps);
        let next = known.unwrap_or(value).wrapping_add(1);
        for word in &self.words {
            word.store(next, Relaxed);
            if actor.random.one_in(4) {
                actor.rest(sleeps);
            }
        }
        self.written.fetch_add(1, Relaxed);
        actor.check(self.readers.load(Relaxed) == 0, Wrong::Together);
        self.writers.fetch_sub(1, Relaxed);
    }

    /// Whether all that was written is there. When all is quiet.
    pub(super) fn settle(&self, actor: &mut Actor<'_>) {
        self.whole(actor);
    }
}
