// SPDX-License-Identifier: GPL-2.0

//! Times in buckets that double: cheap to fill, good enough to tell 100 ns from 10 µs.
#![deny(unsafe_code)]

use super::counters::Counters;
use crate::sync::atomic::{Atomic, Relaxed};
use kernel::{fmt, prelude::*};

/// Bucket 0 holds zero, bucket `i` holds `2^(i-1)` to `2^i - 1` ns; the last also all above.
const BUCKETS: usize = 40;

/// A histogram of times in ns.
pub(super) struct Histogram {
    buckets: Counters<BUCKETS>,
    max: Atomic<u64>,
}

/// What a histogram tells at one moment.
pub(super) struct Quantiles {
    /// How many times were recorded.
    pub(super) count: u64,
    /// At least half of them were not above this (ns; upper end of a bucket).
    pub(super) p50: u64,
    /// At least 99 in 100 were not above this (ns; upper end of a bucket).
    pub(super) p99: u64,
    /// The longest (ns, exact).
    pub(super) max: u64,
}

impl Histogram {
    /// Makes an empty histogram.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            buckets: Counters::new()?,
            max: Atomic::new(0),
        })
    }

    /// Records a time. From any context.
    pub(super) fn record(&self, ns: u64) {
        let bucket = (u64::BITS - ns.leading_zeros()) as usize;
        self.buckets.add(bucket.min(BUCKETS - 1), 1);

        let mut max = self.max.load(Relaxed);
        while ns > max {
            match self.max.cmpxchg(max, ns, Relaxed) {
                Ok(_) => break,
                Err(now) => max = now,
            }
        }
    }

    /// Lets it begin again, empty. A time that is recorded at this very moment may be lost.
    pub(super) fn reset(&self) {
        // First, so that no time counts that is longer than the longest.
        self.max.store(0, Relaxed);
        self.buckets.reset();
    }

    fn sums(&self) -> [u64; BUCKETS] {
        let mut sums = [0u64; BUCKETS];
        for (i, sum) in sums.iter_mut().enumerate() {
            *sum = self.buckets.count(i);
        }
        sums
    }

    /// Writes what `quantiles` says, a word and a number a line, then a line for each bucket that
    /// is not empty: the shortest and the longest time that belong there, and how many there were.
    pub(super) fn write_lines(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sums = self.sums();
        let q = self.quantiles_of(&sums);
        f.write_fmt(fmt!("count {}\np50 {}\n", q.count, q.p50))?;
        f.write_fmt(fmt!("p99 {}\nmax {}\n", q.p99, q.max))?;
        for (i, n) in sums.iter().enumerate().filter(|(_, n)| **n > 0) {
            let end = 1u64 << i;
            // The last bucket has no upper end.
            let upper = if i < BUCKETS - 1 { end - 1 } else { q.max };
            f.write_fmt(fmt!("{} {upper} {n}\n", end / 2))?;
        }
        Ok(())
    }

    /// Sums up.
    pub(super) fn quantiles(&self) -> Quantiles {
        self.quantiles_of(&self.sums())
    }

    fn quantiles_of(&self, sums: &[u64; BUCKETS]) -> Quantiles {
        let count = sums.iter().fold(0u64, |a, n| a.wrapping_add(*n));
        let max = self.max.load(Relaxed);

        let quantile = |percent: u64| {
            // The rank, rounded up: of 3 values the median is the second.
            let rank = count.saturating_mul(percent).div_ceil(100);
            let mut seen = 0u64;
            for (i, n) in sums.iter().enumerate() {
                seen = seen.wrapping_add(*n);
                // The last bucket has no upper end.
                if seen >= rank && i < BUCKETS - 1 {
                    return max.min((1u64 << i).wrapping_sub(1));
                }
            }
            max
        };
        Quantiles {
            count,
            p50: quantile(50),
            p99: quantile(99),
            max,
        }
    }
}

impl Quantiles {
    /// Writes a JSON object.
    pub(super) fn write_json(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "{{\"count\":{},\"p50\":{},\"p99\":{},\"max\":{}}}",
            self.count,
            self.p50,
            self.p99,
            self.max
        ))
    }
}
