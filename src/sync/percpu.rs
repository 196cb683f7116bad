// SPDX-License-Identifier: GPL-2.0

//! Counters with one cell a CPU: adding touches no cache line of another CPU.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use core::ptr::NonNull;
use kernel::prelude::*;

/// A row of `N` counters, each with one cell a CPU.
///
/// Context: adding from process, softirq and hardirq, an interrupt in the middle of an addition
/// loses nothing; allocating and dropping from process context, as they sleep.
///
/// # Invariants
///
/// `cells` is a live per-CPU allocation of `N` words.
pub struct PerCpuCounters<const N: usize> {
    cells: NonNull<u64>,
}

// SAFETY: A per-CPU allocation belongs to no thread.
unsafe impl<const N: usize> Send for PerCpuCounters<N> {}
// SAFETY: Cells are only added to and read, with operations that may race.
unsafe impl<const N: usize> Sync for PerCpuCounters<N> {}

impl<const N: usize> PerCpuCounters<N> {
    /// Allocates the counters, all zero.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new() -> Result<Self> {
        // Up to the smallest unit that any configuration can allocate.
        const_assert!(N > 0 && N <= 4096);
        // SAFETY: Called from process context; the count is in range.
        let cells = unsafe { crate::ffi::childkernel_percpu_alloc(N) };
        // INVARIANT: It was just allocated, with `N` words.
        Ok(Self {
            cells: NonNull::new(cells).ok_or(ENOMEM)?,
        })
    }

    fn cell(&self, index: usize) -> Option<*mut u64> {
        // By the invariant the result is inside the allocation. It is a per-CPU address: not to be
        // dereferenced, only to be passed to the functions that add this CPU's offset.
        (index < N).then(|| self.cells.as_ptr().wrapping_add(index))
    }

    /// Adds `n` to this CPU's cell of counter `index`; without effect if there is no such counter.
    #[inline]
    pub fn add(&self, index: usize, n: u64) {
        if let Some(cell) = self.cell(index) {
            // SAFETY: `cell` is inside a live per-CPU allocation.
            unsafe { crate::ffi::childkernel_percpu_add(cell, n) };
        }
    }

    /// Adds `n` to this CPU's cell of counter `index` and returns what the cell holds then; 0 if
    /// there is no such counter.
    #[inline]
    pub fn add_return(&self, index: usize, n: u64) -> u64 {
        self.cell(index).map_or(0, |cell| {
            // SAFETY: As in `add`.
            unsafe { crate::ffi::childkernel_percpu_add_return(cell, n) }
        })
    }

    /// Returns the sum of counter `index` over all CPUs, online or not.
    ///
    /// Exact when nobody adds; otherwise between what it was at the begin and at the end.
    pub fn sum(&self, index: usize) -> u64 {
        self.cell(index).map_or(0, |cell| {
            // SAFETY: As in `add`.
            unsafe { crate::ffi::childkernel_percpu_sum(cell) }
        })
    }
}

impl<const N: usize> Drop for PerCpuCounters<N> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; nobody has a reference any more.
        unsafe { crate::ffi::childkernel_percpu_free(self.cells.as_ptr()) };
    }
}
