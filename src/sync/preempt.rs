// SPDX-License-Identifier: GPL-2.0

//! Tokens that prove where code runs: no preemption, no bottom halves, no interrupts here.
//!
//! None of them is a lock: another CPU goes on. They keep this CPU's own data from being used by
//! two contexts of this CPU, and they are what per-CPU data asks for.
//!
//! All three count, so they nest and may be dropped in any order.
//!
//! C header: [`include/linux/preempt.h`](srctree/include/linux/preempt.h)

use kernel::types::NotThreadSafe;

pub use kernel::interrupt::{local_interrupt_disable, LocalInterruptDisabled};

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

/// How often preemption, bottom halves and interrupts in service hold off preemption: 0 if it is
/// enabled. Always 0 in process context on kernels that do not count.
#[inline]
pub fn preempt_count() -> u32 {
    // SAFETY: May be called anywhere.
    unsafe { crate::ffi::childkernel_preempt_count() }
}
