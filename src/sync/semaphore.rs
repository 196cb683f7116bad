// SPDX-License-Identifier: GPL-2.0

//! Counting semaphores: at most so many at once.
//!
//! A semaphore has no owner: a permit may be given back by another thread, or by an interrupt. So
//! lockdep sees no dependency through it, and nothing inherits priority. Where one thread takes and
//! gives back, and one permit is all there is, a mutex is better.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/semaphore.h`](srctree/include/linux/semaphore.h) |
//! | context | waiting: process; [`try_down`](Semaphore::try_down) and [`up`](Semaphore::up): process, softirq and hardirq |
//! | safe against | preempt-safe: yes; SMP-safe: yes; interrupt-safe: yes, with `try_down` and `up`. It guards no data itself |
//! | sleeps | waiting does, and so may who has a permit; `try_down` and `up` do not |
//! | `PREEMPT_RT` | the same |
//! | fairness | first come, first served: a permit that is given back belongs to the first waiter, and nobody overtakes |
//! | cost | a raw spinlock with interrupts off around a counter, free or not; two context switches to wait |
//! | order | who gets a permit sees what was done before it was given back |
//! | errors | `EINTR` from [`down_interruptible`](Semaphore::down_interruptible) on a signal or a stop, from [`down_killable`](Semaphore::down_killable) on a fatal signal; `ETIME` from [`down_timeout`](Semaphore::down_timeout) |

use crate::ffi::to_result;
use kernel::{
    bindings,
    prelude::*,
    sync::LockClassKey,
    time::Jiffies,
    types::Opaque, //
};

/// Creates a [`Semaphore`] initialiser with the given name and a lock class of its own.
#[macro_export]
macro_rules! new_semaphore {
    ($permits:expr, $name:literal) => {
        $crate::sync::Semaphore::new(
            $permits,
            $crate::lock_name!($name),
            ::kernel::static_lock_class!(),
        )
    };
}
pub use crate::new_semaphore;

/// A number of permits.
///
/// # Examples
///
/// ```ignore
/// let slots = KBox::pin_init(new_semaphore!(2, "slots"), GFP_KERNEL)?;
/// let permit = slots.down_interruptible()?;
/// drop(permit); // Given back.
/// slots.try_down().ok_or(EAGAIN)?.keep(); // Taken as a count ...
/// slots.up(); // ... and given back by whoever.
/// ```
#[pin_data]
pub struct Semaphore {
    #[pin]
    inner: Opaque<bindings::semaphore>,
}

// SAFETY: A `struct semaphore` may be used from any thread.
unsafe impl Send for Semaphore {}
// SAFETY: Its functions take its own lock.
unsafe impl Sync for Semaphore {}

impl Semaphore {
    /// Creates an initialiser. Use [`new_semaphore!`], which makes the lock class.
    ///
    /// With more than `i32::MAX` permits [`try_down`](Self::try_down) gets none: C computes what
    /// would be left as an `int`.
    pub fn new(
        permits: u32,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes; name and key are static.
            inner <- Opaque::ffi_init(|slot| unsafe {
                crate::ffi::childkernel_sema_init(slot, permits, name.as_char_ptr(), key.as_ptr())
            }),
        })
    }

    /// Waits for a permit, however long it takes. In a child kernel wait interruptibly instead.
    #[inline]
    pub fn down(&self) -> Permit<'_> {
        // SAFETY: The semaphore is initialised, as in all methods below.
        unsafe { bindings::down(self.inner.get()) };
        Permit(self)
    }

    /// Waits for a permit, a signal, or, in a kernel thread, a request to stop.
    ///
    /// # Errors
    ///
    /// `EINTR` when interrupted.
    #[inline]
    pub fn down_interruptible(&self) -> Result<Permit<'_>> {
        // SAFETY: See `down`.
        to_result(unsafe { bindings::down_interruptible(self.inner.get()) })?;
        Ok(Permit(self))
    }

    /// Waits for a permit or a fatal signal. A request to stop does not end it.
    ///
    /// # Errors
    ///
    /// `EINTR` when killed.
    #[inline]
    pub fn down_killable(&self) -> Result<Permit<'_>> {
        // SAFETY: See `down`.
        to_result(unsafe { bindings::down_killable(self.inner.get()) })?;
        Ok(Permit(self))
    }

    /// Waits for a permit, at most `limit` jiffies. Neither a signal nor a stop ends it earlier.
    ///
    /// # Errors
    ///
    /// `ETIME` when the limit is over.
    #[inline]
    pub fn down_timeout(&self, limit: Jiffies) -> Result<Permit<'_>> {
        let limit = c_long::try_from(limit).unwrap_or(c_long::MAX);
        // SAFETY: See `down`.
        to_result(unsafe { bindings::down_timeout(self.inner.get(), limit) })?;
        Ok(Permit(self))
    }

    /// Takes a permit if there is one. From any context.
    #[inline]
    #[must_use = "if unused, the permit is given back at once"]
    pub fn try_down(&self) -> Option<Permit<'_>> {
        // The C function returns 0 when it got one.
        // SAFETY: See `down`.
        let got = unsafe { bindings::down_trylock(self.inner.get()) } == 0;
        got.then(|| Permit(self))
    }

    /// Gives a permit back, or adds one. From any context.
    #[inline]
    pub fn up(&self) {
        // SAFETY: See `down`.
        unsafe { bindings::up(self.inner.get()) };
    }
}

/// A permit, given back when dropped, by whichever thread.
#[must_use = "the permit is given back at once when it is unused"]
pub struct Permit<'a>(&'a Semaphore);

impl Permit<'_> {
    /// Keeps the permit taken without a guard: [`Semaphore::up`] gives it back.
    pub fn keep(self) {
        core::mem::forget(self);
    }
}

impl Drop for Permit<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.up();
    }
}
