// SPDX-License-Identifier: GPL-2.0

//! Shared regions: what is lent, and who sees and changes what.

use super::{eventually, is_done, skip, spawn, MODULE};
use childkernel::{
    child::{
        region::{pages, read_only_is_enforced, SIZE_MAX},
        Builder, ReadOnly, ReadWrite, Region, Shared,
    },
    sync::atomic::{Acquire, Atomic, Relaxed, Release},
};
use core::mem::size_of;
use kernel::{bindings, page::PAGE_SIZE, prelude::*, sync::Arc};

cases!(child_region:
    region_size,
    region_size_refused,
    region_read_only,
    region_read_only_is_mapped_so,
    region_read_write,
    region_two_lends,
);

const WORDS: usize = PAGE_SIZE / size_of::<usize>();

pub(super) fn region(bytes: usize) -> Result<Arc<Region>> {
    Arc::pin_init(Region::new(bytes), GFP_KERNEL)
}

/// What is mapped at this address, if anything is.
pub(super) fn page_at<T>(words: *const [T]) -> *const bindings::page {
    // SAFETY: It is an address of the vmalloc area, where this only looks at page tables.
    unsafe { bindings::vmalloc_to_page(words.cast()) }
}

pub(super) fn sevens(pages: usize) -> Result<Arc<Region>> {
    let region = region(pages * PAGE_SIZE)?;
    for word in region.words() {
        word.store(7, Relaxed);
    }
    Ok(region)
}

/// Whole pages, all 0, and as many as that.
fn region_size() -> Result {
    let before = pages();
    for (bytes, whole) in [
        (1, 1),
        (PAGE_SIZE, 1),
        (PAGE_SIZE + 1, 2),
        (100 * PAGE_SIZE, 100),
    ] {
        let region = region(bytes)?;
        ensure!(region.size() == whole * PAGE_SIZE && pages() == before + whole);
        ensure!(region.words().len() == whole * WORDS);
        ensure!(region.words().iter().all(|w| w.load(Relaxed) == 0));
        let shared = region.lend::<ReadOnly>()?;
        let view = shared.view()?;
        ensure!(view.len() == whole * WORDS);
        for (n, word) in region.words().iter().enumerate() {
            word.store(!n, Relaxed);
        }
        let mut seen = view.iter().enumerate();
        ensure!(seen.all(|(n, w)| w.load(Relaxed) == !n));
    }
    ensure!(pages() == before);
    Ok(())
}

fn region_size_refused() -> Result {
    let before = pages();
    for bytes in [0, SIZE_MAX + 1, usize::MAX] {
        ensure!(region(bytes).err() == Some(EINVAL));
    }
    ensure!(pages() == before);
    Ok(())
}

/// The child sees what the parent writes while it looks.
fn region_read_only() -> Result {
    const ROUNDS: usize = 50;
    let region = region(PAGE_SIZE)?;
    let shared = region.lend::<ReadOnly>()?;
    let seen = Arc::new(Atomic::new(0usize), GFP_KERNEL)?;
    let its_seen = seen.clone();
    let child = spawn(c"reader", move |ctx| {
        let view = shared.view()?;
        let first = view.first().ok_or(EINVAL)?;
        let mut last = 0;
        while last < ROUNDS && !ctx.should_stop() {
            let round = first.load(Acquire);
            // The rest was written before.
            let old = |n: usize| n < round;
            if round < last || view.iter().skip(1).any(|w| old(w.load(Relaxed))) {
                return Err(EUCLEAN);
            }
            last = round;
            its_seen.store(round, Relaxed);
            ctx.sleep(1);
        }
        Ok(())
    })?;
    for round in 1..=ROUNDS {
        for word in region.words().iter().rev().take(WORDS - 1) {
            word.store(round, Relaxed);
        }
        region.words().first().ok_or(EINVAL)?.store(round, Release);
        if round % 10 == 0 {
            ensure!(eventually(|| seen.load(Relaxed) == round));
        }
    }
    ensure!(is_done(&child));
    Ok(())
}

extern "C" {
    /// See `nofault.c`.
    fn child_test_store_faults(at: *mut usize, value: usize) -> bool;
}

/// A store through the mapping faults, and is none; one through the parent's own is seen.
fn region_read_only_is_mapped_so() -> Result {
    if !read_only_is_enforced() {
        return skip(
            "region_read_only_is_mapped_so",
            "this architecture has no read-only kernel pages",
        );
    }
    let region = sevens(3)?;
    let (read, write) = (region.lend::<ReadOnly>()?, region.lend::<ReadWrite>()?);
    let (read, write) = (read.view()?, write.view()?);
    // SAFETY: What is there are words, which others take for atomics; a fault is survived.
    let faults = |at: *const usize| unsafe { child_test_store_faults(at.cast_mut(), 8) };
    for word in read.iter().step_by(WORDS / 2) {
        ensure!(faults(core::ptr::from_ref(word).cast()));
    }
    ensure!(read.iter().all(|w| w.load(Relaxed) == 7));
    for word in write.iter().step_by(WORDS / 2) {
        ensure!(!faults(core::ptr::from_ref(word).cast()));
    }
    let changed = read.iter().filter(|w| w.load(Relaxed) == 8).count();
    ensure!(changed == 6);
    Ok(())
}

/// All add, and nothing is lost.
fn region_read_write() -> Result {
    const TIMES: usize = 300;
    let region = region(2 * PAGE_SIZE)?;
    let shared = region.lend::<ReadWrite>()?;
    let child = Builder::new(&MODULE, c"writer")
        .threads(3)
        .spawn(move |_| {
            for _ in 0..TIMES {
                for word in shared.view()?.iter().step_by(100) {
                    word.fetch_add(1, Relaxed);
                }
            }
            Ok(())
        })?;
    for _ in 0..TIMES {
        for word in region.words().iter().step_by(100) {
            word.fetch_add(1, Relaxed);
        }
    }
    ensure!(is_done(&child));
    for (n, word) in region.words().iter().enumerate() {
        let sum = if n % 100 == 0 { 4 * TIMES } else { 0 };
        ensure!(word.load(Relaxed) == sum);
    }
    Ok(())
}

/// Both are the same pages, at addresses of their own, and end by themselves.
fn region_two_lends() -> Result {
    let region = region(PAGE_SIZE)?;
    let (read, write) = (region.lend::<ReadOnly>()?, region.lend::<ReadWrite>()?);
    {
        let (reading, writing) = (read.view()?, write.view()?);
        let (at, other) = (reading.as_ptr().addr(), writing.as_ptr().addr());
        ensure!(at != other && at != region.words().as_ptr().addr());
        ensure!(page_at(&raw const *reading) == page_at(&raw const *writing));
        writing.last().ok_or(EINVAL)?.store(5, Release);
        ensure!(reading.last().is_some_and(|w| w.load(Acquire) == 5));
    }
    write.revoke(0)?;
    ensure!(write.view().err() == Some(EACCES) && write.clone().view().is_err());
    ensure!(read.view()?.last().is_some_and(|w| w.load(Relaxed) == 5));
    ensure!(region.words().last().is_some_and(|w| w.load(Relaxed) == 5));
    Ok(())
}

/// Writes through the mapping where the type has nothing to write with: the thread that does so
/// dies where [`read_only_is_enforced`]. For the tests that cost a machine.
#[allow(dead_code)]
pub(crate) fn write_through_read_only(shared: &Shared<ReadOnly>) -> Result {
    let view = shared.view()?;
    let first = core::ptr::from_ref(view.first().ok_or(EINVAL)?);
    // SAFETY: None: this is the mistake that the mapping is there for.
    unsafe { first.cast::<usize>().cast_mut().write_volatile(8) };
    Ok(())
}
