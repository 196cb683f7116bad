// SPDX-License-Identifier: GPL-2.0

//! Read-copy-update: readers that wait for nobody.
//!
//! Writers publish new data beside the old and end the old when no reader can see it any more. The
//! read side is the `kernel` crate's; [`Rcu`] is a pointer to publish by, [`RcuList`] a list. What
//! is here besides is the queue for memory that has to wait for a grace period and whose destructor
//! then wants process context.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h) |
//! | context | reading: process, softirq, hardirq; what waits for others: process |
//! | safe against | preempt-safe: yes; SMP-safe: yes; interrupt-safe: yes |
//! | sleeps | readers must not; [`synchronize`], [`synchronize_expedited`], [`rcu_barrier`] and [`flush`] do |
//! | `PREEMPT_RT` | the same; readers are preemptible, as with `CONFIG_PREEMPT_RCU` |
//! | fairness | readers never wait; one that never leaves keeps all grace periods of the machine waiting |
//! | cost | reading: a count of this thread, or nothing; a grace period: milliseconds, nobody spins |
//! | order | what a reader did comes before the end of each grace period that it was inside of; what came before a grace period is seen by readers that begin after it |
//! | errors | none |
//!
//! # What the compiler does not see
//!
//! A reference that was read is tied to its [`Guard`], and the guard to its thread. But two things
//! end a reader without the guard. A thread that sleeps under it is no reader any more on kernels
//! without `CONFIG_PREEMPT_RCU`; waiting for a grace period is sleeping, too. A thread that ends is
//! none on any kernel, whether its guard was dropped or leaked. So do not sleep under a guard, and
//! do not leak one. `CONFIG_PROVE_RCU` and `CONFIG_DEBUG_ATOMIC_SLEEP` find who does.
//!
//! # Examples
//!
//! ```ignore
//! let old = config.take(); // No reader finds it from here on.
//! rcu::synchronize(); // Nor has one that found it before.
//! drop(old); // The value is dropped a grace period later all the same, by the reclaim queue ...
//! rcu::flush(); // ... and now it has been.
//! ```
//!
//! Reference: <https://docs.kernel.org/RCU/whatisRCU.html>
//!
//! # Examples
//!
//! ```ignore
//! // A reader.
//! let inside = rcu::read_lock();
//! let name = config.read(&inside).map(|c| c.name);
//! drop(inside);
//!
//! // A writer: from the end of the grace period on nobody sees the old one.
//! if let Some(old) = config.replace(new) {
//!     old.defer(); // Or `old.synchronize()`, which waits for that.
//! }
//! ```

use kernel::{bindings, error::to_result, prelude::*};

pub mod retired;

pub use super::{
    rcu_list::RcuList,
    rcu_pointer::{Node, Rcu, Retired},
};
pub use kernel::sync::rcu::{
    rcu_barrier, read_lock, synchronize_rcu, synchronize_rcu as synchronize, Guard,
};

/// Waits for one grace period as [`synchronize`] does, sooner, by disturbing all other CPUs.
///
/// For what is rare and has somebody waiting; never in a loop.
///
/// Context: process, may sleep.
pub fn synchronize_expedited() {
    // SAFETY: May be called from process context, whatever state the readers are in.
    unsafe { bindings::synchronize_rcu_expedited() };
}

/// Waits until everything that was given to deferred reclaim before this call has been dropped, and
/// all that was given to it by that.
///
/// Context: process, may sleep. Must not be called from a destructor that runs deferred, nor while
/// one waits for the caller. One that dies is waited for without end, here and by whoever unloads
/// a module, be it any.
pub fn flush() {
    // SAFETY: Called from process context; the queue exists as long as the module does.
    unsafe { crate::ffi::childkernel_reclaim_flush() };
}

/// Waits as [`flush`] does, and then until nothing is left that ends in a function of `module`.
///
/// Context: process, may sleep.
pub(crate) fn flush_module(module: *const bindings::module) {
    // SAFETY: Called from process context; the pointer is only compared with.
    unsafe { crate::ffi::childkernel_reclaim_flush_module(module) }
}

/// The workqueue on which deferred destructors run; it exists as long as this value.
pub(crate) struct ReclaimQueue(());

impl ReclaimQueue {
    /// Creates the queue. The module does so once, before anything else.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: Called once, from the module's init.
        to_result(unsafe { crate::ffi::childkernel_reclaim_init() })?;
        Ok(Self(()))
    }
}

impl Drop for ReclaimQueue {
    fn drop(&mut self) {
        // SAFETY: `new` created the queue; the module's exit, the only place that drops it, comes
        // after all dependants are gone and all children have been joined.
        unsafe { crate::ffi::childkernel_reclaim_exit() };
    }
}

/// What deferred reclaim needs of whatever is given to it.
pub(crate) type Reclaim = crate::ffi::childkernel_reclaim;

/// Calls `func` with `item` in process context, after a grace period.
///
/// Context: any but NMI.
///
/// # Safety
///
/// `item` must be valid for writes until `func` runs, and in no other use. What `func` does must
/// need the code of such modules alone as are there now: none of them goes before it has returned.
pub(crate) unsafe fn reclaim(item: *mut Reclaim, func: unsafe extern "C" fn(*mut Reclaim)) {
    // SAFETY: By the safety requirements of this function.
    unsafe { crate::ffi::childkernel_reclaim(item, Some(func)) };
}
