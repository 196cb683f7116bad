// SPDX-License-Identifier: GPL-2.0

//! Times in buckets of which eight double: what a quantile says is at most an eighth too much.
//!
//! For one thread, so nothing in it is atomic or per CPU.
#![deny(unsafe_code)]

use kernel::{fmt, prelude::*};

/// Buckets for each doubling.
const PARTS: u64 = 8;
const BUCKETS: usize = 512;

/// A histogram of times in ns.
pub(super) struct Waits {
    buckets: KVec<u32>,
    longest: u64,
    sum: u64,
}

fn bucket_of(ns: u64) -> usize {
    if ns < PARTS {
        return ns as usize;
    }
    let octave = 60u32.saturating_sub(ns.leading_zeros());
    let part = (ns >> octave) % PARTS;
    (u64::from(octave.wrapping_add(1)) * PARTS + part) as usize
}

/// The longest time that belongs in a bucket.
fn end_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < PARTS {
        return bucket;
    }
    let (octave, part) = (bucket / PARTS - 1, bucket % PARTS);
    (PARTS + part + 1).saturating_mul(1 << octave) - 1
}

impl Waits {
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            buckets: KVec::from_elem(0, BUCKETS, GFP_KERNEL)?,
            longest: 0,
            sum: 0,
        })
    }

    pub(super) fn record(&mut self, ns: u64) {
        if let Some(n) = self.buckets.get_mut(bucket_of(ns)) {
            *n = n.saturating_add(1);
        }
        self.longest = self.longest.max(ns);
        self.sum = self.sum.saturating_add(ns);
    }

    /// Takes in what another has.
    pub(super) fn add(&mut self, other: &Self) {
        for (n, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *n = n.saturating_add(*more);
        }
        self.longest = self.longest.max(other.longest);
        self.sum = self.sum.saturating_add(other.sum);
    }

    pub(super) fn longest(&self) -> u64 {
        self.longest
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().map(|n| u64::from(*n)).sum()
    }

    /// 0 if there are none.
    pub(super) fn mean(&self) -> u64 {
        self.sum.checked_div(self.count()).unwrap_or(0)
    }

    /// At least so many in 1000 were not above this.
    fn quantile(&self, thousandths: u64) -> u64 {
        let rank = self.count().saturating_mul(thousandths).div_ceil(1000);
        let mut seen = 0u64;
        for (bucket, n) in self.buckets.iter().enumerate() {
            seen = seen.saturating_add(u64::from(*n));
            if seen >= rank {
                return end_of(bucket).min(self.longest);
            }
        }
        self.longest
    }
}

/// As records have it: the median, 99 in 100, 999 in 1000, the longest.
impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "[{},{},{},{}]",
            self.quantile(500),
            self.quantile(990),
            self.quantile(999),
            self.longest
        ))
    }
}
