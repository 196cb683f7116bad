// SPDX-License-Identifier: GPL-2.0

//! Numbers that look random, and are the same again from the same seed.
#![deny(unsafe_code)]

/// A linear congruential generator, of which the high bits are good.
pub(super) struct Random(u64);

impl Random {
    /// Begins at `seed`; each `stream` of a seed has numbers of its own.
    pub(super) fn new(seed: u64, stream: u64) -> Self {
        let mut this = Self(seed ^ stream.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // What is alike in seeds that follow each other is gone then.
        this.next();
        this.next();
        this
    }

    pub(super) fn next(&mut self) -> u64 {
        // Knuth's.
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 32
    }

    /// A number below `n`; 0 if there is none.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.next().checked_rem(n).unwrap_or(0)
    }

    /// Whether it is so this time, which it is once in `n`.
    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}
