// SPDX-License-Identifier: GPL-2.0

//! `memory`: each child takes boxes and slices from its arena up to its quota, and gives them back.
//!
//! What must hold: what was written into a piece is there when it is given back; a piece is given
//! if it and what is taken already fit into the quota, and `ENOMEM` comes if they do not; the meter
//! says what was taken, also at its peak; and in the end nothing is.
//!
//! What a generation in quarantine has taken counts as well. As long as there may be such, only what
//! was written is looked at.
//!
//! That the machine itself has no memory left ends the load with `ENOMEM`, and is no violation.
#![deny(unsafe_code)]

use super::{Free, Load, Plan, Twin, Worker};
use crate::{
    child::{
        arena::{cost_of, Meter},
        Arena, ArenaBox,
    },
    sync::{
        atomic::{Atomic, Relaxed},
        barrier::{smp_mb, Read},
    },
};
use kernel::{fmt, prelude::*, sync::Arc};

/// The words of the largest slice: the kernel has so much in one piece at any time.
const WORDS_MAX: usize = 1000;
/// The most pieces of any size. After these come as few as fill the quota.
const RANDOM_PIECES: usize = 128;
/// The twins do wrong to one piece in so many.
const WRONG_EVERY: u64 = 64;

/// What a box is for: five words, whose cost is not that of their size.
type Five = [u64; 5];

enum Room<'a> {
    Box(ArenaBox<'a, Five>),
    Slice(ArenaBox<'a, [u64]>),
}

/// A piece of memory, each word of which tells whose it is and where.
struct Piece<'a> {
    tag: u64,
    cost: usize,
    room: Room<'a>,
}

fn word(tag: u64, at: usize) -> u64 {
    tag.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (at as u64)
}

impl Piece<'_> {
    fn words(&self) -> &[u64] {
        match &self.room {
            Room::Box(five) => &five[..],
            Room::Slice(words) => words,
        }
    }

    fn words_mut(&mut self) -> &mut [u64] {
        match &mut self.room {
            Room::Box(five) => &mut five[..],
            Room::Slice(words) => words,
        }
    }

    /// Writes all words as those of `tag`.
    fn write(&mut self, tag: u64) {
        for (at, to) in self.words_mut().iter_mut().enumerate() {
            *to = word(tag, at);
        }
    }

    fn is_intact(&self) -> bool {
        let mut words = self.words().iter().enumerate();
        words.all(|(at, is)| *is == word(self.tag, at))
    }
}

struct Memory {
    twin: Option<Twin>,
    taken: Atomic<u64>,
    given_back: Atomic<u64>,
    refused: Atomic<u64>,
    fills: Atomic<u64>,
}

/// With the arenas of the children.
pub(super) fn arena(plan: &Plan) -> Result<Arc<dyn Load>> {
    let memory = Arc::new(
        Memory {
            twin: plan.twin,
            taken: Atomic::new(0),
            given_back: Atomic::new(0),
            refused: Atomic::new(0),
            fills: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    Ok(memory)
}

/// A child with its pieces, and what its meter must say.
struct Owner<'a, 'w, 's, 'c> {
    worker: &'w mut Worker<'s, 'c>,
    arena: &'a Arena,
    twin: Option<Twin>,
    pieces: KVVec<Piece<'a>>,
    random: u64,
    /// Nobody else counted on the meter when this one began.
    alone: bool,
    current: usize,
    peak: usize,
    failures: u64,
    taken: u64,
    given_back: u64,
    fills: u64,
}

impl<'a> Owner<'a, '_, '_, '_> {
    fn meter(&self) -> &'a Meter {
        self.arena.meter()
    }

    fn ensure(&mut self, holds: bool) {
        if !holds {
            self.worker.ctx.violation();
        }
    }

    /// A number below `end`.
    fn random(&mut self, end: usize) -> usize {
        // Marsaglia's xorshift.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        ((self.random >> 16) as usize).checked_rem(end).unwrap_or(0)
    }

    /// What was read of the meter shows that it `holds`, unless others count on it as well: a
    /// generation before this one, or one after it when this one is in quarantine.
    fn ensure_if_alone(&mut self, holds: bool) {
        if holds || !self.alone {
            return;
        }
        // Pairs with the waking of the next generation, which comes after its number is set and
        // before it takes anything. So if that was read of the meter, it has the number here.
        smp_mb(Read);
        let present = self.worker.ctx.is_present();
        self.ensure(!present);
    }

    /// What is taken is what the meter says.
    fn check_meter(&mut self) {
        let meter = self.meter();
        let holds = meter.current() == self.current
            && meter.peak() == self.peak
            && meter.peak() <= meter.quota()
            && meter.failures() == self.failures;
        self.ensure_if_alone(holds);
    }

    fn room(&self, words: usize, tag: u64) -> Result<Room<'a>> {
        if words == 5 {
            return Ok(Room::Box(self.arena.alloc([0; 5], GFP_KERNEL)?));
        }
        let slice = self
            .arena
            .slice_with(words, |at| word(tag, at), GFP_KERNEL)?;
        Ok(Room::Slice(slice))
    }

    /// Takes a piece of so many words. False if it does not fit into the quota.
    ///
    /// # Errors
    ///
    /// `ENOMEM` if it was not the quota, but the kernel, that had no memory.
    fn take(&mut self, words: usize) -> Result<bool> {
        let tag = self.taken.wrapping_add(1);
        let cost = cost_of::<u64>(words)?;
        let then = self.current.saturating_add(cost);
        let fits = then <= self.meter().quota();
        self.pieces.reserve(1, GFP_KERNEL)?;
        let refused = self.meter().refused();
        let room = self.room(words, tag);
        let by_quota = self.meter().refused() != refused;
        self.ensure_if_alone(by_quota != fits);
        self.worker.ctx.add_ops(1);
        let Ok(room) = room else {
            self.failures = self.failures.wrapping_add(1);
            self.check_meter();
            return if by_quota { Ok(false) } else { Err(ENOMEM) };
        };
        let piece = Piece { tag, cost, room };
        self.ensure(cost >= size_of_val(piece.words()));
        let at = self.pieces.len();
        // There is room: it was reserved.
        let _ = self.pieces.push_within_capacity(piece);
        self.taken = tag;
        self.current = then;
        self.peak = self.peak.max(then);
        let beside = match self.twin {
            Some(Twin::Overlap) if tag % WRONG_EVERY == 0 => 1,
            _ => 0,
        };
        if let Some(piece) = self.pieces.get_mut(at.saturating_sub(beside)) {
            piece.write(tag);
        }
        self.check_meter();
        Ok(true)
    }

    /// Gives a piece back, with what was written.
    fn give_back(&mut self, at: usize) {
        let last = self.pieces.len().saturating_sub(1);
        if at < last {
            self.pieces.swap(at, last);
        }
        let Some(piece) = self.pieces.pop() else {
            return;
        };
        self.ensure(piece.is_intact());
        self.current = self.current.saturating_sub(piece.cost);
        self.given_back = self.given_back.wrapping_add(1);
        match piece.room {
            // The arena frees it when it goes itself.
            Room::Slice(slice) if self.twin == Some(Twin::Leak) && piece.tag % WRONG_EVERY == 0 => {
                let _ = slice.leak();
            }
            room => drop(room),
        }
        self.check_meter();
    }

    /// Takes pieces until none fits: of any size, and then the largest that there is room for.
    fn fill(&mut self) -> Result {
        while self.pieces.len() < RANDOM_PIECES && !self.worker.done() {
            let words = self.random(WORDS_MAX).saturating_add(1);
            if !self.take(words)? {
                break;
            }
        }
        let mut words = WORDS_MAX;
        while words > 0 && !self.worker.done() {
            if !self.take(words)? {
                words /= 2;
            }
        }
        if words == 0 {
            // Less than one word costs is left.
            let left = self.meter().quota().saturating_sub(self.current);
            self.ensure_if_alone(left < cost_of::<u64>(1)?);
            self.fills = self.fills.wrapping_add(1);
        }
        Ok(())
    }

    /// Gives back all but `keep`: the last ones first, the first ones, or any.
    fn empty(&mut self, keep: usize) {
        let how = self.random(3);
        while self.pieces.len() > keep {
            let n = self.pieces.len();
            let at = match how {
                0 => n.saturating_sub(1),
                1 => 0,
                _ => self.random(n),
            };
            self.give_back(at);
        }
    }

    fn work(&mut self) -> Result {
        while !self.worker.done() {
            self.fill()?;
            self.worker.pace.hold();
            let half = self.pieces.len() / 2;
            let keep = if self.random(2) == 0 { half } else { 0 };
            self.empty(keep);
            self.worker.pace.think();
        }
        Ok(())
    }
}

impl Load for Memory {
    fn work(&self, worker: &mut Worker<'_, '_>) -> Result {
        let arena = worker.ctx.arena();
        let meter = arena.meter();
        let before = meter.current();
        let refused = meter.failures();
        let random = (worker.index as u64).wrapping_add(1) << 32;
        let mut owner = Owner {
            worker,
            arena,
            twin: self.twin,
            pieces: KVVec::new(),
            random,
            // A generation in quarantine may still have something, and give it back meanwhile.
            alone: before == 0,
            current: before,
            peak: meter.peak(),
            failures: refused,
            taken: 0,
            given_back: 0,
            fills: 0,
        };
        let done = owner.work();
        owner.empty(0);
        owner.ensure_if_alone(meter.current() == 0 && meter.fragmentation() == 0);
        self.taken.fetch_add(owner.taken, Relaxed);
        self.given_back.fetch_add(owner.given_back, Relaxed);
        self.fills.fetch_add(owner.fills, Relaxed);
        self.refused
            .fetch_add(meter.failures().wrapping_sub(refused), Relaxed);
        done
    }

    fn finish(&self, _: &mut Free<'_>) -> u64 {
        u64::from(self.taken.load(Relaxed) != self.given_back.load(Relaxed))
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "taken {} given back {} refused {} fills {}",
            self.taken.load(Relaxed),
            self.given_back.load(Relaxed),
            self.refused.load(Relaxed),
            self.fills.load(Relaxed)
        ))
    }
}
