// SPDX-License-Identifier: GPL-2.0

//! The lock-free ring of a mailbox, and how those that sleep at it are not forgotten.
//!
//! Nothing here knows the kernel: memory is reached through [`Memory`], so that the same file can
//! be compiled in user space and all interleavings of it be tried there.
//!
//! Two words say it all, each on a cache line of its own: the tail, which senders move, and the
//! head, which only the receiver moves. Positions count in steps and wrap.
//!
//! - A sender claims a position, or several, by a compare-and-swap of the tail, puts its values in
//!   and then says in each slot that the value of this position is there. The receiver looks at
//!   the slots alone and never writes them, so a slot's cache line crosses once in each direction
//!   and lap.
//! - The receiver gives room back by moving the head, once for a batch. Senders know the head from
//!   hearsay, in a word beside the tail, and look it up when that says that there is no room.
//!
//! # Who sleeps
//!
//! Who is about to sleep sets a bit in the very word that the other side has to change before there
//! is anything to wake for: the receiver in the tail, senders in the head. Each word has one order
//! of all its changes, so that either the one that changes it finds the bit, or the one that sets
//! the bit finds the change, and does not sleep. That takes no barrier on either side: a message
//! costs its sender one atomic operation and its receiver one.
//!
//! | | the receiver, at the tail | senders, at the head |
//! |---|---|---|
//! | sets the bit | [`fall_asleep`](Ring::fall_asleep), if no position is given out | [`want_room`](Ring::want_room), if there is no room |
//! | clears it, and wakes | who claims the next position, when its value is in; [`close`](Ring::close) | the receiver, when it moves the head; it sets it again while any are left |
//! | clears it, awake | [`stay_awake`](Ring::stay_awake) | nobody: it costs a look |
//!
//! A receiver that finds a position given out and its value not there yet has nobody to wake it: it
//! has to look again by itself. That is as long as a sender takes to move a value.
//!
//! The lowest bit of the tail says that the ring is closed. As a sender claims its position by
//! changing the tail, none does so after that.

use super::{
    memory::{Cell, Memory, Slot, Word},
    sleepers::Sleepers,
};
use core::{
    marker::PhantomData,
    mem::MaybeUninit,
    ptr::{self, NonNull},
};

/// One step from a position to the next: so much to the left of a place is its position.
const SHIFT: u32 = 2;
const STEP: usize = 1 << SHIFT;
/// The bit of the tail that says that no position is given out any more.
const CLOSED: usize = 1;
/// The bit of the tail that says that the receiver sleeps.
const ASLEEP: usize = 2;
/// The bit of the head that says that senders sleep.
const WANTED: usize = 1;
/// What is a position in either word.
const POSITION: usize = !(STEP - 1);

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

/// What a receiver that finds nothing can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doze {
    /// Sleep: it will be woken.
    Asleep,
    /// Look again: a sender has a position, but its value is not in yet.
    Late,
    /// Take the next value.
    Awake,
    /// Go: all that were sent were taken, and no more come.
    Over,
}

/// Keeps what one side writes off the cache lines of the other, and off the lines that are fetched
/// together with these.
#[repr(align(128))]
struct Apart<T>(T);

/// What senders write.
struct Front<M: Memory> {
    /// The next position that a sender claims, [`CLOSED`] and [`ASLEEP`].
    tail: M::Word,
    /// A position where the head has been.
    seen: M::Word,
}

/// A bounded queue of many senders and one receiver.
///
/// # Invariants
///
/// The number of slots is a power of two. `seen <= head <= tail <= head + depth`, in positions.
/// The cells of positions from head to tail belong to who has claimed them until their slots' turn
/// is theirs plus one, and have a value from then on, which is the receiver's. All others have none.
pub struct Ring<T, M: Memory> {
    front: Apart<Front<M>>,
    /// The next position to be taken, and [`WANTED`]. Only the receiver moves it.
    head: Apart<M::Word>,
    /// Not 0 once it is closed: a receiver that waits in a loop does not fetch the tail.
    closed: M::Word,
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
        // INVARIANT: No slot has a value, and no position is claimed.
        Ok(Self {
            front: Apart(Front {
                tail: M::Word::new(first),
                seen: M::Word::new(first),
            }),
            head: Apart(M::Word::new(first)),
            closed: M::Word::new(0),
            slots,
            _owns: PhantomData,
        })
    }

    /// How many values it has room for.
    pub fn depth(&self) -> usize {
        self.slots.len()
    }

    /// How far it is from a position to the same place in the next lap.
    #[inline]
    fn lap(&self) -> usize {
        self.slots.len().wrapping_mul(STEP)
    }

    /// How many it has just about now, those included that are being put in.
    pub fn len(&self) -> usize {
        // Both move on meanwhile, so that the difference may be anything near the truth.
        let head = self.head.0.load_relaxed() & POSITION;
        let tail = self.front.0.tail.load_relaxed() & POSITION;
        match tail.wrapping_sub(head) as isize {
            ahead if ahead > 0 => (ahead as usize >> SHIFT).min(self.depth()),
            _ => 0,
        }
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slot of this position among all of them.
    #[inline(always)]
    fn slot(slots: &[Slot<T, M>], position: usize) -> &Slot<T, M> {
        // A power of two: that positions wrap makes no difference.
        let index = (position >> SHIFT) & slots.len().wrapping_sub(1);
        // SAFETY: By the invariant there are some; whatever the position, it is less than that.
        unsafe { slots.get_unchecked(index) }
    }

    /// How many positions from this one on, up to `most`, have no value of the lap before.
    #[inline(always)]
    fn room(&self, position: usize, most: usize) -> usize {
        // Less than none for a head of long ago. More than there are for a position that is not
        // the tail any more: it will not be claimed.
        let left = |head: usize| {
            let ahead = position.wrapping_sub(head);
            self.lap().wrapping_sub(ahead) as isize >> SHIFT
        };
        let front = &self.front.0;
        let most = most as isize;
        // Acquire: pairs with the release below, of who has looked it up.
        if left(front.seen.load_acquire()) >= most {
            return most as usize;
        }
        // Acquire: pairs with the swap of the receiver. It has moved the old values out before we
        // write over them.
        let head = self.head.0.load_acquire() & POSITION;
        // Release: pairs with the acquire above. An older one in its place is as true.
        front.seen.store_release(head);
        left(head).clamp(0, most) as usize
    }

    /// Claims positions for up to `most` values, at least one: the first, how many they are, and
    /// whether the receiver is to be woken when the values are in.
    #[inline(always)]
    fn claim(&self, most: usize) -> Result<(usize, usize, bool), PushError<()>> {
        let tail = &self.front.0.tail;
        let mut now = tail.load_relaxed();
        loop {
            if now & CLOSED != 0 {
                return Err(PushError::Closed(()));
            }
            let position = now & POSITION;
            let count = self.room(position, most);
            if count == 0 {
                return Err(PushError::Full(()));
            }
            // INVARIANT: They have no value, since the tail is still where we saw it: whoever
            // moved `seen` past it would have seen it moved before. Relaxed: it decides whose the
            // positions are, and whether the receiver sleeps. Values are published in their slots.
            match tail.cas_relaxed(now, position.wrapping_add(count.wrapping_mul(STEP))) {
                Ok(()) => return Ok((position, count, now & ASLEEP != 0)),
                Err(other) => now = other,
            }
        }
    }

    /// Puts a value in at a position, whose slot this is.
    ///
    /// # Safety
    ///
    /// The caller has claimed it, and does this once.
    #[inline(always)]
    unsafe fn fill(slot: &Slot<T, M>, position: usize, value: T) {
        // SAFETY: By the invariant there is no value, and the cell is the caller's.
        unsafe { slot.cell.put(value) };
        // Release: pairs with the acquire of the receiver, which sees the value.
        // INVARIANT: The value is in.
        slot.turn.store_release(position.wrapping_add(1));
    }

    /// Takes a value in, from any context. Never waits; tries again only if another was faster.
    ///
    /// Returns whether the receiver sleeps: the caller has to wake it then.
    #[inline(always)]
    pub fn push(&self, value: T) -> Result<bool, PushError<T>> {
        match self.claim(1) {
            Ok((position, _, asleep)) => {
                // SAFETY: Just claimed.
                unsafe { Self::fill(Self::slot(&self.slots, position), position, value) };
                Ok(asleep)
            }
            Err(PushError::Full(())) => Err(PushError::Full(value)),
            Err(PushError::Closed(())) => Err(PushError::Closed(value)),
        }
    }

    /// Takes in as many of these values as there is room for, at least one, one after the other.
    /// From any context.
    ///
    /// Returns how many, and whether the receiver sleeps: the caller has to wake it then.
    ///
    /// # Safety
    ///
    /// There are `count` values, at least one. Those that are taken in are no longer the caller's.
    #[inline]
    pub unsafe fn push_some(
        &self,
        from: NonNull<T>,
        count: usize,
    ) -> Result<(usize, bool), PushError<()>> {
        let (first, count, asleep) = self.claim(count)?;
        let slots = &*self.slots;
        let mut position = first;
        for i in 0..count {
            // SAFETY: No more than there are. It moves, by the safety requirements.
            let value = unsafe { ptr::read(from.as_ptr().add(i)) };
            // SAFETY: Just claimed.
            unsafe { Self::fill(Self::slot(slots, position), position, value) };
            position = position.wrapping_add(STEP);
        }
        Ok((count, asleep))
    }

    /// Whether the value of this position is in its slot.
    #[inline(always)]
    fn is_in(slot: &Slot<T, M>, position: usize) -> bool {
        // Acquire: pairs with the release of `fill`; the value is seen whole.
        slot.turn.load_acquire() == position.wrapping_add(1)
    }

    /// Takes the next value out. Never waits.
    ///
    /// Returns whether senders sleep, too: see [`wanted`](Self::wanted).
    ///
    /// # Safety
    ///
    /// There is one receiver: calls are ordered one after the other.
    #[inline(always)]
    pub unsafe fn pop(&self) -> Result<(T, bool), PopError> {
        // Relaxed: only we move it.
        let position = self.head.0.load_relaxed() & POSITION;
        let slot = Self::slot(&self.slots, position);
        if !Self::is_in(slot, position) {
            return Err(self.nothing(position));
        }
        // SAFETY: By the invariant there is a value, and it is the receiver's, which the caller is
        // alone.
        let value = unsafe { slot.cell.take() };
        Ok((value, self.leave(position.wrapping_add(STEP))))
    }

    /// Takes out as many values as there are, up to the length of `into`, and gives their room back
    /// at once.
    ///
    /// Returns how many it has written there, one at least, and whether senders sleep: see
    /// [`wanted`](Self::wanted).
    ///
    /// # Safety
    ///
    /// As [`pop`](Self::pop).
    #[inline]
    pub unsafe fn pop_some(&self, into: &mut [MaybeUninit<T>]) -> Result<(usize, bool), PopError> {
        let slots = &*self.slots;
        let first = self.head.0.load_relaxed() & POSITION;
        let mut position = first;
        for room in into {
            let slot = Self::slot(slots, position);
            if !Self::is_in(slot, position) {
                break;
            }
            // SAFETY: As in `pop`.
            room.write(unsafe { slot.cell.take() });
            position = position.wrapping_add(STEP);
        }
        if position == first {
            return Err(self.nothing(first));
        }
        let count = position.wrapping_sub(first) >> SHIFT;
        Ok((count, self.leave(position)))
    }

    /// Moves the head here. Returns whether senders sleep.
    #[inline(always)]
    fn leave(&self, position: usize) -> bool {
        // Full: the values are out before others come in, which pairs with the acquire of `room`;
        // and what a sleeper has counted before it set the bit is seen.
        // INVARIANT: The values up to here are out.
        self.head.0.swap(position) & WANTED != 0
    }

    /// Why there is no value at the head.
    #[inline]
    fn nothing(&self, position: usize) -> PopError {
        // Acquire: pairs with the release of `close`. Closed, the tail gives out no position any
        // more: if it is the head then nobody has claimed this position, nor will.
        let tail = || self.front.0.tail.load_relaxed() & POSITION;
        if self.closed.load_acquire() != 0 && tail() == position {
            PopError::Closed
        } else {
            PopError::Empty
        }
    }

    /// Whether there is something to take.
    ///
    /// # Safety
    ///
    /// As [`pop`](Self::pop).
    pub unsafe fn is_ready(&self) -> bool {
        let position = self.head.0.load_relaxed() & POSITION;
        Self::is_in(Self::slot(&self.slots, position), position)
    }

    /// Says that the receiver is about to sleep, unless there is a reason not to.
    ///
    /// It is woken once: by a sender, or by who closes the ring. If it gets up by itself it has to
    /// say so by [`stay_awake`](Self::stay_awake).
    ///
    /// # Safety
    ///
    /// As [`pop`](Self::pop).
    pub unsafe fn fall_asleep(&self) -> Doze {
        let position = self.head.0.load_relaxed() & POSITION;
        let tail = &self.front.0.tail;
        let mut now = tail.load_relaxed();
        loop {
            if now & POSITION != position {
                return match Self::is_in(Self::slot(&self.slots, position), position) {
                    true => Doze::Awake,
                    false => Doze::Late,
                };
            }
            if now & CLOSED != 0 {
                return Doze::Over;
            }
            // Relaxed: who changes the tail after this finds the bit, and nobody has before.
            match tail.cas_relaxed(now, now | ASLEEP) {
                Ok(()) => return Doze::Asleep,
                Err(other) => now = other,
            }
        }
    }

    /// Says that the receiver does not sleep after all. If it gets `false` its wake-up is on its
    /// way and has to be taken.
    #[must_use]
    pub fn stay_awake(&self) -> bool {
        self.change_tail(|tail| (tail & ASLEEP != 0).then_some(tail & !ASLEEP))
            .is_ok()
    }

    /// Says that a sender that has announced itself is about to sleep, unless there is room or the
    /// ring is closed. Returns whether it may.
    pub fn want_room(&self) -> bool {
        let head = &self.head.0;
        loop {
            // Acquire: pairs with the swap of the receiver. Who sees the head sees a tail that is
            // not behind it. One that is would be far ahead of it, which passes for full.
            let now = head.load_acquire();
            let tail = self.front.0.tail.load_relaxed();
            // Full as long as the head does not move: the receiver still has something to take.
            let ahead = (tail & POSITION).wrapping_sub(now & POSITION);
            if tail & CLOSED != 0 || ahead < self.lap() {
                return false;
            }
            // Relaxed: the next move of the head finds the bit, and there was none before.
            if head.cas_relaxed(now, now | WANTED).is_ok() {
                return true;
            }
        }
    }

    /// Claims as many of `senders` as there is new room for, when the head was moved and the bit
    /// was there. The caller has to wake as many as this returns.
    #[must_use]
    pub fn wanted(&self, senders: &Sleepers<M>, room: usize) -> usize {
        let claimed = senders.claim(room);
        // One that comes later sets the bit itself.
        if senders.any() {
            let head = &self.head.0;
            let mut now = head.load_relaxed();
            while let Err(other) = head.cas_relaxed(now, now | WANTED) {
                now = other;
            }
        }
        claimed
    }

    /// Changes the tail to what `f` makes of it. The value before, or what `f` refuses.
    fn change_tail(&self, f: impl Fn(usize) -> Option<usize>) -> Result<usize, usize> {
        let tail = &self.front.0.tail;
        let mut now = tail.load_relaxed();
        while let Some(new) = f(now) {
            match tail.cas_relaxed(now, new) {
                Ok(()) => return Ok(now),
                Err(other) => now = other,
            }
        }
        Err(now)
    }

    /// Gives out no position any more. Senders that have one already put their value in.
    ///
    /// Returns whether the receiver sleeps: the caller has to wake it then.
    #[must_use]
    pub fn close(&self) -> bool {
        // Relaxed: senders compare the whole word, so none claims a position after this.
        let before =
            self.change_tail(|tail| (tail & CLOSED == 0).then_some((tail | CLOSED) & !ASLEEP));
        // Release: pairs with the acquire of `nothing`, which sees the last of the tail.
        self.closed.store_release(1);
        before.is_ok_and(|tail| tail & ASLEEP != 0)
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.front.0.tail.load_relaxed() & CLOSED != 0
    }
}

impl<T, M: Memory> Drop for Ring<T, M> {
    fn drop(&mut self) {
        // What a sender that died left half done is not dropped, nor is what comes after it.
        // SAFETY: There is nobody else any more.
        while let Ok((value, _)) = unsafe { self.pop() } {
            drop(value);
        }
    }
}
