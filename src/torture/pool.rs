// SPDX-License-Identifier: GPL-2.0

//! A pool of records that are never freed: to free one is to poison it.
#![deny(unsafe_code)]

use super::{actor::Actor, outcome::Wrong};
use crate::sync::atomic::{Acquire, Atomic, Full, Relaxed, Release};
use kernel::{prelude::*, sync::Arc};

const FREE: u32 = 0;
const TAKEN: u32 = 1;
const BUILT: u32 = 2;

/// What stands in a record that was freed.
const POISON: u64 = 0x6b6b_6b6b_6b6b_6b6b;
/// How many records there are: more than wait for a grace period at any time.
const RECORDS: usize = 2048;

struct Item {
    state: Atomic<u32>,
    words: [Atomic<u64>; 4],
}

/// The records.
pub(super) struct Pool {
    items: KVVec<Item>,
    /// How often one was freed that was free.
    twice: Atomic<u64>,
    numbers: Atomic<u64>,
}

impl Pool {
    pub(super) fn new() -> Result<Arc<Self>> {
        let mut items = KVVec::with_capacity(RECORDS, GFP_KERNEL)?;
        for _ in 0..RECORDS {
            let item = Item {
                state: Atomic::new(FREE),
                words: [const { Atomic::new(POISON) }; 4],
            };
            items.push(item, GFP_KERNEL)?;
        }
        Ok(Arc::new(
            Self {
                items,
                twice: Atomic::new(0),
                numbers: Atomic::new(0),
            },
            GFP_KERNEL,
        )?)
    }

    /// Takes a record, which is not built yet. `None` if there is none.
    pub(super) fn take(self: &Arc<Self>, actor: &mut Actor<'_>) -> Option<Lease> {
        for _ in 0..64 {
            let at = actor.random.below(RECORDS as u64) as usize;
            let item = self.items.get(at)?;
            if item.state.cmpxchg(FREE, TAKEN, Full).is_ok() {
                return Some(Lease {
                    pool: self.clone(),
                    at,
                    given: Atomic::new(false),
                });
            }
        }
        None
    }

    /// Makes a record whole.
    pub(super) fn build(&self, at: usize) {
        let number = self.numbers.fetch_add(1, Relaxed);
        if let Some(item) = self.items.get(at) {
            for word in &item.words {
                word.store(number, Relaxed);
            }
            item.state.store(BUILT, Release);
        }
    }

    /// Checks that a record is whole and stays so while it is used.
    pub(super) fn check(&self, at: usize, actor: &mut Actor<'_>, sleeps: bool) {
        let Some(item) = self.items.get(at) else {
            return;
        };
        let first = item.words.first().map(|word| word.load(Relaxed));
        for _ in 0..2 {
            let built = item.state.load(Acquire) == BUILT;
            let mut words = item.words.iter().map(|word| Some(word.load(Relaxed)));
            let same = words.all(|word| word == first);
            actor.check(built && same && first != Some(POISON), Wrong::Freed);
            actor.rest(sleeps);
        }
    }

    /// Frees a record.
    pub(super) fn free(&self, at: usize) {
        let Some(item) = self.items.get(at) else {
            return;
        };
        for word in &item.words {
            word.store(POISON, Relaxed);
        }
        if item.state.xchg(FREE, Full) == FREE {
            self.twice.fetch_add(1, Relaxed);
        }
    }

    /// Checks that all were freed, and once.
    pub(super) fn settle(&self, actor: &mut Actor<'_>) {
        let free = |item: &Item| item.state.load(Acquire) == FREE;
        let all = self.items.iter().all(free);
        actor.check(all && self.twice.load(Relaxed) == 0, Wrong::Missing);
    }
}

/// A record that was taken. Dropping it frees the record, unless that was done before.
pub(super) struct Lease {
    pool: Arc<Pool>,
    pub(super) at: usize,
    given: Atomic<bool>,
}

impl Lease {
    pub(super) fn build(&self) {
        self.pool.build(self.at);
    }

    /// Frees the record now. A twin does that too early.
    pub(super) fn give(&self) {
        if !self.given.xchg(true, Full) {
            self.pool.free(self.at);
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.give();
    }
}
