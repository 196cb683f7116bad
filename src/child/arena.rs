// SPDX-License-Identifier: GPL-2.0

//! A child's memory: plain data up to a quota, freed whole with the child.
//!
//! A thread that dies of an oops runs no destructors, so what it had allocated by itself is lost
//! until the next boot. What it took from an arena is not: each piece hangs in a list of the arena,
//! and goes with it. For that it has to be plain data, as nothing will be called for it: a type
//! with drop glue does not compile. And a child that asks for more and more meets its quota, not
//! the machine's memory: it gets `ENOMEM`, and others get what they ask for.
//!
//! This is no allocator. Each piece is a block of the kernel's own, with a small header in front.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/slab.h`](srctree/include/linux/slab.h) |
//! | context | with `GFP_KERNEL` where it may sleep; with `GFP_ATOMIC`, and giving back, in process, softirq and hardirq; dropping the arena the same |
//! | safe against | preempt-safe, SMP-safe and interrupt-safe: any number of threads and interrupts may take and give back at once |
//! | sleeps | only in an allocation with `GFP_KERNEL` |
//! | `PREEMPT_RT` | the kernel's allocator sleeps there: neither take nor give back in hardirq, nor with preemption or interrupts off |
//! | fairness | who comes first has it; the lock is held for the change of two pointers |
//! | cost | that of `kmalloc()` and `kfree()`, an uncontended spinlock, and a few atomic operations |
//! | order | none but that of the lock |
//! | errors | `ENOMEM`: over the quota, over what `kmalloc()` can give at all, or the machine has no memory; nothing has changed then, but one more failure is counted |
//!
//! # What counts against the quota
//!
//! The block that the kernel hands out, not what was asked for: the header, the padding up to the
//! alignment of the value and the value, together rounded up by `kmalloc_size_roundup()` to the
//! next size of block that there is. [`cost_of`] says how much that is, and to that granularity
//! the quota is exact: a piece is given if and only if its cost and [`Meter::current`] together do
//! not exceed the quota. An attempt counts while it is being made, so one that fails for want of
//! memory may have another fail that comes in between.
//!
//! [`Meter::fragmentation`] is the difference between these blocks and what was asked for. Pieces
//! without size take no block and cost nothing. What the kernel adds for its own debugging does
//! not count.
//!
//! # Whose memory it is
//!
//! A piece borrows the arena, so it can not outlive it, and the borrow of a thread that died has
//! ended with that thread: whoever owns the arena drops it when all threads are gone. A counted
//! reference in each piece would be one that a dead thread never gives back.
#![deny(clippy::undocumented_unsafe_blocks)]

use crate::{
    new_raw_spinlock_irq,
    sync::{
        atomic::{Atomic, FetchUpdate, Relaxed},
        RawSpinLockIrq,
    },
};
use core::{
    alloc::Layout,
    mem::{needs_drop, replace, ManuallyDrop},
    ops::{Deref, DerefMut},
    ptr::{null_mut, NonNull},
};
use kernel::{
    alloc::{allocator::Kmalloc, flags::__GFP_NOWARN, Allocator, Flags, NumaNode},
    bindings,
    prelude::*,
    sync::Arc,
};

/// What an arena may take, takes and took. It can be read at any time, without a lock.
///
/// Each number is exact by itself. Two of them agree when nobody takes or gives back meanwhile.
pub struct Meter {
    quota: usize,
    current: Atomic<usize>,
    asked: Atomic<usize>,
    peak: Atomic<usize>,
    failures: Atomic<u64>,
    refused: Atomic<u64>,
}

impl Meter {
    /// Begins with nothing taken of `quota` bytes.
    pub const fn new(quota: usize) -> Self {
        Self {
            quota,
            current: Atomic::new(0),
            asked: Atomic::new(0),
            peak: Atomic::new(0),
            failures: Atomic::new(0),
            refused: Atomic::new(0),
        }
    }

    /// The most bytes that there may be at once.
    pub fn quota(&self) -> usize {
        self.quota
    }

    /// The bytes that count against the quota now.
    pub fn current(&self) -> usize {
        self.current.load(Relaxed)
    }

    /// The most that counted at once.
    pub fn peak(&self) -> usize {
        self.peak.load(Relaxed)
    }

    /// How many attempts have failed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Relaxed)
    }

    /// How many of these the quota had no room for. For the others the kernel had no memory, or
    /// nothing can be so large.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// The bytes that count beyond those that were asked for.
    pub fn fragmentation(&self) -> usize {
        self.current().saturating_sub(self.asked.load(Relaxed))
    }

    /// Counts so many bytes more, if the quota has room. Returns how many there are then.
    fn charge(&self, cost: usize) -> Result<usize> {
        let fits = |now: usize| now.checked_add(cost).filter(|&then| then <= self.quota);
        let before = self.current.fetch_update(fits, Relaxed).map_err(|_| {
            self.refused.fetch_add(1, Relaxed);
            ENOMEM
        })?;
        Ok(before.saturating_add(cost))
    }

    /// What was charged was taken: so many bytes counted then.
    fn reached(&self, now: usize) {
        // Refused where the peak is higher already.
        let _ = self
            .peak
            .fetch_update(|peak| (peak < now).then_some(now), Relaxed);
    }

    fn uncharge(&self, cost: usize) {
        self.current.fetch_sub(cost, Relaxed);
    }
}

/// In front of each piece.
#[repr(C)]
struct Block {
    node: bindings::hlist_node,
    cost: u32,
    asked: u32,
}

/// Where the list of all blocks of an arena begins.
struct Blocks(bindings::hlist_head);

// SAFETY: The blocks belong to no thread.
unsafe impl Send for Blocks {}

/// The layout of a block for a piece, and where in it the piece is.
fn block_layout(piece: Layout) -> Result<(Layout, usize)> {
    let (layout, offset) = Layout::new::<Block>().extend(piece).map_err(|_| ENOMEM)?;
    Ok((layout.pad_to_align(), offset))
}

fn block_size(layout: Layout) -> usize {
    // SAFETY: Takes any size.
    unsafe { bindings::kmalloc_size_roundup(layout.size()) }
}

/// What a slice of `len` `T`, or one `T` in a box, counts against the quota. A box of a slice and
/// a box of the values alone count the same.
///
/// # Errors
///
/// `ENOMEM` if nothing is so large.
pub fn cost_of<T>(len: usize) -> Result<usize> {
    let piece = Layout::array::<T>(len).map_err(|_| ENOMEM)?;
    if piece.size() == 0 {
        return Ok(0);
    }
    Ok(block_size(block_layout(piece)?.0))
}

/// Memory for plain data up to a quota.
///
/// Dropping it frees all that was taken from it, given back or not.
///
/// # Invariants
///
/// `blocks` is the list of all blocks that were taken and not given back, each a live allocation of
/// [`Kmalloc`]. It is only touched under its lock.
///
/// # Examples
///
/// ```ignore
/// let arena = KBox::pin_init(Arena::new(64 << 10), GFP_KERNEL)?;
/// let mut table = arena.slice(512, 0u64, GFP_KERNEL)?;
/// if let Some(first) = table.first_mut() {
///     *first = 1;
/// }
/// let used = arena.meter().current();
/// drop(table);
/// assert!(used >= 4096 && arena.meter().current() == 0);
/// ```
#[pin_data(PinnedDrop)]
pub struct Arena {
    meter: Arc<Meter>,
    #[pin]
    blocks: RawSpinLockIrq<Blocks>,
}

impl Arena {
    /// Makes an arena of its own with a quota in bytes.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(quota: usize) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            let meter = Arc::new(Meter::new(quota), GFP_KERNEL)?;
            Ok(Self::metered(meter))
        })
    }

    /// Makes an arena that counts on `meter`, which may live longer. Arenas with the same meter
    /// share its quota.
    pub fn metered(meter: Arc<Meter>) -> impl PinInit<Self, Error> {
        // INVARIANT: The list is empty.
        try_pin_init!(Self {
            meter,
            blocks <- new_raw_spinlock_irq!(
                Blocks(bindings::hlist_head { first: null_mut() }),
                "childkernel_arena"
            ),
        })
    }

    /// The quota, and how much of it is used.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Takes memory for one value. `T` must not have drop glue.
    ///
    /// The value comes by way of the stack: for what is large, take a slice.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; the value is gone then.
    pub fn alloc<T>(&self, value: T, flags: Flags) -> Result<ArenaBox<'_, T>> {
        const_assert!(!needs_drop::<T>());
        let (block, at) = self.take(Some(Layout::new::<T>()), flags)?;
        let at = at.cast::<T>();
        // SAFETY: `take` returns memory for a `T` that nobody else has.
        unsafe { at.write(value) };
        // INVARIANT: The value was just written, into that block.
        Ok(ArenaBox {
            value: at,
            block,
            arena: self,
        })
    }

    /// Takes memory for `len` values that are all the same. `T` must not have drop glue.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, also if no slice can be so long.
    pub fn slice<T: Copy>(&self, len: usize, value: T, flags: Flags) -> Result<ArenaBox<'_, [T]>> {
        self.slice_with(len, |_| value, flags)
    }

    /// Takes memory for `len` values, each what `f` makes of its index. `T` must not have drop
    /// glue.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, also if no slice can be so long; `f` was not called then.
    pub fn slice_with<T>(
        &self,
        len: usize,
        mut f: impl FnMut(usize) -> T,
        flags: Flags,
    ) -> Result<ArenaBox<'_, [T]>> {
        const_assert!(!needs_drop::<T>());
        let (block, at) = self.take(Layout::array::<T>(len).ok(), flags)?;
        let at = at.cast::<T>();
        for index in 0..len {
            // If `f` does not return, the block stays in the list.
            let value = f(index);
            // SAFETY: `take` returns memory for `len` of `T` that nobody else has.
            unsafe { at.add(index).write(value) };
        }
        // INVARIANT: All values were just written, into that block.
        Ok(ArenaBox {
            value: NonNull::slice_from_raw_parts(at, len),
            block,
            arena: self,
        })
    }

    /// Returns memory of that layout, uninitialised, with the block that it is in; without one if
    /// it has no size. `None` is what no layout can describe.
    fn take(
        &self,
        piece: Option<Layout>,
        flags: Flags,
    ) -> Result<(Option<NonNull<Block>>, NonNull<u8>)> {
        let taken = match piece {
            Some(piece) if piece.size() == 0 => {
                // SAFETY: An alignment is not 0.
                let at = unsafe { NonNull::new_unchecked(piece.align() as *mut u8) };
                return Ok((None, at));
            }
            Some(piece) => self.take_block(piece, flags),
            None => Err(ENOMEM),
        };
        if taken.is_err() {
            self.meter.failures.fetch_add(1, Relaxed);
        }
        taken.map(|(block, at)| (Some(block), at))
    }

    fn take_block(&self, piece: Layout, flags: Flags) -> Result<(NonNull<Block>, NonNull<u8>)> {
        let (layout, offset) = block_layout(piece)?;
        let cost = block_size(layout);
        let header = Block {
            node: bindings::hlist_node {
                next: null_mut(),
                pprev: null_mut(),
            },
            cost: u32::try_from(cost).map_err(|_| ENOMEM)?,
            asked: u32::try_from(piece.size()).map_err(|_| ENOMEM)?,
        };
        let now = self.meter.charge(cost)?;
        // A failure is told to the caller, and counted: the log needs not know.
        let Ok(memory) = Kmalloc::alloc(layout, flags | __GFP_NOWARN, NumaNode::NO_NODE) else {
            self.meter.uncharge(cost);
            return Err(ENOMEM);
        };
        self.meter.reached(now);
        self.meter.asked.fetch_add(piece.size(), Relaxed);

        let block = memory.cast::<Block>();
        // SAFETY: The memory begins with a `Block`, aligned, and is ours.
        unsafe { block.write(header) };
        // SAFETY: The piece lies in the same memory.
        let at = unsafe { memory.cast::<u8>().add(offset) };

        let mut blocks = self.blocks.lock();
        // INVARIANT: It is live, and in the list from here on.
        // SAFETY: The node is valid and in no list; the list is ours while we hold the lock.
        unsafe {
            crate::ffi::childkernel_hlist_add_head(
                &raw mut (*block.as_ptr()).node,
                &raw mut blocks.0,
            )
        };
        Ok((block, at))
    }

    /// # Safety
    ///
    /// `block` must be in the list of this arena, and nobody may use it any more.
    unsafe fn give_back(&self, block: NonNull<Block>) {
        let blocks = self.blocks.lock();
        // INVARIANT: It is taken off the list before it is freed.
        // SAFETY: The block is in the list, which is ours while we hold the lock.
        unsafe { crate::ffi::childkernel_hlist_del(&raw mut (*block.as_ptr()).node) };
        drop(blocks);
        // SAFETY: It is live, in no list any more, and nobody uses it.
        unsafe { self.free(block) };
    }

    /// Frees all that was taken and not given back.
    ///
    /// # Safety
    ///
    /// Nobody may use any of it any more.
    pub(super) unsafe fn clear(&self) {
        // INVARIANT: The list is empty, and the blocks are ours alone.
        let mut next = replace(&mut self.blocks.lock().0.first, null_mut());
        // `node` is the first field of a block, so they are in the same place.
        while let Some(block) = NonNull::new(next.cast::<Block>()) {
            // SAFETY: By the type invariant it is live.
            next = unsafe { (*block.as_ptr()).node.next };
            // SAFETY: It is of this arena, in no list any more, and by the safety requirements of
            // this function nobody uses it.
            unsafe { self.free(block) };
        }
    }

    /// # Safety
    ///
    /// `block` must be live and of this arena, and nobody may use it any more; nor is it in the
    /// list.
    unsafe fn free(&self, block: NonNull<Block>) {
        // SAFETY: It is live, and only its two numbers are read.
        let (cost, asked) = unsafe { ((*block.as_ptr()).cost, (*block.as_ptr()).asked) };
        // Not by way of `Kmalloc::free`, which is `krealloc()` to no size.
        // SAFETY: By the type invariant it comes from `Kmalloc`, whose memory is that of `kmalloc()`;
        // and it is not used any more.
        unsafe { bindings::kfree(block.as_ptr().cast()) };
        self.meter.asked.fetch_sub(asked as usize, Relaxed);
        self.meter.uncharge(cost as usize);
    }
}

#[pinned_drop]
impl PinnedDrop for Arena {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: All that was taken borrows the arena, so nobody uses it any more.
        unsafe { self.clear() };
    }
}

/// A value, or a slice of values, in an [`Arena`]. Dropping it gives the memory back.
///
/// If it is not dropped, as when its thread dies, the arena keeps the memory until it goes itself.
///
/// # Invariants
///
/// `value` is initialised and belongs to this box alone. It is in `block`, which is in the list of
/// `arena`; if it has no size there is no block.
pub struct ArenaBox<'a, T: ?Sized> {
    value: NonNull<T>,
    block: Option<NonNull<Block>>,
    arena: &'a Arena,
}

// SAFETY: It owns its value, and an arena may be used from any thread.
unsafe impl<T: ?Sized + Send> Send for ArenaBox<'_, T> {}
// SAFETY: A shared reference to it gives shared references to the value, and no more.
unsafe impl<T: ?Sized + Sync> Sync for ArenaBox<'_, T> {}

impl<'a, T: ?Sized> ArenaBox<'a, T> {
    /// Keeps the memory for as long as there is the arena.
    pub fn leak(self) -> &'a mut T
    where
        T: 'a,
    {
        // SAFETY: By the type invariant the value is initialised and nobody else has it. As this
        // box is not dropped, it stays until the arena goes, which `'a` does not outlive.
        unsafe { ManuallyDrop::new(self).value.as_mut() }
    }
}

impl<T: ?Sized> Deref for ArenaBox<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant.
        unsafe { self.value.as_ref() }
    }
}

impl<T: ?Sized> DerefMut for ArenaBox<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: By the type invariant, and as this box is borrowed exclusively.
        unsafe { self.value.as_mut() }
    }
}

impl<T: ?Sized> Drop for ArenaBox<'_, T> {
    fn drop(&mut self) {
        if let Some(block) = self.block {
            // SAFETY: By the type invariant it is in the list of that arena, and what is in it is
            // this box's alone. The value needs no drop.
            unsafe { self.arena.give_back(block) };
        }
    }
}
