// SPDX-License-Identifier: GPL-2.0

//! The pages of a region, and where they are mapped: each mapping holds them.

use crate::sync::atomic::{Atomic, Relaxed};
use core::{mem::size_of, ptr::NonNull};
use kernel::{
    alloc::flags::{__GFP_NOWARN, __GFP_ZERO},
    page::{Page, PAGE_SIZE},
    prelude::*,
    sync::Arc,
};

static PAGES: Atomic<usize> = Atomic::new(0);
static QUARANTINED: Atomic<usize> = Atomic::new(0);

/// How many pages all regions of this machine have now, those in quarantine included.
pub fn pages() -> usize {
    PAGES.load(Relaxed)
}

/// How many pages there are whose region is gone, but which are still viewed.
///
/// It falls again when the last of these views ends. Those of a thread that died never do.
pub fn quarantined_pages() -> usize {
    QUARANTINED.load(Relaxed)
}

/// Whether a write through a read-only mapping faults on this machine.
pub fn read_only_is_enforced() -> bool {
    // SAFETY: Compares two constants.
    unsafe { crate::ffi::childkernel_region_ro_is_enforced() }
}

/// The pages of a region, which belong to nobody else.
pub(super) struct Pages {
    list: KVVec<Page>,
    /// Set when the region is gone and has left them to their users.
    orphaned: Atomic<bool>,
}

impl Pages {
    pub(super) fn new(bytes: usize) -> Result<Self> {
        let count = bytes.div_ceil(PAGE_SIZE);
        let mut list = KVVec::with_capacity(count, GFP_KERNEL)?;
        for _ in 0..count {
            let page = Page::alloc_page(GFP_KERNEL | __GFP_ZERO | __GFP_NOWARN)?;
            list.push(page, GFP_KERNEL)?;
        }
        PAGES.fetch_add(count, Relaxed);
        Ok(Self {
            list,
            orphaned: Atomic::new(false),
        })
    }

    /// The region is gone, but its pages are viewed. To be called once, by one who has them.
    pub(super) fn quarantine(&self) {
        let count = self.list.len();
        pr_warn!("a shared region is gone, and its {count} pages stay as they are viewed\n");
        QUARANTINED.fetch_add(count, Relaxed);
        self.orphaned.store(true, Relaxed);
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        PAGES.fetch_sub(self.list.len(), Relaxed);
        if self.orphaned.load(Relaxed) {
            QUARANTINED.fetch_sub(self.list.len(), Relaxed);
        }
    }
}

/// Where the words of a mapping are.
#[derive(Clone, Copy)]
pub(super) struct Words(pub(super) NonNull<[Atomic<usize>]>);

// SAFETY: An address of atomics, which any thread may use as long as they are there.
unsafe impl Send for Words {}
// SAFETY: As above.
unsafe impl Sync for Words {}

/// A mapping of all pages of a region. Dropping it undoes it, in process context.
///
/// # Invariants
///
/// `words` is a live `vmap()` of `pages`, all of it, made for this value alone.
pub(super) struct Mapping {
    pub(super) words: Words,
    pub(super) pages: Arc<Pages>,
}

impl Mapping {
    pub(super) fn new(pages: Arc<Pages>, read_only: bool) -> Result<KBox<Self>> {
        let place = KBox::new_uninit(GFP_KERNEL)?;
        let mut list = KVVec::with_capacity(pages.list.len(), GFP_KERNEL)?;
        for page in pages.list.iter() {
            list.push(page.as_ptr(), GFP_KERNEL)?;
        }
        let count = u32::try_from(list.len()).map_err(|_| EINVAL)?;
        // SAFETY: There are `count` pages in the list, valid as long as there is `pages`. They hold
        // nothing but atomic words, so another mapping of them does no harm.
        let at = unsafe { crate::ffi::childkernel_region_map(list.as_mut_ptr(), count, read_only) };
        let at = NonNull::new(at.cast::<Atomic<usize>>()).ok_or(ENOMEM)?;
        let len = list.len() * (PAGE_SIZE / size_of::<usize>());
        // INVARIANT: Just mapped.
        let mapping = Self {
            words: Words(NonNull::slice_from_raw_parts(at, len)),
            pages,
        };
        Ok(place.write(mapping))
    }

    /// Tells who looks for leaks that the one at this address, which nobody refers to any more, is
    /// none.
    pub(super) fn keep(at: usize) {
        // SAFETY: The address is not followed, only looked up.
        unsafe { crate::ffi::childkernel_region_keep(core::ptr::without_provenance(at)) };
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // The pages are let go of after this, with the field.
        // SAFETY: By the type invariant. Whoever drops this says that nobody uses the words.
        unsafe { crate::ffi::childkernel_region_unmap(self.words.0.as_ptr().cast()) };
    }
}
