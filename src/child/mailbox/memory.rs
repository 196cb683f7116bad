// SPDX-License-Identifier: GPL-2.0

//! What the ring of a mailbox is made of. Like the ring, it knows nothing of the kernel.

use core::ops::Deref;

/// An atomic word, with the accesses that are used here and no others.
pub trait Word: Send + Sync {
    /// A word of this value.
    fn new(value: usize) -> Self;
    /// A load that orders nothing.
    fn load_relaxed(&self) -> usize;
    /// A load with what follows after it.
    fn load_acquire(&self) -> usize;
    /// A store with what precedes before it.
    fn store_release(&self, value: usize);
    /// Puts `new` in the place of `old`, or gives what is there instead. Orders nothing.
    fn cas_relaxed(&self, old: usize, new: usize) -> Result<(), usize>;
    /// Puts `new` in the place of what is there and gives that. What precedes is before it, and
    /// what follows after it.
    fn swap(&self, new: usize) -> usize;
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
/// As litmus tests, this is what the ring builds on. A value is seen whole by who finds its turn:
///
/// ```text
/// C MP+fill+is_in
///
/// (*
///  * Result: Never
///  *)
///
/// {}
///
/// P0(int *cell, int *turn)
/// {
///     WRITE_ONCE(*cell, 1);
///     smp_store_release(turn, 1);
/// }
///
/// P1(int *cell, int *turn)
/// {
///     int r0;
///     int r1;
///
///     r0 = smp_load_acquire(turn);
///     r1 = READ_ONCE(*cell);
/// }
///
/// exists (1:r0=1 /\ 1:r1=0)
/// ```
///
/// It is out before another comes in:
///
/// ```text
/// C LB+leave+room
///
/// (*
///  * Result: Never
///  *)
///
/// {}
///
/// P0(int *cell, int *head)
/// {
///     int r0;
///     int r1;
///
///     r0 = READ_ONCE(*cell);
///     r1 = xchg(head, 1);
/// }
///
/// P1(int *cell, int *head)
/// {
///     int r0;
///
///     r0 = smp_load_acquire(head);
///     if (r0)
///         WRITE_ONCE(*cell, 2);
/// }
///
/// exists (1:r0=1 /\ 0:r0=2)
/// ```
///
/// Who claims a position and who says in the same word that it sleeps are one after the other:
///
/// ```text
/// C CAS+claim+asleep
///
/// (*
///  * Result: Never
///  *)
///
/// {}
///
/// P0(int *tail)
/// {
///     int r0;
///
///     r0 = cmpxchg_relaxed(tail, 0, 4);
/// }
///
/// P1(int *tail)
/// {
///     int r0;
///
///     r0 = cmpxchg_relaxed(tail, 0, 2);
/// }
///
/// exists (0:r0=0 /\ 1:r0=0)
/// ```
///
/// And who sees how far the head has come sees a tail that is as far:
///
/// ```text
/// C ISA2+claim+leave+want_room
///
/// (*
///  * Result: Never
///  *)
///
/// {}
///
/// P0(int *tail, int *turn)
/// {
///     WRITE_ONCE(*tail, 4);
///     smp_store_release(turn, 1);
/// }
///
/// P1(int *turn, int *head)
/// {
///     int r0;
///     int r1;
///
///     r0 = smp_load_acquire(turn);
///     r1 = xchg(head, 4);
/// }
///
/// P2(int *tail, int *head)
/// {
///     int r0;
///     int r1;
///
///     r0 = smp_load_acquire(head);
///     r1 = READ_ONCE(*tail);
/// }
///
/// exists (1:r0=1 /\ 2:r0=4 /\ 2:r1=0)
/// ```
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

    /// Lets a loop that waits for another CPU go easy on it. Orders nothing.
    fn relax();
}

/// One place of a ring.
pub struct Slot<T, M: Memory> {
    /// `p + 1` once the value of position `p` is in.
    pub(super) turn: M::Word,
    pub(super) cell: M::Cell<T>,
}

impl<T, M: Memory> Slot<T, M> {
    /// A slot without a value.
    pub fn vacant() -> Self {
        Self {
            // Of no position: these are even.
            turn: M::Word::new(0),
            cell: M::Cell::vacant(),
        }
    }
}
