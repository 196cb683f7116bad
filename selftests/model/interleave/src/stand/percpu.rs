// SPDX-License-Identifier: GPL-2.0

//! Counters of each CPU, which in the module are C's: `this_cpu_add()`, and a plain sum.

use crate::sync::atomic::{Atomic, Relaxed};
use kernel::{prelude::*, run};

/// How many CPUs there are.
pub const CPUS: usize = 2;

/// A row of `N` counters, each with one cell a CPU.
pub struct PerCpuCounters<const N: usize> {
    cells: [[Atomic<u64>; N]; CPUS],
}

impl<const N: usize> PerCpuCounters<N> {
    /// All zero.
    pub fn new() -> Result<Self> {
        let this = Self {
            cells: [const { [const { Atomic::new(0) }; N] }; CPUS],
        };
        for cell in this.cells.iter().flatten() {
            cell.load(Relaxed);
        }
        Ok(this)
    }

    /// Adds to this CPU's cell, which no other CPU writes.
    pub fn add(&self, index: usize, n: u64) {
        self.add_return(index, n);
    }

    /// The same, and says what it holds then.
    pub fn add_return(&self, index: usize, n: u64) -> u64 {
        let cell = &self.cells[run::cpu()][index];
        let sum = cell.load(Relaxed) + n;
        cell.store(sum, Relaxed);
        sum
    }

    /// The sum over all CPUs.
    pub fn sum(&self, index: usize) -> u64 {
        self.cells.iter().map(|row| row[index].load(Relaxed)).sum()
    }
}
