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
