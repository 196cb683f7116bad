// SPDX-License-Identifier: GPL-2.0

//! What was lent for reading is not written, and is looked at only while it is kept for that.

use childkernel::{
    child::{region::View, ReadOnly, ReadWrite, Region, Shared},
    sync::atomic::{Acquire, Atomic, Relaxed, Release},
};
use kernel::prelude::*;

fn is_static<T: Send + Sync + 'static>(_: T) {}

#[cfg(right)]
pub fn all(region: &Region) -> Result<usize> {
    let (read, write) = (region.lend::<ReadOnly>()?, region.lend::<ReadWrite>()?);
    for word in write.view()?.iter() {
        word.store(1, Release);
    }
    let view = read.view()?;
    let sum = view.iter().map(|word| word.load(Acquire)).sum();
    drop(view);
    is_static((read, write));
    Ok(sum)
}

#[cfg(not(right))]
pub fn stored(view: &View<'_, ReadOnly>) {
    for word in view.iter() {
        word.store(1, Relaxed); //~ E0599
        word.fetch_add(1, Relaxed); //~ E0599
    }
}

#[cfg(not(right))]
pub fn seen_as_atomics<'a>(view: &'a View<'_, ReadOnly>) -> &'a [Atomic<usize>] {
    view //~ E0308
}

#[cfg(not(right))]
pub fn mutable(mut view: View<'_, ReadOnly>, value: View<'_, ReadOnly>) {
    view.swap(0, 1); //~ E0596
    drop(value);
}

#[cfg(not(right))]
pub fn made_writable(shared: Shared<ReadOnly>) -> Shared<ReadWrite> {
    shared //~ E0308
}

#[cfg(not(right))]
pub fn any_access(_: Shared<u64>) {} //~ E0277

#[cfg(not(right))]
pub fn outlives(shared: Shared<ReadOnly>) -> Result<usize> {
    let view = shared.view()?;
    drop(shared); //~ E0505
    Ok(view.len())
}

#[cfg(not(right))]
pub fn returned(shared: Shared<ReadOnly>) -> Result<View<'static, ReadOnly>> {
    shared.view() //~ E0515
}

/// Nor is a word seen without the view.
#[cfg(not(right))]
pub fn after_view(shared: &Shared<ReadWrite>) -> Result<usize> {
    let view = shared.view()?;
    let words: &[Atomic<usize>] = &view;
    drop(view); //~ E0505
    Ok(words.len())
}

/// A child's threads come and go: it has what was lent, not a view of it.
#[cfg(not(right))]
pub fn captured(shared: &Shared<ReadOnly>) {
    is_static(shared.view()); //~ E0521
}

#[cfg(not(right))]
pub fn owner_words(region: KBox<Region>) -> usize {
    let words = region.words();
    drop(region); //~ E0505
    words.len()
}
