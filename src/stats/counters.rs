// SPDX-License-Identifier: GPL-2.0

//! Counters that begin again at zero when told to, without being in the way of those who count.
#![deny(unsafe_code)]

use crate::sync::{
    atomic::{Acquire, Atomic, FetchUpdate, Full},
    percpu::PerCpuCounters,
};
use kernel::prelude::*;

/// A row of `N` counters of each CPU, and what they had counted when they were last reset.
///
/// Writing zero into a cell of another CPU could meet that CPU in the middle of an addition, which
/// would then write back what was there before. So nothing is written: what was counted before is
/// taken off when somebody asks.
pub(super) struct Counters<const N: usize> {
    cells: PerCpuCounters<N>,
    before: [Atomic<u64>; N],
}

impl<const N: usize> Counters<N> {
    /// Makes them, all zero.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn new() -> Result<Self> {
        Ok(Self {
            cells: PerCpuCounters::new()?,
            before: [const { Atomic::new(0) }; N],
        })
    }

    /// Adds `n` to counter `index`. From any context.
    #[inline]
    pub(super) fn add(&self, index: usize, n: u64) {
        self.cells.add(index, n);
    }

    /// Adds `n` to counter `index` and returns what this CPU has counted since it was made, resets
    /// or not. From any context.
    #[inline]
    pub(super) fn add_return(&self, index: usize, n: u64) -> u64 {
        self.cells.add_return(index, n)
    }

    /// What counter `index` has counted since the last reset; 0 if there is no such counter.
    pub(super) fn count(&self, index: usize) -> u64 {
        // First, so that the cells are not seen as they were before it was made of them. Pairs
        // with `reset`.
        let before = self.before.get(index).map_or(0, |cell| cell.load(Acquire));
        self.cells.sum(index).wrapping_sub(before)
    }

    /// Lets all begin again at zero. What is counted at this very moment may go with the rest.
    ///
    /// Who sees what is taken off sees the cells no older than they were when that was summed up:
    ///
    /// ```text
    /// C WRC+reset+count
    ///
    /// (*
    ///  * Result: Never
    ///  *)
    ///
    /// {}
    ///
    /// P0(int *cell)
    /// {
    ///     WRITE_ONCE(*cell, 1);
    /// }
    ///
    /// P1(int *cell, int *before)
    /// {
    ///     int r0;
    ///     int r1;
    ///
    ///     r0 = READ_ONCE(*cell);
    ///     r1 = cmpxchg(before, 0, 1);
    /// }
    ///
    /// P2(int *cell, int *before)
    /// {
    ///     int r0;
    ///     int r1;
    ///
    ///     r0 = smp_load_acquire(before);
    ///     r1 = READ_ONCE(*cell);
    /// }
    ///
    /// exists (1:r0=1 /\ 2:r0=1 /\ 2:r1=0)
    /// ```
    pub(super) fn reset(&self) {
        for (index, before) in self.before.iter().enumerate() {
            let now = self.cells.sum(index);
            // Of several resets the last counts. It has the largest sum.
            let _ = before.fetch_update(|then| (then < now).then_some(now), Full);
        }
    }
}
