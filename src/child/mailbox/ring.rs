// SPDX-License-Identifier: GPL-2.0

//! The lock-free ring of a mailbox, and how those that sleep at it are not forgotten.
//!
//! Nothing here knows the kernel: memory is reached through [`Memory`], so that the same file can
//! be compiled in user space and all interleavings of it be tried there.
//!
//! The ring is Dmitry Vyukov's bounded queue, with one consumer. Each slot has a number that says
//! whose turn it is. Positions count in steps of two and wrap; a slot's number is
//!
//! - the position `p` whose sender may fill it,
//! - `p + 1` while it has the value of position `p`,
//! - `p + 2 * depth` once that was taken: the position that is next there.
//!
//! The lowest bit of the tail says that the ring is closed. As a sender claims its position by
//! changing the tail, none does so after that.

use core::{marker::PhantomData, ops::Deref};

/// One step from a position to the next.
const STEP: usize = 2;
/// The bit of the tail that says that no position is given out any more.
const CLOSED: usize = 1;

/// An atomic word, with the accesses that are used here and no others.
pub trait Word: Send + Sync {
    /// A word of this value.
    fn new(value: usize) -> Self;
    /// A load that orders nothing.
    fn load_relaxed(&self) -> usize;
    /// A load with what follows after it.
    fn load_acquire(&self) -> usize;
    /// A store that orders nothing.
    fn store_relaxed(&self, value: usize);
    /// A store with what precedes before it.
    fn store_release(&self, value: usize);
    /// Puts `new` in the place of `old`, or gives what is there instead. Orders nothing.
    fn cas_relaxed(&self, old: usize, new: usize) -> Result<(), usize>;
}

/// Room for one value, that does not know whether it has one.
pub trait Cell<T> {
    /// Room without a value.
    fn vacant() -> Self;

    /// Moves a value in.
    ///
    /// # Safety
    ///
    /// It has none, and nobody else uses it meanwhile.
    unsafe fn put(&self, value: T);

    /// Moves the value out.
    ///
    /// # Safety
    ///
    /// It has one, and nobody else uses it meanwhile.
    unsafe fn take(&self) -> T;
}

/// What the ring is made of.
///
/// # Safety
///
/// `Slots` gives the same slots each time it is dereferenced. Words order as they say, and
/// [`full_barrier`](Self::full_barrier) does. `Slots<T>` may be moved to and shared with any thread
/// if `T` is `Send`.
pub unsafe trait Memory: Sized {
    /// An atomic word.
    type Word: Word;
    /// Room for a value.
    type Cell<T>: Cell<T>;
    /// Owns the slots.
    type Slots<T>: Deref<Target = [Slot<T, Self>]>;

    /// All that precedes before all that follows.
    fn full_barrier();
}

/// One place of a ring.
pub struct Slot<T, M: Memory> {
    turn: M::Word,
    cell: M::Cell<T>,
}

impl<T, M: Memory> Slot<T, M> {
    /// A slot without a value.
    pub fn vacant() -> Self {
        Self {
            turn: M::Word::new(0),
            cell: M::Cell::vacant(),
        }
    }
}

/// Why a value was not taken in; it is given back.
pub enum PushError<T> {
    /// All slots have a value, or are about to.
    Full(T),
    /// The ring is closed.
    Closed(T),
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PopError {
    /// The next one was not sent yet, or its sender is not quite done.
    Empty,
    /// All that were sent were taken, and no more come.
    Closed,
}

/// A bounded queue of many senders and one receiver.
///
/// # Invariants
///
/// The number of slots is a power of two. The slot of position `p` has a value of that position
/// exactly while its turn is `p + 1`; while its turn is `p` its cell belongs to the sender that
/// moved the tail from `p`.
pub struct Ring<T, M: Memory> {
    /// The next position that a sender claims, and [`CLOSED`].
    tail: M::Word,
    /// The next position to be taken. Only the receiver writes it.
    head: M::Word,
    slots: M::Slots<T>,
    _owns: PhantomData<T>,
}

// SAFETY: Values move through it and are not shared; its words are `Send`, the slots are by the
// contract of `Memory`.
unsafe impl<T: Send, M: Memory> Send for Ring<T, M> {}
// SAFETY: As above; a cell is used by one thread at a time, by the invariant and the contract of
// `pop`.
unsafe impl<T: Send, M: Memory> Sync for Ring<T, M> {}

impl<T, M: Memory> Ring<T, M> {
    /// Makes a ring of these slots, or gives them back if their number is not a power of two.
    pub fn new(slots: M::Slots<T>) -> Result<Self, M::Slots<T>> {
        if !slots.len().is_power_of_two() {
            return Err(slots);
        }
        // As jiffies do, positions begin just before they wrap: what does not stand that is found
        // at once.
        let first = slots.len().wrapping_mul(STEP).wrapping_neg();
        let mut position = first;
        for slot in slots.iter() {
            // INVARIANT: No slot has a value. Whoever shares the ring orders this before.
            slot.turn.store_relaxed(position);
            position = position.wrapping_add(STEP);
        }
        Ok(Self {
            tail: M::Word::new(first),
            head: M::Word::new(first),
            slots,
            _owns: PhantomData,
        })
    }

    /// How many values it has room for.
    pub fn depth(&self) -> usize {
        self.slots.len()
    }

    /// How many it has just about now, those included that are being put in.
    pub fn len(&self) -> usize {
        // Both move on meanwhile, so that the difference may be anything near the truth.
        let head = self.head.load_relaxed();
        let tail = self.tail.load_relaxed() & !CLOSED;
        match tail.wrapping_sub(head) as isize {
            ahead if ahead > 0 => (ahead as usize / STEP).min(self.depth()),
            _ => 0,
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slot of this position.
    fn slot(&self, position: usize) -> Option<&Slot<T, M>> {
        // A power of two: that positions wrap makes no difference.
        let mask = self.slots.len().wrapping_sub(1);
        self.slots.get((position / STEP) & mask)
    }

    /// Takes a value in, from any context. Never waits; tries again only if another was faster.
    pub fn push(&self, value: T) -> Result<(), PushError<T>> {
        let mut tail = self.tail.load_relaxed();
        loop {
            if tail & CLOSED != 0 {
                return Err(PushError::Closed(value));
            }
            let Some(slot) = self.slot(tail) else {
                return Err(PushError::Full(value));
            };
            // Acquire: pairs with the release of `pop`. The receiver has moved the old value out
            // before we write over it.
            let turn = slot.turn.load_acquire();
            match turn.wrapping_sub(tail) as isize {
                // Relaxed: it only decides whose the position is; the value is published below.
                0 => match self.tail.cas_relaxed(tail, tail.wrapping_add(STEP)) {
                    Ok(()) => {
                        // SAFETY: The turn was this position's, so there is no value; who moves
                        // the tail from here has the cell until it gives the turn away.
                        unsafe { slot.cell.put(value) };
                        // Release: pairs with the acquire of `pop`, which sees the value; and with
                        // the one above, of a sender that sees this turn and then a newer tail.
                        // INVARIANT: The value is in.
                        slot.turn.store_release(tail.wrapping_add(1));
                        return Ok(());
                    }
                    Err(now) => tail = now,
                },
                // A lap behind: it still has the value of that lap, or soon will.
                behind if behind < 0 => return Err(PushError::Full(value)),
                // Others were faster. Who filled the slot had moved the tail before, so that it
                // is not the same again.
                _ => tail = self.tail.load_relaxed(),
            }
        }
    }

    /// Takes the next value out. Never waits.
    ///
    /// # Safety
    ///
    /// There is one receiver: calls are ordered one after the other.
    pub unsafe fn pop(&self) -> Result<T, PopError> {
        // Relaxed: only we write it.
        let head = self.head.load_relaxed();
        let Some(slot) = self.slot(head) else {
            return Err(PopError::Empty);
        };
        // Acquire: pairs with the release of `push`; the value is seen whole.
        if slot.turn.load_acquire() != head.wrapping_add(1) {
            // Relaxed: closed, the tail never changes again. If it is the head then nobody has
            // claimed this position, nor will.
            return Err(if self.tail.load_relaxed() == head | CLOSED {
                PopError::Closed
            } else {
                PopError::Empty
            });
        }
        // SAFETY: By the invariant there is a value; the turn is the receiver's, which the caller
        // is alone.
        let value = unsafe { slot.cell.take() };
        // Relaxed: for `len` and for ourselves.
        self.head.store_relaxed(head.wrapping_add(STEP));
        // Release: pairs with the acquire of `push`; the value is out before another comes in.
        // INVARIANT: The value is out, and the next lap's position has the turn.
        let lap = self.slots.len().wrapping_mul(STEP);
        slot.turn.store_release(head.wrapping_add(lap));
        Ok(value)
    }

    /// Gives out no position any more. Senders that have one already put their value in.
    ///
    /// Returns whether it was open.
    pub fn close(&self) -> bool {
        let mut tail = self.tail.load_relaxed();
        while tail & CLOSED == 0 {
            // Relaxed: senders compare the whole word, so none claims a position after this.
            match self.tail.cas_relaxed(tail, tail | CLOSED) {
                Ok(()) => return true,
                Err(now) => tail = now,
            }
        }
        false
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.tail.load_relaxed() & CLOSED != 0
    }
}

impl<T, M: Memory> Drop for Ring<T, M> {
    fn drop(&mut self) {
        // What a sender that died left half done is not dropped, nor is what comes after it.
        // SAFETY: There is nobody else any more.
        while let Ok(value) = unsafe { self.pop() } {
            drop(value);
        }
    }
}

/// Those that sleep at one side of a ring, as a number.
///
/// Store buffering: who is about to sleep says so, and looks again; who has done something says so,
/// and looks whether anybody sleeps. With a full barrier between the two on both sides at least one
/// sees the other.
///
/// Each [`announce`](Self::announce) is answered exactly once: by a wake-up of who has
/// [claimed](Self::claim) it, or by [`retract`](Self::retract) with `true`. A sleeper that gets
/// `false` there has been claimed: its wake-up is on its way and has to be taken.
pub struct Sleepers<M: Memory> {
    count: M::Word,
}

impl<M: Memory> Default for Sleepers<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Memory> Sleepers<M> {
    /// Nobody.
    pub fn new() -> Self {
        Self {
            count: M::Word::new(0),
        }
    }

    /// Says that the caller is about to sleep: it has to look once more before it does.
    pub fn announce(&self) {
        let mut count = self.count.load_relaxed();
        while let Err(now) = self.count.cas_relaxed(count, count.wrapping_add(1)) {
            count = now;
        }
        // Pairs with the barrier of `claim`: either our next look sees what was done before that,
        // or it sees our announcement.
        M::full_barrier();
    }

    /// Takes an announcement back. If there is none left, a wake-up is on its way instead.
    #[must_use]
    pub fn retract(&self) -> bool {
        self.take(1) == 1
    }

    /// Takes up to `most` announcements, after something was done that they wait for. The caller
    /// has to wake as many as this returns.
    #[must_use]
    pub fn claim(&self, most: usize) -> usize {
        // Pairs with the barrier of `announce`.
        M::full_barrier();
        self.take(most)
    }

    fn take(&self, most: usize) -> usize {
        let mut count = self.count.load_relaxed();
        loop {
            let taken = count.min(most);
            if taken == 0 {
                return 0;
            }
            // Relaxed: what was done is seen through the ring, and the wake-up orders by itself.
            match self.count.cas_relaxed(count, count.wrapping_sub(taken)) {
                Ok(()) => return taken,
                Err(now) => count = now,
            }
        }
    }
}
