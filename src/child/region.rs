// SPDX-License-Identifier: GPL-2.0

//! Shared regions: pages that a parent lends to its children, and takes back.
//!
//! Messages move values from one to another. What is too large to move, or what many look at while
//! one changes it, lies in a region instead. A child gets it for reading or for reading and
//! writing, which is part of the type; and it gets it for a time: the parent can take it back while
//! the child goes on.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/vmalloc.h`](srctree/include/linux/vmalloc.h) |
//! | context | making, lending, revoking and dropping a region: process; viewing, ending a view, dropping what was lent: process, softirq and hardirq |
//! | safe against | preempt-safe, SMP-safe and interrupt-safe: each word is an atomic, two of them are not one; a view keeps its pages mapped |
//! | sleeps | all that a region does; views never do |
//! | `PREEMPT_RT` | in hardirq neither end a view nor drop what was lent: the last one wakes any number of threads |
//! | fairness | a revocation lets nobody in any more, so it waits only for those who were inside |
//! | cost | a view: one atomic operation when it begins and one when it ends; lending: `vmap()`; taking back: `vunmap()` and a flush of all TLBs |
//! | order | of a word's accesses as their argument says; what was done in a view comes before the unmapping |
//! | errors | `EINVAL` for a size that no region has, `ENOMEM`; `EACCES` for a view after revocation; `ETIMEDOUT` if one is still viewed when the limit is over |
//!
//! # Read-only
//!
//! [`ReadOnly`] has no operation that writes. Beyond that each lend is a mapping of its own, and
//! this one is made with `PAGE_KERNEL_RO`: a write through a stray pointer to it faults in the child
//! that does it, which dies of it, and nothing is changed. The direct map of the kernel has the same
//! pages writable, as it has all memory: this finds mistakes, it does not stop malice. Where the
//! architecture has no read-only kernel pages ([`read_only_is_enforced`]), only the type protects.
//!
//! # When the pages go back
//!
//! Every mapping holds the pages. It is undone when its lend has been revoked, or all that were
//! handed out of it were dropped, and nobody views it any more: first `vunmap()`, then
//! `vm_unmap_aliases()`, so that no TLB knows them either, and only then are they let go of.
//! If nobody waits for that, it is done by the queue for deferred reclaim, soon after.
//!
//! A thread that dies of an oops never ends its view. Nobody can tell it from one that is slow, so
//! its mapping and the pages stay, until the next boot if need be, and [`quarantined_pages`] says
//! how many that are once the region itself is gone.
#![deny(clippy::undocumented_unsafe_blocks)]

use crate::{
    new_completion,
    sync::{
        atomic::{ordering::AcquireOrRelaxed, Acquire, Atomic, FetchUpdate, Full, Relaxed},
        rcu, Completion,
    },
};
use core::{
    marker::PhantomData,
    mem::{size_of, ManuallyDrop},
    ops::Deref,
};
use kernel::{
    container_of, new_mutex,
    prelude::*,
    sync::{Arc, Mutex},
    time::Jiffies,
    types::Opaque,
};

mod pages;

pub use pages::{pages, quarantined_pages, read_only_is_enforced};
use pages::{Mapping, Pages, Words};

/// The most bytes that a region can have: 64 MiB.
pub const SIZE_MAX: usize = 64 << 20;

/// What may be done with what was lent.
///
/// # Safety
///
/// `Word` is `Atomic<usize>`, or a transparent wrapper of it; if `READ_ONLY`, it never stores.
pub unsafe trait Access: Send + Sync + 'static {
    /// Whether it is mapped read-only.
    const READ_ONLY: bool;
    /// What a view is a slice of.
    type Word: Send + Sync + 'static;
}

/// Only reading.
pub enum ReadOnly {}

// SAFETY: `ReadWord` is such a wrapper and has nothing but a load. `usize` is a machine word, which
// no architecture needs to write to in order to load it.
unsafe impl Access for ReadOnly {
    const READ_ONLY: bool = true;
    type Word = ReadWord;
}

/// Reading and writing.
pub enum ReadWrite {}

// SAFETY: It is that type.
unsafe impl Access for ReadWrite {
    const READ_ONLY: bool = false;
    type Word = Atomic<usize>;
}

/// A word that others may write meanwhile, and that can only be loaded.
#[repr(transparent)]
pub struct ReadWord(Atomic<usize>);

impl ReadWord {
    /// Loads it: `Relaxed`, or `Acquire` to see all that was written before a `Release` store.
    #[inline]
    pub fn load<O: AcquireOrRelaxed>(&self, order: O) -> usize {
        self.0.load(order)
    }
}

/// In `Lend::users` beside the number of views.
const REVOKED: u64 = 1 << 63;

/// One mapping of a region, lent.
///
/// # Invariants
///
/// While `users` is not `REVOKED` alone, `mapping` is there, `words` are its words and `at` is its
/// address. Once it is, it stays so, and exactly one has made it so, who was told.
#[pin_data(PinnedDrop)]
struct Lend {
    words: Words,
    users: Atomic<u64>,
    /// Completed for good when `users` is `REVOKED` alone.
    #[pin]
    idle: Completion,
    /// Also held while it is undone, so that it is when another finds it gone. What is left in it
    /// in the end is not undone.
    #[pin]
    mapping: Mutex<ManuallyDrop<Option<KBox<Mapping>>>>,
    at: usize,
    #[pin]
    reclaim: Opaque<rcu::Reclaim>,
}

// SAFETY: All but `reclaim` is `Send`, and that belongs to no thread.
unsafe impl Send for Lend {}
// SAFETY: All but `reclaim` is `Sync`, and that is used by the one alone who made it idle.
unsafe impl Sync for Lend {}

impl Lend {
    fn new(mapping: KBox<Mapping>) -> Result<Arc<Self>> {
        // INVARIANT: It is not revoked.
        let lend = pin_init!(Self {
            words: mapping.words,
            users: Atomic::new(0),
            idle <- new_completion!("childkernel_region_idle"),
            at: core::ptr::from_ref(&*mapping).addr(),
            mapping <- new_mutex!(
                ManuallyDrop::new(Some(mapping)),
                "childkernel_region_mapping"
            ),
            reclaim: Opaque::uninit(),
        });
        Arc::pin_init(lend, GFP_KERNEL)
    }

    /// Counts one more user.
    #[inline]
    fn enter(&self) -> Result {
        // The count and the revocation are one word, so one of the two comes first. If it is the
        // revocation, this fails; if this, the revocation finds a user to wait for. Acquire: no
        // word is loaded before it is known which.
        let more = |now: u64| (now & REVOKED == 0).then_some(now + 1);
        let counted = self.users.fetch_update(more, Acquire);
        counted.map(drop).map_err(|_| EACCES)
    }

    /// Uncounts a user, who must have entered.
    #[inline]
    fn leave(this: &Arc<Self>) {
        // Full: all that this user has done is done before the count falls, and what the others
        // have done, whose counts came down before, is done before the last one has it unmapped.
        if this.users.fetch_sub(1, Full) == REVOKED | 1 {
            this.idle.complete_all();
            // There may be a revocation that waits, or not any more, or the region is gone.
            Self::unmap_later(this);
        }
    }

    /// Lets nobody in any more, and says whether nobody is left inside by that.
    fn revoke(&self) -> bool {
        let revoked = |now: u64| (now & REVOKED == 0).then_some(now | REVOKED);
        // Full: as in `leave`, if they have all left already.
        let idle = self.users.fetch_update(revoked, Full) == Ok(0);
        if idle {
            self.idle.complete_all();
        }
        idle
    }

    fn is_revoked(&self) -> bool {
        self.users.load(Relaxed) & REVOKED != 0
    }

    /// Undoes the mapping if nobody is or comes inside, and says so.
    fn try_unmap(&self) -> bool {
        let idle = self.idle.is_done();
        if idle {
            // INVARIANT: `users` is `REVOKED` alone.
            **self.mapping.lock() = None;
        }
        idle
    }

    /// Has the mapping undone in process context. To be called by the one who made it idle.
    fn unmap_later(this: &Arc<Self>) {
        let lend = Arc::into_raw(this.clone());
        // SAFETY: It is kept by the reference that was just made, and by the type invariant this
        // is called once.
        unsafe {
            rcu::reclaim(
                Opaque::cast_into(&raw const (*lend).reclaim),
                Self::unmap_now,
            )
        };
    }

    /// # Safety
    ///
    /// `item` must have been given to deferred reclaim by `unmap_later`.
    unsafe extern "C" fn unmap_now(item: *mut rcu::Reclaim) {
        // SAFETY: It is in a `Lend`, whose reference `unmap_later` has left to this function.
        let lend = unsafe { Arc::from_raw(container_of!(Opaque::cast_from(item), Self, reclaim)) };
        lend.try_unmap();
    }
}

#[pinned_drop]
impl PinnedDrop for Lend {
    fn drop(self: Pin<&mut Self>) {
        // Whoever views it has borrowed what refers to this. So such a user has died, or has
        // forgotten its view; but what it has left behind may still be used.
        if self.users.load(Relaxed) & !REVOKED != 0 {
            // Nor is the lock taken, as this may be an interrupt.
            Mapping::keep(self.at);
        }
    }
}

/// All that were handed out of one lend have it together. The last one to go ends the lend.
struct Lease(Arc<Lend>);

impl Drop for Lease {
    fn drop(&mut self) {
        if self.0.revoke() {
            Lend::unmap_later(&self.0);
        }
    }
}

/// Pages that can be lent.
///
/// Dropping it revokes all that was lent. It does not wait: what is viewed just then stays until it
/// is not, in quarantine, and the log says so.
///
/// # Examples
///
/// ```ignore
/// let region = KBox::pin_init(Region::new(64 << 10), GFP_KERNEL)?;
/// let table = region.lend::<ReadOnly>()?;
/// let child = Builder::new(&THIS_MODULE, c"reader").spawn(move |ctx| {
///     while !ctx.should_stop() {
///         let view = table.view()?; // EACCES: it was taken back.
///         let sum: usize = view.iter().map(|word| word.load(Relaxed)).sum();
///         drop(view);
///         ctx.sleep(10);
///     }
///     Ok(())
/// })?;
/// if let Some(first) = region.words().first() {
///     first.store(1, Relaxed);
/// }
/// region.revoke(Context::jiffies(1000))?;
/// ```
#[pin_data(PinnedDrop)]
pub struct Region {
    own: KBox<Mapping>,
    /// Those that are mapped, and some that are not any more.
    #[pin]
    lends: Mutex<KVec<Arc<Lend>>>,
}

impl Region {
    /// Makes a region of `bytes`, rounded up to whole pages, that are all 0.
    ///
    /// # Errors
    ///
    /// `EINVAL` for 0 and for more than [`SIZE_MAX`], which the log says; `ENOMEM`.
    pub fn new(bytes: usize) -> impl PinInit<Self, Error> {
        pin_init::pin_init_scope(move || {
            if bytes == 0 || bytes > SIZE_MAX {
                pr_warn!("a shared region has 1 to {SIZE_MAX} bytes, not {bytes}\n");
                return Err(EINVAL);
            }
            let pages = Arc::new(Pages::new(bytes)?, GFP_KERNEL)?;
            let own = Mapping::new(pages, false)?;
            Ok(try_pin_init!(Self {
                own,
                lends <- new_mutex!(KVec::new(), "childkernel_region_lends"),
            }))
        })
    }

    /// Its bytes: whole pages.
    pub fn size(&self) -> usize {
        self.own.words.0.len() * size_of::<usize>()
    }

    /// What is in it, for its owner, whatever was lent and revoked.
    pub fn words(&self) -> &[Atomic<usize>] {
        // SAFETY: Its own mapping stays as long as it does. All others have them as atomics too.
        unsafe { self.own.words.0.as_ref() }
    }

    /// Lends all of it. What is lent can be cloned, and is revoked by itself alone, or together
    /// with all else.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, of memory or of address space.
    pub fn lend<A: Access>(&self) -> Result<Shared<A>> {
        Ok(Shared {
            lease: self.lease(A::READ_ONLY)?,
            access: PhantomData,
        })
    }

    fn lease(&self, read_only: bool) -> Result<Arc<Lease>> {
        let lend = Lend::new(Mapping::new(self.own.pages.clone(), read_only)?)?;
        self.hand_out(&lend).inspect_err(|_| {
            // Nobody has seen it, so it is undone now, and not some time.
            lend.revoke();
            lend.try_unmap();
        })
    }

    fn hand_out(&self, lend: &Arc<Lend>) -> Result<Arc<Lease>> {
        let lease = Arc::new(Lease(lend.clone()), GFP_KERNEL)?;
        let mut lends = self.lends.lock();
        lends.retain(|lend| !lend.try_unmap());
        lends.push(lend.clone(), GFP_KERNEL)?;
        drop(lends);
        Ok(lease)
    }

    /// Takes back all that was lent: lets nobody in any more, waits for those inside, `limit`
    /// jiffies at most for all of them, and undoes the mappings. Neither a signal nor a stop ends
    /// the wait: keep it short.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` if one of them is still viewed then, as when the caller views it itself. It is
    /// revoked all the same, and its mapping undone when its last view ends.
    pub fn revoke(&self, limit: Jiffies) -> Result {
        for lend in self.lends.lock().iter() {
            lend.revoke();
        }
        let mut left = limit;
        loop {
            let mut lends = self.lends.lock();
            lends.retain(|lend| !lend.try_unmap());
            let Some(viewed) = lends.iter().find(|lend| lend.is_revoked()).cloned() else {
                return Ok(());
            };
            drop(lends);
            left = viewed.idle.wait_timeout(left)?;
        }
    }
}

#[pinned_drop]
impl PinnedDrop for Region {
    fn drop(self: Pin<&mut Self>) {
        if self.revoke(0).is_err() {
            // We have the pages until after this, so nobody can let go of them before.
            self.own.pages.quarantine();
        }
    }
}

/// A region that was lent, to look into for a while at a time.
///
/// A child's entry function captures it. Dropping the last clone gives it back.
pub struct Shared<A: Access> {
    lease: Arc<Lease>,
    access: PhantomData<A>,
}

impl<A: Access> Clone for Shared<A> {
    fn clone(&self) -> Self {
        Self {
            lease: self.lease.clone(),
            access: PhantomData,
        }
    }
}

impl<A: Access> Shared<A> {
    /// Begins to use it. It stays mapped until the view is dropped; a revocation waits for that, so
    /// keep it for a moment, not for good.
    ///
    /// # Errors
    ///
    /// `EACCES` if it was revoked, or the region is gone.
    #[inline]
    pub fn view(&self) -> Result<View<'_, A>> {
        let lend = &self.lease.0;
        lend.enter()?;
        // INVARIANT: Just counted.
        Ok(View {
            lend,
            access: PhantomData,
        })
    }

    /// Takes back this lend alone, with its clones, as [`Region::revoke`] does all.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn revoke(&self, limit: Jiffies) -> Result {
        let lend = &self.lease.0;
        lend.revoke();
        lend.idle.wait_timeout(limit)?;
        lend.try_unmap();
        Ok(())
    }
}

/// What was lent, as words, while it is used.
///
/// # Invariants
///
/// It is counted in `lend.users`.
#[must_use = "a view ends when it is dropped"]
pub struct View<'a, A: Access> {
    lend: &'a Arc<Lend>,
    access: PhantomData<A>,
}

impl<A: Access> Deref for View<'_, A> {
    type Target = [A::Word];

    #[inline]
    fn deref(&self) -> &[A::Word] {
        let words = self.lend.words.0.as_ptr() as *const [A::Word];
        // SAFETY: By the invariants of this type and of `Lend` they are mapped for as long as this
        // view is there. By `Access` they are as good as atomics of the type that all have them as,
        // and if they are mapped read-only nothing is stored.
        unsafe { &*words }
    }
}

impl<A: Access> Drop for View<'_, A> {
    #[inline]
    fn drop(&mut self) {
        Lend::leave(self.lend);
    }
}
