// SPDX-License-Identifier: GPL-2.0

//! Per-CPU data: one value for each CPU, so that CPUs do not get into each other's way.
//!
//! A number that all CPUs add to costs them a cache line that travels. With a value of its own each
//! CPU writes where nobody else does, and who wants to know the whole visits them all.
//!
//! | you have | take |
//! |---|---|
//! | counters | [`PerCpuCounters`]: one instruction to add, no token |
//! | any other value for each CPU | [`PerCpu`], with a token that says which CPU this is |
//! | the same, where several fields have to agree, or for `PREEMPT_RT` | [`LocalLock`](super::LocalLock) |
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/percpu.h`](srctree/include/linux/percpu.h) |
//! | context | using it in process, softirq and hardirq; making and dropping it in process context |
//! | safe against | preempt-safe under a token of [`CpuPinned`]; SMP-safe as all of `T` is `Sync`; interrupt-safe for single operations of `Atomic` and for [`PerCpuCounters`], for more under a token with interrupts off |
//! | sleeps | making it does, as memory is allocated; a token forbids it while a value is used |
//! | `PREEMPT_RT` | a token of bottom halves is none there, take a [`LocalLockBh`](super::LocalLockBh) |
//! | fairness | nobody waits |
//! | cost | an addition to find this CPU's value; memory for each possible CPU; a sum reads them all |
//! | order | none by itself; a sum reads one CPU after the other, so it is exact only when nobody writes |
//! | errors | `ENOMEM` when made, or what the initialiser returns |

use super::preempt::{preempt_disable, CpuPinned, PreemptDisabled};
use ::pin_init::raw_try_init;
use core::{
    convert::Infallible,
    marker::PhantomData,
    mem::{align_of, size_of},
    ops::Deref,
    ptr::NonNull,
};
use kernel::{
    cpu::{nr_cpu_ids, CpuId},
    page::PAGE_SIZE,
    prelude::*,
};

/// `PCPU_MIN_UNIT_SIZE`: what any configuration can allocate.
const SIZE_MAX: usize = 32 << 10;

/// Allocates a zeroed `T` for each possible CPU.
///
/// The result is a per-CPU address: not to be dereferenced, only to be passed to the functions that
/// add a CPU's offset.
fn alloc<T>() -> Result<NonNull<T>> {
    const_assert!(size_of::<T>() <= SIZE_MAX && align_of::<T>() <= PAGE_SIZE);
    // There is no allocation of nothing.
    let size = size_of::<T>().max(1);
    // SAFETY: Called from process context; size and alignment are in range.
    let ptr = unsafe { crate::ffi::childkernel_percpu_alloc(size, align_of::<T>()) };
    NonNull::new(ptr.cast()).ok_or(ENOMEM)
}

/// The CPUs that this machine can have, online or not, in ascending order. It is settled at boot.
fn possible_cpus() -> impl Iterator<Item = CpuId> {
    (0..nr_cpu_ids())
        // SAFETY: Takes any number.
        .filter(|&cpu| unsafe { crate::ffi::childkernel_cpu_possible(cpu) })
        .filter_map(CpuId::from_u32)
}

/// A `T` for each possible CPU.
///
/// All it gives out are shared references, and `T` is `Sync`: another CPU reads it for a sum, an
/// interrupt may be in the middle of what it interrupted, and a thread that sleeps in spite of its
/// token is moved. So memory is safe whatever happens. What the token buys is meaning: the value is
/// this CPU's, and remains so while the reference lives; with preemption off no other thread of
/// this CPU comes in between, with interrupts off nothing does. Then a relaxed load and a relaxed
/// store, two plain moves, add to an `Atomic` without loss.
///
/// Each `T` is dropped, by whoever drops the whole.
///
/// # Invariants
///
/// `cell` is a live per-CPU allocation with an initialised `T`, pinned, for each possible CPU.
///
/// # Examples
///
/// ```ignore
/// let hits = PerCpu::new(|_cpu| Atomic::new(0u64))?;
/// {
///     let here = preempt_disable();
///     let mine = hits.get(&here);
///     mine.store(mine.load(Relaxed) + 1, Relaxed);
/// }
/// assert_eq!(hits.sum(|n| n.load(Relaxed)), 1);
/// ```
pub struct PerCpu<T: Send + Sync> {
    cell: NonNull<T>,
    _owns: PhantomData<T>,
}

// SAFETY: A per-CPU allocation belongs to no thread, and each `T` is `Send`.
unsafe impl<T: Send + Sync> Send for PerCpu<T> {}
// SAFETY: It gives out shared references only, and `T` is `Sync`.
unsafe impl<T: Send + Sync> Sync for PerCpu<T> {}

impl<T: Send + Sync> PerCpu<T> {
    /// Makes a value for each possible CPU.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(value: impl FnMut(CpuId) -> T) -> Result<Self> {
        // A value is an initialiser of itself.
        Self::pin_init::<_, Infallible>(value)
    }

    /// Initialises a value in place for each possible CPU.
    ///
    /// # Errors
    ///
    /// `ENOMEM`, or what an initialiser returns. What was initialised by then is dropped.
    pub fn pin_init<I, E>(mut init: impl FnMut(CpuId) -> I) -> Result<Self>
    where
        I: PinInit<T, E>,
        Error: From<E>,
    {
        let cell = alloc::<T>()?;
        for cpu in possible_cpus() {
            // SAFETY: This CPU's part of the allocation is valid for writes and does not move; what
            // an error leaves uninitialised is freed without being dropped.
            let made = unsafe { raw_try_init(cpu_ptr(cell, cpu), init(cpu)) };
            if let Err(error) = made {
                // SAFETY: Those before this CPU are initialised, and nobody has a reference.
                unsafe { destroy(cell, |other| other.as_u32() < cpu.as_u32()) };
                return Err(error.into());
            }
        }
        // INVARIANT: All of them were just initialised, in place.
        Ok(Self {
            cell,
            _owns: PhantomData,
        })
    }

    /// This CPU's value.
    #[inline]
    pub fn get<'a>(&'a self, _here: &'a impl CpuPinned) -> &'a T {
        // SAFETY: By the type invariant what the shim returns is an initialised `T` that lives as
        // long as `self`. It is shared with others, which `T: Sync` allows.
        unsafe { &*crate::ffi::childkernel_this_cpu_ptr(self.as_ptr().cast()).cast() }
    }

    /// This CPU's value, with preemption disabled until the guard is dropped: C's `get_cpu_ptr()`
    /// and `put_cpu_ptr()`.
    #[inline]
    pub fn get_cpu(&self) -> ThisCpu<'_, T> {
        let here = preempt_disable();
        // SAFETY: As in `get`; `here` goes with it.
        let value = unsafe { &*crate::ffi::childkernel_this_cpu_ptr(self.as_ptr().cast()).cast() };
        ThisCpu { value, here }
    }

    /// The value of a CPU, if there can be such a CPU. It may be in use there: `per_cpu_ptr()`.
    #[inline]
    pub fn of(&self, cpu: CpuId) -> Option<&T> {
        // SAFETY: Takes any number.
        if unsafe { crate::ffi::childkernel_cpu_possible(cpu.as_u32()) } {
            // SAFETY: The CPU is possible, so by the type invariant it has an initialised `T`.
            Some(unsafe { &*cpu_ptr(self.cell, cpu) })
        } else {
            None
        }
    }

    /// Calls `f` with the value of each possible CPU, online or not.
    pub fn for_each(&self, mut f: impl FnMut(CpuId, &T)) {
        for cpu in possible_cpus() {
            // SAFETY: The CPU is possible, so by the type invariant it has an initialised `T`.
            f(cpu, unsafe { &*cpu_ptr(self.cell, cpu) });
        }
    }

    /// Adds up what `f` makes of each, modulo 2^64.
    ///
    /// Exact when nobody writes meanwhile.
    pub fn sum(&self, mut f: impl FnMut(&T) -> u64) -> u64 {
        let mut sum = 0u64;
        self.for_each(|_, value| sum = sum.wrapping_add(f(value)));
        sum
    }

    /// The per-CPU address: not to be dereferenced.
    #[inline]
    pub(super) fn as_ptr(&self) -> *mut T {
        self.cell.as_ptr()
    }
}

/// Returns where the `T` of `cpu` is.
///
/// # Safety
///
/// `cell` must be a live per-CPU allocation, `cpu` possible.
#[inline]
unsafe fn cpu_ptr<T>(cell: NonNull<T>, cpu: CpuId) -> *mut T {
    // SAFETY: By the safety requirements.
    unsafe { crate::ffi::childkernel_per_cpu_ptr(cell.as_ptr().cast(), cpu.as_u32()) }.cast()
}

/// Drops the values of those CPUs that `has` names, and frees all.
///
/// # Safety
///
/// `cell` must be a live per-CPU allocation, with an initialised `T` for each of those CPUs, of
/// which there is no reference.
unsafe fn destroy<T>(cell: NonNull<T>, has: impl Fn(CpuId) -> bool) {
    for cpu in possible_cpus().filter(|&cpu| has(cpu)) {
        // SAFETY: By the safety requirements; each is dropped once, in place.
        unsafe { cpu_ptr(cell, cpu).drop_in_place() };
    }
    // SAFETY: By the safety requirements.
    unsafe { crate::ffi::childkernel_percpu_free(cell.as_ptr().cast()) };
}

impl<T: Send + Sync> Drop for PerCpu<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant all are initialised; nobody has a reference any more.
        unsafe { destroy(self.cell, |_| true) };
    }
}

/// This CPU's value of a [`PerCpu`]. Preemption is disabled while it lives.
#[must_use = "preemption is enabled again at once when the guard is unused"]
pub struct ThisCpu<'a, T> {
    value: &'a T,
    here: PreemptDisabled,
}

impl<T> ThisCpu<'_, T> {
    /// The token inside, for other per-CPU data.
    #[inline]
    pub fn token(&self) -> &PreemptDisabled {
        &self.here
    }
}

impl<T> Deref for ThisCpu<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.value
    }
}

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
        const_assert!(N > 0 && N <= SIZE_MAX / size_of::<u64>());
        // INVARIANT: It is just allocated, with `N` words.
        Ok(Self {
            cells: alloc::<[u64; N]>()?.cast(),
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
        unsafe { crate::ffi::childkernel_percpu_free(self.cells.as_ptr().cast()) };
    }
}
