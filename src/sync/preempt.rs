// SPDX-License-Identifier: GPL-2.0

//! Tokens that prove where code runs: no preemption, no bottom halves, no interrupts here.
//!
//! None of them is a lock: another CPU goes on. They keep this CPU's own data from being used by
//! two contexts of this CPU, and they are what per-CPU data asks for.
//!
//! All three count, so they nest and may be dropped in any order. On `PREEMPT_RT` one exception has
//! to be kept by who writes the code, as in C: bottom halves that were disabled where a thread could
//! be preempted are enabled where it can be, so after what else was taken later; and those that were
//! disabled where it could not be are enabled where it can not be, so before what was taken earlier.
//! There they are a lock and an RCU read-side critical section, which `local_bh_enable()` else does
//! not end, or ends though it was not begun.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/preempt.h`](srctree/include/linux/preempt.h), [`include/linux/bottom_half.h`](srctree/include/linux/bottom_half.h), [`include/linux/interrupt_rc.h`](srctree/include/linux/interrupt_rc.h) |
//! | context | [`preempt_disable`] and [`local_interrupt_disable`] anywhere; [`local_bh_disable`] process and softirq |
//! | safe against | preempt-safe: yes, all three; SMP-safe: no; interrupt-safe: bottom halves against soft interrupts, interrupts against both, preemption against neither |
//! | sleeps | no, and nothing that sleeps may be done under one |
//! | `PREEMPT_RT` | with bottom halves off code is preempted and may sleep for a lock, and disabling them may wait for one; with preemption or interrupts off no lock may be taken but a raw one |
//! | fairness | nobody waits; what is held off is late |
//! | cost | an addition on this CPU each way; interrupts also an instruction to switch them at the first and the last |
//! | order | for this CPU only: a compiler barrier |
//! | errors | none |

use super::{
    lock::{
        spinlock::{SpinLockBackend, SpinLockIrqBackend},
        Guard,
    },
    spinlock::{RawSpinLockBackend, RawSpinLockIrqBackend, SpinLockBhBackend},
};
use kernel::types::NotThreadSafe;

pub use kernel::interrupt::{local_interrupt_disable, LocalInterruptDisabled};

/// What proves that its thread stays on the CPU where it is, as long as it does not sleep.
///
/// The tokens of this module do, and the guards of spinlocks and local locks. On `PREEMPT_RT`
/// [`BottomHalvesDisabled`] does not: what soft interrupts use there is for a
/// [`LocalLockBh`](super::LocalLockBh).
///
/// A guard may be shared with another thread, if its data may; to that one it proves nothing.
///
/// Not moving is not the same as being alone. Interrupts come unless they are off, and while a
/// spinlock or a local lock is held on `PREEMPT_RT`, other threads of this CPU run as well.
///
/// # Safety
///
/// While a value of the type exists, the thread that has it must not be moved to another CPU unless
/// it sleeps; and the type must not be [`Send`].
pub unsafe trait CpuPinned {}

// SAFETY: A thread that is not preempted is not moved.
unsafe impl CpuPinned for PreemptDisabled {}
#[cfg(not(CONFIG_PREEMPT_RT))]
// SAFETY: Disabling bottom halves disables preemption.
unsafe impl CpuPinned for BottomHalvesDisabled {}
// SAFETY: With interrupts off nothing preempts, nor does anything on a kernel that is not
// preemptible, where the token promises no more.
unsafe impl CpuPinned for LocalInterruptDisabled {}

macro_rules! pinned_by_guards {
    ($($backend:ty),* $(,)?) => {
        $(
            // SAFETY: Holding it disables preemption, or, where it sleeps, migration. A guard that
            // is borrowed can not be given to what unlocks it in between, as waiting does.
            unsafe impl<T: ?Sized> CpuPinned for Guard<'_, T, $backend> {}
        )*
    };
}

pinned_by_guards! {
    SpinLockBackend, SpinLockIrqBackend, SpinLockBhBackend, RawSpinLockBackend,
    RawSpinLockIrqBackend,
}

/// Proof that this thread stays on its CPU and is not preempted.
///
/// Must not sleep while it lives. Interrupts still come.
///
/// # Invariants
///
/// Preemption is disabled by one count of its own as long as it lives.
#[must_use = "preemption is enabled again at once when the token is unused"]
pub struct PreemptDisabled(NotThreadSafe);

/// Disables preemption.
///
/// Context: any. On `PREEMPT_RT` keep it short: no lock that sleeps there may be taken.
///
/// # Examples
///
/// ```ignore
/// let here = preempt_disable();
/// // This CPU's number does not change.
/// drop(here);
/// ```
#[inline]
pub fn preempt_disable() -> PreemptDisabled {
    // SAFETY: May be called anywhere; the token enables it again.
    unsafe { crate::ffi::childkernel_preempt_disable() };
    // INVARIANT: It was just disabled.
    PreemptDisabled(NotThreadSafe)
}

impl Drop for PreemptDisabled {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant one count is ours.
        unsafe { crate::ffi::childkernel_preempt_enable() };
    }
}

/// Proof that no bottom half runs on this CPU meanwhile: no soft interrupt, no tasklet.
///
/// Must not sleep while it lives, but on `PREEMPT_RT`, where it is preemptible.
///
/// # Invariants
///
/// Bottom halves are disabled by one count of its own as long as it lives.
#[must_use = "bottom halves are enabled again at once when the token is unused"]
pub struct BottomHalvesDisabled(NotThreadSafe);

/// Disables bottom halves on this CPU.
///
/// Context: process and softirq.
///
/// # Examples
///
/// ```ignore
/// let quiet = local_bh_disable();
/// drop(quiet); // Runs what has become pending, unless interrupts are off.
/// ```
#[inline]
pub fn local_bh_disable() -> BottomHalvesDisabled {
    // SAFETY: May be called in process and softirq context; the token enables them again.
    unsafe { crate::ffi::childkernel_bh_disable() };
    // INVARIANT: They were just disabled.
    BottomHalvesDisabled(NotThreadSafe)
}

impl Drop for BottomHalvesDisabled {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant one count is ours. The shim looks whether interrupts are
        // off.
        unsafe { crate::ffi::childkernel_bh_enable() };
    }
}

/// Whether interrupts are off on this CPU.
#[inline]
pub fn irqs_disabled() -> bool {
    // SAFETY: May be called anywhere.
    unsafe { crate::ffi::childkernel_irqs_disabled() }
}

/// Whether bottom halves are off on this CPU, or one is being served.
#[inline]
pub fn in_softirq() -> bool {
    // SAFETY: May be called anywhere.
    unsafe { crate::ffi::childkernel_in_softirq_or_disabled() }
}

/// Whether a hard interrupt is being served.
#[inline]
pub fn in_hardirq() -> bool {
    // SAFETY: May be called anywhere.
    unsafe { crate::ffi::childkernel_in_hardirq() }
}

/// What holds off preemption, as C packs it into one word: how often preemption, bottom halves and
/// interrupts were disabled by count, and which interrupts are being served. 0 if nothing does.
///
/// [`preempt_disable`] is not in it on kernels without `CONFIG_PREEMPT_COUNT`.
#[inline]
pub fn preempt_count() -> u32 {
    // SAFETY: May be called anywhere.
    unsafe { crate::ffi::childkernel_preempt_count() }
}
