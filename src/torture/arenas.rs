// SPDX-License-Identifier: GPL-2.0

//! An arena: what is in a piece stays there, no more than the quota is given, and all comes back.
#![deny(unsafe_code)]

use super::{
    actor::Actor,
    outcome::Wrong,
    Contexts::Hardirq,
    Entry,
    Mistake::{Beside, Unreturned},
    Setup, Subject,
};
use crate::{
    child::{arena::cost_of, Arena, ArenaBox},
    sync::atomic::{Atomic, Relaxed},
};
use kernel::{
    alloc::{allocator::KVmalloc, Flags, Vec},
    prelude::*,
    sync::Arc,
};

/// The quota, in bytes.
const QUOTA: usize = 16 << 10;
/// The most words of a piece.
const WORDS: u64 = 60;
/// How many pieces somebody has at once.
const PIECES: usize = 6;

#[pin_data]
struct Arenas {
    #[pin]
    arena: Arena,
    /// Numbers the pieces.
    tags: Atomic<u64>,
}

type Pieces<'a> = Vec<(u64, ArenaBox<'a, [u64]>), KVmalloc>;

impl Arenas {
    fn make(_: &Setup) -> Result<Arc<dyn Subject>> {
        let subject = Arc::pin_init(
            try_pin_init!(Self {
                arena <- Arena::new(QUOTA),
                tags: Atomic::new(1),
            }),
            GFP_KERNEL,
        )?;
        Ok(subject)
    }

    /// Takes a piece, full of its own number.
    fn take(&self, actor: &mut Actor<'_>, flags: Flags) -> Option<(u64, ArenaBox<'_, [u64]>)> {
        let tag = self.tags.fetch_add(1, Relaxed);
        let words = actor.random.below(WORDS).wrapping_add(1) as usize;
        let piece = actor.wait(|_| self.arena.slice(words, tag, flags)).ok();
        let within = self.arena.meter().current() <= QUOTA && self.arena.meter().peak() <= QUOTA;
        actor.check(within, Wrong::Miscounted);
        Some((tag, piece?))
    }

    fn check(actor: &mut Actor<'_>, tag: u64, piece: &[u64]) {
        let same = piece.iter().all(|word| *word == tag);
        actor.check(same, Wrong::Torn);
    }

    /// Takes a few, changes them, and gives them back.
    fn use_some(&self, actor: &mut Actor<'_>) {
        let Ok(mut pieces) = Pieces::with_capacity(PIECES, GFP_KERNEL) else {
            return;
        };
        for _ in 0..PIECES {
            if let Some(piece) = self.take(actor, GFP_KERNEL) {
                // There is room.
                let _ = pieces.push_within_capacity(piece);
            }
        }
        actor.rest(true);
        let beside = usize::from(actor.errs(Beside));
        for at in 0..pieces.len() {
            let tag = self.tags.fetch_add(1, Relaxed);
            if let Some((_, piece)) = pieces.get_mut((at + beside) % PIECES) {
                piece.fill(tag);
            }
            if let Some((now, _)) = pieces.get_mut(at) {
                *now = tag;
            }
        }
        actor.rest(true);
        for (tag, piece) in pieces.iter() {
            Self::check(actor, *tag, piece);
        }
        if actor.errs(Unreturned) {
            core::mem::forget(pieces.pop());
        }
    }
}

impl Subject for Arenas {
    fn act(&self, actor: &mut Actor<'_>) {
        if actor.may_sleep() {
            return self.use_some(actor);
        }
        if let Some((tag, piece)) = self.take(actor, GFP_ATOMIC) {
            actor.pause();
            Self::check(actor, tag, &piece);
        }
    }

    fn settle(&self, actor: &mut Actor<'_>) {
        let meter = self.arena.meter();
        actor.check(meter.current() == 0, Wrong::Missing);
        // With nobody else there, there is as much as was promised.
        let cost = cost_of::<u64>(1).unwrap_or(QUOTA).max(1);
        let mut pieces = Pieces::new();
        while let Ok(piece) = self.arena.slice(1, 0u64, GFP_KERNEL) {
            if pieces.push((0, piece), GFP_KERNEL).is_err() {
                return;
            }
        }
        actor.check(pieces.len() == QUOTA / cost, Wrong::Miscounted);
    }
}

/// All of them.
pub(super) static ENTRIES: &[Entry] = &[Entry {
    name: "arena",
    contexts: Hardirq,
    spins: false,
    twins: &[Beside, Unreturned],
    make: Arenas::make,
}];
