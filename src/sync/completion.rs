// SPDX-License-Identifier: GPL-2.0

//! Completions: one thread waits until another says that something is done.
//!
//! The `kernel` crate has `complete_all` and the plain wait. A child kernel also needs to wake one
//! waiter, to wait with a limit, and above all to wait so that a stop request ends the wait: this
//! type wraps the same `struct completion` with all of its functions, but for those that count the
//! wait as one for a disk (`_io`).
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/completion.h`](srctree/include/linux/completion.h) |
//! | context | waiting: process; all else: process, softirq and hardirq |
//! | safe against | preempt-safe: yes; SMP-safe: yes; interrupt-safe: yes, all but waiting. It guards no data itself |
//! | sleeps | waiting does; the rest does not |
//! | `PREEMPT_RT` | [`complete_all`](Completion::complete_all) not from hardirq, as it wakes any number; the rest is the same |
//! | fairness | those that wait are woken in the order in which they came; one that comes just then may take the completion first, and the one that was woken waits again, as the last |
//! | cost | a raw spinlock with interrupts off around a counter; two context switches to wait |
//! | order | who has waited with success, or got it by trying, sees what was done before completing |
//! | errors | `ERESTARTSYS` on a signal or a stop if interruptible, on a fatal signal if killable; `ETIMEDOUT` when the limit is over |
//!
//! Reference: <https://docs.kernel.org/scheduler/completion.html>

use crate::ffi::to_result;
use kernel::{
    bindings,
    prelude::*,
    sync::LockClassKey,
    time::Jiffies,
    types::Opaque, //
};

/// Creates a [`Completion`] initialiser with the given name and a lock class of its own.
#[macro_export]
macro_rules! new_completion {
    ($name:literal) => {
        $crate::sync::Completion::new($crate::lock_name!($name), ::kernel::static_lock_class!())
    };
}
pub use crate::new_completion;

/// `MAX_SCHEDULE_TIMEOUT`: as good as no limit. More would be negative to the scheduler.
const LIMIT_MAX: Jiffies = c_long::MAX as Jiffies;

/// A counting "done" that threads can wait for.
///
/// Each [`complete`](Self::complete) lets one wait through, before or after that wait begins.
///
/// # Examples
///
/// ```ignore
/// let done = KBox::pin_init(new_completion!("example"), GFP_KERNEL)?;
/// done.complete();
/// done.wait_interruptible()?; // Does not block: it was completed once.
/// assert!(!done.try_wait());
/// ```
#[pin_data]
pub struct Completion {
    #[pin]
    inner: Opaque<bindings::completion>,
}

// SAFETY: A `struct completion` may be used from any thread.
unsafe impl Send for Completion {}
// SAFETY: Its functions take the wait queue's own lock.
unsafe impl Sync for Completion {}

impl Completion {
    /// Creates an initialiser. Use [`new_completion!`], which makes the lock class.
    pub fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes; name and key are static.
            inner <- Opaque::ffi_init(|slot| unsafe {
                crate::ffi::childkernel_init_completion(
                    slot,
                    name.as_char_ptr(),
                    key.as_ptr(),
                )
            }),
        })
    }

    fn as_raw(&self) -> *mut bindings::completion {
        self.inner.get()
    }

    /// Lets one wait through: one of those that wait now, or else the next.
    #[inline]
    pub fn complete(&self) {
        // SAFETY: `as_raw` is an initialised completion, as in all methods below.
        unsafe { bindings::complete(self.as_raw()) };
    }

    /// Lets all waits through, those to come included, until [`reinit`](Self::reinit).
    #[inline]
    pub fn complete_all(&self) {
        // SAFETY: See `complete`.
        unsafe { bindings::complete_all(self.as_raw()) };
    }

    /// Waits, however long it takes. Nothing but a completion ends this wait.
    ///
    /// In a child kernel wait interruptibly instead, or the child cannot be stopped.
    #[inline]
    pub fn wait(&self) {
        // SAFETY: See `complete`.
        unsafe { bindings::wait_for_completion(self.as_raw()) };
    }

    /// Waits until completed, interrupted by a signal, or, in a kernel thread, asked to stop.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` when interrupted.
    #[inline]
    pub fn wait_interruptible(&self) -> Result {
        // SAFETY: See `complete`.
        to_result(unsafe { bindings::wait_for_completion_interruptible(self.as_raw()) })
    }

    /// Waits until completed or until a fatal signal comes. A request to stop does not end it.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` when killed.
    #[inline]
    pub fn wait_killable(&self) -> Result {
        // SAFETY: See `complete`.
        to_result(unsafe { bindings::wait_for_completion_killable(self.as_raw()) })
    }

    /// Waits until completed, at most `limit` jiffies. Neither a signal nor a stop ends it earlier.
    ///
    /// Returns the jiffies that were left, at least 1.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the limit is over.
    #[inline]
    pub fn wait_timeout(&self, limit: Jiffies) -> Result<Jiffies> {
        let limit = limit.min(LIMIT_MAX);
        // SAFETY: See `complete`.
        match unsafe { bindings::wait_for_completion_timeout(self.as_raw(), limit) } {
            0 => Err(ETIMEDOUT),
            left => Ok(left),
        }
    }

    /// Waits as [`wait_interruptible`](Self::wait_interruptible) does, at most `limit` jiffies.
    ///
    /// Returns the jiffies that were left, at least 1.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the limit is over, `ERESTARTSYS` when interrupted.
    #[inline]
    pub fn wait_interruptible_timeout(&self, limit: Jiffies) -> Result<Jiffies> {
        let limit = limit.min(LIMIT_MAX);
        // SAFETY: See `complete`.
        let ret =
            unsafe { bindings::wait_for_completion_interruptible_timeout(self.as_raw(), limit) };
        Self::timed(ret)
    }

    /// Waits as [`wait_killable`](Self::wait_killable) does, at most `limit` jiffies.
    ///
    /// Returns the jiffies that were left, at least 1.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the limit is over, `ERESTARTSYS` when killed.
    #[inline]
    pub fn wait_killable_timeout(&self, limit: Jiffies) -> Result<Jiffies> {
        let limit = limit.min(LIMIT_MAX);
        // SAFETY: See `complete`.
        let ret = unsafe { bindings::wait_for_completion_killable_timeout(self.as_raw(), limit) };
        Self::timed(ret)
    }

    fn timed(ret: c_long) -> Result<Jiffies> {
        match ret {
            0 => Err(ETIMEDOUT),
            left if left > 0 => Ok(left as Jiffies),
            // Errnos fit into an `int`.
            err => Err(Error::from_errno(err as c_int)),
        }
    }

    /// Takes one completion if there is one, without waiting. From any context.
    #[inline]
    #[must_use = "a completion that was taken is gone"]
    pub fn try_wait(&self) -> bool {
        // SAFETY: See `complete`.
        unsafe { bindings::try_wait_for_completion(self.as_raw()) }
    }

    /// Whether a wait would not block just now.
    #[inline]
    pub fn is_done(&self) -> bool {
        // SAFETY: See `complete`.
        unsafe { bindings::completion_done(self.as_raw()) }
    }

    /// Forgets all completions that were not waited for.
    ///
    /// Use it when no other thread waits or completes: one that does may be forgotten or not.
    #[inline]
    pub fn reinit(&self) {
        // SAFETY: See `complete`. The shim takes the wait queue's lock.
        unsafe { crate::ffi::childkernel_reinit_completion(self.as_raw()) };
    }
}
