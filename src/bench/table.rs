// SPDX-License-Identifier: GPL-2.0

//! A hash table with one lock, or with one for each so many buckets: the Rust side of `table.c`.
//!
//! Its entries are linked by their places in a vector, as C's are by pointers. All keys are there:
//! what is measured is finding them, and changing what is found.
#![deny(unsafe_code)]

use super::{
    ffi::{self, Batch},
    race::{self, Course, Racer},
};
use crate::sync::{atomic::Relaxed, new_spinlock, SpinLock};
use core::hint::black_box;
use kernel::{prelude::*, sync::Arc};

/// As in `table.c`.
pub(super) const BUCKETS: usize = 256;
const KEYS: u64 = 1024;

/// The end of a chain.
const NONE: u32 = u32::MAX;

struct Entry {
    key: u64,
    value: u64,
    next: u32,
}

/// The buckets that one lock is for: each begins at an entry.
struct Buckets {
    heads: KVec<u32>,
    entries: KVec<Entry>,
}

impl Buckets {
    fn new(buckets: usize) -> Result<Self> {
        Ok(Self {
            heads: KVec::from_elem(NONE, buckets, GFP_KERNEL)?,
            entries: KVec::new(),
        })
    }

    fn insert(&mut self, row: usize, key: u64) -> Result {
        let at = self.entries.len() as u32;
        let head = self.heads.get_mut(row).ok_or(EINVAL)?;
        let entry = Entry {
            key,
            value: 0,
            next: *head,
        };
        self.entries.push(entry, GFP_KERNEL)?;
        *head = at;
        Ok(())
    }

    #[inline(always)]
    fn find(&mut self, row: usize, key: u64) -> Option<&mut u64> {
        let mut at = *self.heads.get(row)?;
        loop {
            let entry = self.entries.get(at as usize)?;
            if entry.key == key {
                break;
            }
            at = entry.next;
        }
        self.entries
            .get_mut(at as usize)
            .map(|entry| &mut entry.value)
    }
}

/// On cache lines of its own, as C's is.
#[pin_data]
#[repr(align(64))]
struct Shard {
    #[pin]
    lock: SpinLock<Buckets>,
}

/// A bucket belongs to the lock at the rest of its number.
pub(super) struct Table {
    shards: KVec<Pin<KBox<Shard>>>,
}

fn bucket_of(key: u64) -> usize {
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % BUCKETS
}

impl Table {
    /// Makes one with so many locks.
    pub(super) fn new(locks: usize) -> Result<Self> {
        let mut shards = KVec::with_capacity(locks, GFP_KERNEL)?;
        for first in 0..locks {
            let mut buckets = Buckets::new(BUCKETS.div_ceil(locks))?;
            for key in 0..KEYS {
                let bucket = bucket_of(key);
                if bucket % locks == first {
                    buckets.insert(bucket / locks, key)?;
                }
            }
            let shard = KBox::pin_init(
                pin_init!(Shard {
                    lock <- new_spinlock!(buckets, "bench_table"),
                }),
                GFP_KERNEL,
            )?;
            shards.push(shard, GFP_KERNEL)?;
        }
        Ok(Self { shards })
    }
}

fn next_key(batch: &mut Batch) -> u64 {
    // Marsaglia's xorshift.
    batch.random ^= batch.random << 13;
    batch.random ^= batch.random >> 7;
    batch.random ^= batch.random << 17;
    batch.random % KEYS
}

impl Racer for Table {
    #[inline(never)]
    fn batch(&self, course: &Course, batch: &mut Batch) {
        for i in 0..batch.n {
            if course.stop.load(Relaxed) != 0 {
                return;
            }
            let first = i == 0;
            let key = next_key(batch);
            let bucket = bucket_of(key);
            let locks = self.shards.len();
            let row = bucket.checked_div(locks).unwrap_or(0);
            let Some(shard) = self.shards.get(bucket.checked_rem(locks).unwrap_or(0)) else {
                return;
            };
            let reads = race::begins(batch, first);
            let mut buckets = shard.lock.lock();
            let value = buckets.find(row, key);
            if let Some(value) = value {
                if !reads {
                    *value = value.wrapping_add(1);
                }
                black_box(*value);
            }
            race::inside(course, batch, first);
            drop(buckets);
            race::ends(batch, first);
        }
    }
}

impl Racer for ffi::Table {
    fn batch(&self, course: &Course, batch: &mut Batch) {
        self.run(course, batch);
    }
}

/// Both sides, with so many locks.
pub(super) fn sides(locks: usize) -> Result<[(&'static str, Arc<dyn Racer>); 2]> {
    let rust: Arc<dyn Racer> = Arc::new(Table::new(locks)?, GFP_KERNEL)?;
    let c: Arc<dyn Racer> = Arc::new(ffi::Table::new(locks as u32)?, GFP_KERNEL)?;
    Ok([("rust", rust), ("c", c)])
}
