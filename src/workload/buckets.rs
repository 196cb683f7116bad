// SPDX-License-Identifier: GPL-2.0

//! The buckets of a hash table, as many of them as one lock is for, and the locks that can have
//! them inside.
//!
//! A bucket has a place for each key that may come there, so that nothing is allocated under a lock
//! and, where a lock does not do its work, nothing is written where it should not be.
#![deny(unsafe_code)]

use crate::{
    stats::Counted,
    sync::{
        lock::Lock,
        lockable::{BackendKind, Lockable},
        RwLock,
    },
};
use kernel::prelude::*;

/// How many buckets there are: a power of two.
pub(super) const BUCKETS: usize = 64;

pub(super) fn bucket_of(key: u64) -> usize {
    (mix(key) >> 32) as usize % BUCKETS
}

pub(super) fn mix(word: u64) -> u64 {
    let word = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    word ^ (word >> 29)
}

#[derive(Clone, Copy)]
pub(crate) struct Entry {
    pub(super) key: u64,
    /// Never 0.
    pub(crate) value: u64,
    /// Tells the other two in another way.
    check: u64,
}

impl Entry {
    pub(crate) fn new(key: u64, value: u64) -> Self {
        Self {
            key,
            value,
            check: mix(key) ^ value.rotate_left(17),
        }
    }

    pub(super) fn is_whole(&self) -> bool {
        self.value != 0 && self.check == Self::new(self.key, self.value).check
    }
}

/// A place for each key that may come here.
type Bucket = KVec<Option<Entry>>;

/// The buckets that one lock is for.
pub(crate) struct Shard(KVec<Bucket>);

impl Shard {
    /// Makes as many buckets as `room` has items, each with so many places.
    pub(crate) fn new(room: impl Iterator<Item = usize>) -> Result<Self> {
        let mut buckets = KVec::new();
        for places in room {
            buckets.push(KVec::from_elem(None, places, GFP_KERNEL)?, GFP_KERNEL)?;
        }
        Ok(Self(buckets))
    }

    fn bucket(&self, row: usize) -> &[Option<Entry>] {
        self.0.get(row).map_or(&[], |bucket| bucket)
    }

    fn bucket_mut(&mut self, row: usize) -> &mut [Option<Entry>] {
        self.0.get_mut(row).map_or(&mut [], |bucket| bucket)
    }

    /// The entry of a key, and how often the key is there.
    pub(crate) fn find(&self, row: usize, key: u64) -> (Option<Entry>, u64) {
        let entries = self.bucket(row).iter().flatten();
        let mut found = entries.filter(|entry| entry.key == key);
        let first = found.next().copied();
        let more = found.count() as u64;
        (first, more.wrapping_add(u64::from(first.is_some())))
    }

    /// How many entries there are in all buckets.
    pub(super) fn count(&self) -> usize {
        let buckets = self.0.iter();
        buckets.map(|bucket| bucket.iter().flatten().count()).sum()
    }

    /// Puts an entry where there is none.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if there is no place left, so that some key must be there twice.
    pub(crate) fn put(&mut self, row: usize, entry: Entry) -> Result {
        let mut places = self.bucket_mut(row).iter_mut();
        let free = places.find(|place| place.is_none()).ok_or(ENOSPC)?;
        *free = Some(entry);
        Ok(())
    }

    pub(crate) fn remove(&mut self, row: usize, key: u64) -> Option<Entry> {
        let mut places = self.bucket_mut(row).iter_mut();
        let place = places.find(|place| place.is_some_and(|entry| entry.key == key));
        place.and_then(Option::take)
    }
}

/// A lock that has buckets inside.
pub(super) trait Holds: Lockable + Send + Sync {
    fn shard<'a>(guard: &'a Self::Guard<'_>) -> &'a Shard;
    fn shard_mut<'a>(guard: &'a mut Self::Guard<'_>) -> &'a mut Shard;
    /// Looks as one that changes nothing.
    fn read<R>(counted: &Counted<Self>, look: impl FnOnce(&Shard) -> R) -> R
    where
        Self: Sized,
    {
        look(Self::shard(&counted.lock()))
    }
}

impl<B: BackendKind + Send + Sync> Holds for Lock<Shard, B> {
    fn shard<'a>(guard: &'a Self::Guard<'_>) -> &'a Shard {
        guard
    }

    fn shard_mut<'a>(guard: &'a mut Self::Guard<'_>) -> &'a mut Shard {
        guard
    }
}

/// Those that look up share it, which is not counted.
impl Holds for RwLock<Shard> {
    fn shard<'a>(guard: &'a Self::Guard<'_>) -> &'a Shard {
        guard
    }

    fn shard_mut<'a>(guard: &'a mut Self::Guard<'_>) -> &'a mut Shard {
        guard
    }

    fn read<R>(counted: &Counted<Self>, look: impl FnOnce(&Shard) -> R) -> R {
        look(&counted.inner().read())
    }
}
