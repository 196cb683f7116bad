// SPDX-License-Identifier: GPL-2.0

//! Wait queues: threads wait under a lock until what they wait for has come about.
//!
//! The `kernel` crate's [`CondVar`] is a `wait_queue_head` whose waiters hold a lock of any kind and
//! give it away while they sleep. It wakes spuriously, so each wait is a loop; and its waits with a
//! limit, or that a signal ends, leave it to the caller to tell why they ended. [`CondVarExt`] has
//! these loops, the `wait_event()` family of C: they end when the condition holds, or with an error
//! that says why not. For one event that nobody else looks at a [`Completion`](super::Completion)
//! is less.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/wait.h`](srctree/include/linux/wait.h) |
//! | context | waiting: process; notifying: process, softirq, hardirq, if the lock of the condition may be taken there |
//! | safe against | as the lock of the condition: preempt-safe, SMP-safe, and interrupt-safe if it is |
//! | sleeps | waiting does, notifying does not |
//! | `PREEMPT_RT` | no notifying from hardirq: the queue's own lock sleeps |
//! | fairness | `notify_one` wakes exactly one, who has waited longest since it last slept; the lock decides who goes on first |
//! | cost | waiting: the queue's lock twice and a context switch; notifying nobody: the queue's lock |
//! | order | of the lock: what was done under it before the notification is seen by who wakes |
//! | errors | `ERESTARTSYS`: a signal, or a request to stop a kernel thread; `ETIMEDOUT`: the limit is over |
//!
//! # Why there is no bare wait queue
//!
//! `wait_event(wq, condition)` in C evaluates its condition while the thread is queued, and no
//! longer as running. In Rust that would be a closure of the user's that must not sleep, and whose
//! thread, should it die there, leaves an entry of its dead stack in the queue. Here conditions are
//! evaluated under the lock, between waits: [`CondVar`] takes the entry out before its wait returns.
//! The price is a lock around the condition, which most conditions have anyway. So that no
//! notification is lost, change the condition under the same lock.

use core::mem::size_of;
use kernel::{
    bindings,
    prelude::*,
    sync::lock::{Backend, Guard},
    task::TASK_UNINTERRUPTIBLE,
    time::Jiffies,
    types::Opaque, //
};

pub use kernel::sync::{new_condvar, CondVar, CondVarTimeoutResult};

/// `MAX_SCHEDULE_TIMEOUT`: no limit.
const NO_LIMIT: c_long = c_long::MAX;
/// A fatal signal wakes the thread, no other does.
const TASK_KILLABLE: c_int = bindings::TASK_KILLABLE as c_int;

/// Waits of a [`CondVar`] until a condition holds: while `unmet` is true.
///
/// `unmet` is called with the lock held, at least once and again after each notification; it must
/// not sleep if the lock forbids that. While the thread sleeps the lock is given away, so nothing
/// else that forbids sleeping may be held. When a wait returns, with or without an error, the lock
/// is held.
///
/// A condition that holds counts, even if the limit is over or a signal has come meanwhile, so a
/// notification that was for one waiter is not lost with an error. Limits do not count how long
/// the lock has to be waited for.
///
/// # Examples
///
/// ```ignore
/// #[pin_data]
/// struct Jobs {
///     #[pin]
///     waiting: Mutex<u32>,
///     #[pin]
///     more: CondVar,
/// }
///
/// // One waits, in a child: a stop ends it.
/// let mut waiting = jobs.waiting.lock();
/// jobs.more.wait_while_interruptible(&mut waiting, |n| *n == 0)?;
/// *waiting -= 1;
///
/// // Another adds.
/// *jobs.waiting.lock() += 1;
/// jobs.more.notify_one();
/// ```
pub trait CondVarExt {
    /// Waits, however long it takes. Nothing but the condition ends this wait.
    ///
    /// In a child kernel wait interruptibly instead, or the child cannot be stopped.
    fn wait_while<T: ?Sized, B: Backend>(
        &self,
        guard: &mut Guard<'_, T, B>,
        unmet: impl FnMut(&T) -> bool,
    );

    /// Waits until the condition holds, a signal comes, or, in a kernel thread, a request to stop.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` when interrupted.
    fn wait_while_interruptible<T: ?Sized, B: Backend>(
        &self,
        guard: &mut Guard<'_, T, B>,
        unmet: impl FnMut(&T) -> bool,
    ) -> Result;

    /// Waits until the condition holds or a fatal signal comes. A request to stop does not end it.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` when killed.
    fn wait_while_killable<T: ?Sized, B: Backend>(
        &self,
        guard: &mut Guard<'_, T, B>,
        unmet: impl FnMut(&T) -> bool,
    ) -> Result;

    /// Waits until the condition holds, at most `limit` jiffies. No signal ends this wait.
    ///
    /// Returns the jiffies that were left, at least 1.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the limit is over.
    fn wait_while_timeout<T: ?Sized, B: Backend>(
        &self,
        guard: &mut Guard<'_, T, B>,
        unmet: impl FnMut(&T) -> bool,
        limit: Jiffies,
    ) -> Result<Jiffies>;

    /// Waits as [`wait_while_interruptible`](Self::wait_while_interruptible) does, at most `limit`
    /// jiffies.
    ///
    /// Returns the jiffies that were left, at least 1.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the limit is over, `ERESTARTSYS` when interrupted.
    fn wait_while_interruptible_timeout<T: ?Sized, B: Backend>(
        &self,
        guard: &mut Guard<'_, T, B>,
        unmet: impl FnMut(&T) -> bool,
        limit: Jiffies,
    ) -> Result<Jiffies>;
}

impl CondVarExt for CondVar {
    fn wait_while<T: ?Sized, B: Backend>(
        &self,
        guard: &mut Guard<'_, T, B>,
        mut unmet: impl FnMut(&T) -> bool,
    ) {
        while unmet(guard) {
            self.wait(guard);
        }
    }

    fn wait_while_interruptible<T: ?Sized, B: Backend>(
        &self,
        guard: &mut Guard<'_, T, B>,
        mut unmet: impl FnMut(&T) -> bool,
    ) -> Result {
        let mut interrupted = false;
        while unmet(guard) {
            if interrupted {
                return Err(ERESTARTSYS);
            }
            // kthread_stop() sets TIF_NOTIFY_SIGNAL, which counts as a signal.
            interrupted = self.wait_interruptible(guard);
        }
        Ok(())
    }

    fn wait_while_killable<T: ?Sized, B: Backend>(
        &self,
        guard: &mut Guard<'_, T, B>,
        mut unmet: impl FnMut(&T) -> bool,
    ) -> Result {
        let mut killed = false;
        while unmet(guard) {
            if killed {
                return Err(ERESTARTSYS);
            }
            wait_as(self, guard, TASK_KILLABLE, NO_LIMIT);
            // SAFETY: May be called from process context.
            killed = unsafe { crate::ffi::childkernel_fatal_signal_pending() };
        }
        Ok(())
    }

    fn wait_while_timeout<T: ?Sized, B: Backend>(
        &self,
        guard: &mut Guard<'_, T, B>,
        mut unmet: impl FnMut(&T) -> bool,
        limit: Jiffies,
    ) -> Result<Jiffies> {
        let mut left = c_long::try_from(limit).unwrap_or(NO_LIMIT);
        let mut over = false;
        while unmet(guard) {
            if over {
                return Err(ETIMEDOUT);
            }
            left = wait_as(self, guard, TASK_UNINTERRUPTIBLE, left);
            over = left == 0;
        }
        // It is not negative.
        Ok(left.max(1) as Jiffies)
    }

    fn wait_while_interruptible_timeout<T: ?Sized, B: Backend>(
        &self,
        guard: &mut Guard<'_, T, B>,
        mut unmet: impl FnMut(&T) -> bool,
        limit: Jiffies,
    ) -> Result<Jiffies> {
        let mut left = limit;
        let mut end = Ok(());
        while unmet(guard) {
            end?;
            match self.wait_interruptible_timeout(guard, left) {
                CondVarTimeoutResult::Woken { jiffies } => left = jiffies,
                CondVarTimeoutResult::Timeout => {
                    left = 0;
                    end = Err(ETIMEDOUT);
                }
                CondVarTimeoutResult::Signal { jiffies } => {
                    left = jiffies;
                    end = Err(ERESTARTSYS);
                }
            }
        }
        Ok(left.max(1))
    }
}

/// Waits once as [`CondVar::wait`] does, in a state of the thread and with a limit that it does not
/// have. Returns what is left of the limit.
fn wait_as<T: ?Sized, B: Backend>(
    condvar: &CondVar,
    guard: &mut Guard<'_, T, B>,
    state: c_int,
    limit: c_long,
) -> c_long {
    // A `CondVar` is nothing but its wait queue, which is private to it.
    const_assert!(size_of::<CondVar>() == size_of::<bindings::wait_queue_head>());
    let head = core::ptr::from_ref(condvar)
        .cast_mut()
        .cast::<bindings::wait_queue_head>();
    let entry = Opaque::<bindings::wait_queue_entry>::uninit();
    let lock = guard.lock_ref();

    // SAFETY: `head` is an initialised wait queue: it is as large as the `CondVar` that contains
    // it, so it is where that is, and it is `Opaque` there. `entry` stays on this stack until it is
    // taken out below; nothing in between returns early, nor runs code of a user's.
    unsafe {
        bindings::init_wait(entry.get());
        bindings::prepare_to_wait_exclusive(head, entry.get(), state);
    }
    // SAFETY: What is dropped here, which unlocks, is written anew below, before anybody can use
    // it: the kernel does not unwind.
    unsafe { core::ptr::drop_in_place(guard) };
    // SAFETY: Switches to another thread; the limit is not negative.
    let left = unsafe { bindings::schedule_timeout(limit) };
    // SAFETY: See above; a guard of the same lock takes the place of the one that was dropped.
    unsafe { core::ptr::write(guard, lock.lock()) };
    // SAFETY: Both were initialised above.
    unsafe { bindings::finish_wait(head, entry.get()) };
    left
}
