// SPDX-License-Identifier: GPL-2.0

//! Mailboxes: bounded, many senders and one receiver, and messages are owned values that move.
//!
//! For talking to a child kernel, or to any thread that takes its work one piece at a time. What
//! was sent belongs to the mailbox, and then to who receives it; nothing is copied but the value
//! itself, and a large message is best a box. Where work needs no thread of its own, a workqueue is
//! less; where one thread only tells another that something is done, a
//! [`Completion`](crate::sync::Completion) is.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/completion.h`](srctree/include/linux/completion.h) for sleeping; the ring is ours |
//! | context | [`try_send`](Sender::try_send) and [`try_send_batch`](Sender::try_send_batch): process, softirq and hardirq; all else: process |
//! | safe against | preempt-safe: yes; SMP-safe: yes; interrupt-safe: yes, with these two |
//! | sleeps | sending waits for room and receiving for a message; what is named `try_` does not |
//! | `PREEMPT_RT` | the same |
//! | fairness | messages come out in the order in which their senders got a place, those of one sender in the order they were sent; senders that wait for room are woken in turn, but one that comes just then may be faster |
//! | cost | one compare-and-swap to send and one exchange to receive, for a batch as for a message; a completion only if the other side sleeps |
//! | order | who receives a message sees what was done before it was sent |
//! | errors | `EAGAIN` full, or empty; `EPIPE` closed; `ERESTARTSYS` a signal or a stop; `ETIMEDOUT` the limit is over |
//!
//! # From a hard interrupt
//!
//! Only [`try_send`](Sender::try_send) and its batch. They take no lock, nor free or drop anything: a value that
//! is not taken in comes back, and must not be dropped there either if that frees or sleeps. Put it
//! back where it came from. Nor is a [`Sender`] to be made or dropped there.
//!
//! # The end
//!
//! A mailbox is closed by dropping its [`Receiver`], by dropping the last [`Sender`], or by
//! [`Mailbox::close`]. Senders then get `EPIPE` and their value back, those that wait too. The
//! receiver takes what is still inside, and gets `EPIPE` after that. What nobody receives is
//! dropped when the receiver is: once, by the thread that drops it.
//! For a receiver that has died there is [`Mailbox::abort`]: see [calls](super::call).
//!
//! # The rival
//!
//! [`Guarded`], a queue under a spinlock with two semaphores, does the same in the way that
//! needs no thought. It is there to be measured against: `Mailbox::<T, Guarded<T>>::open(depth)`.

use super::call::Calls;
use crate::sync::atomic::{Atomic, Full, Relaxed};
use core::{marker::PhantomData, ops::Deref};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta, Jiffies},
};

mod channel;
mod lock_free;
pub mod memory;
mod native;
mod queue;
pub mod ring;
pub mod sleepers;
mod wait;

pub use channel::{Channel, SendError};
pub use lock_free::LockFree;
pub use queue::Guarded;
pub(super) use wait::wait_for;
pub use wait::Wait;

/// The most messages that a mailbox can have room for.
pub const DEPTH_MAX: usize = 1 << 16;

/// A mailbox, as both of its sides see it: neither locks anything to look.
///
/// # Examples
///
/// ```ignore
/// let (sender, mut receiver) = Mailbox::<KBox<Job>>::open(64)?;
/// let child = Builder::new(&MODULE, c"worker").spawn(move |ctx| ...)?;
/// sender.send(job)?;                            // Waits for room; drops the job if it can not.
/// if let Err(error) = sender.try_send(job) {    // From a timer: the job comes back.
///     keep(error.into_value());
/// }
/// let job = receiver.recv()?;                   // A stop ends it.
/// ```
#[pin_data]
pub struct Mailbox<T: Send + 'static, C: Channel<T> = LockFree<T>> {
    #[pin]
    pub(super) channel: C,
    #[pin]
    pub(super) calls: Calls,
    senders: Atomic<usize>,
    _messages: PhantomData<fn(T) -> T>,
}

impl<T: Send + 'static, C: Channel<T>> Mailbox<T, C> {
    /// Opens a mailbox for up to `depth` messages: a power of two, at most [`DEPTH_MAX`].
    ///
    /// # Errors
    ///
    /// `EINVAL` if the depth is none of these, and the log says so; `ENOMEM`.
    pub fn open(depth: usize) -> Result<(Sender<T, C>, Receiver<T, C>)> {
        check(depth)?;
        let mailbox = Arc::pin_init(
            try_pin_init!(Self {
                channel <- C::new(depth),
                calls <- Calls::new(),
                senders: Atomic::new(1),
                _messages: PhantomData,
            }),
            GFP_KERNEL,
        )?;
        let sender = Sender {
            mailbox: mailbox.clone(),
        };
        // INVARIANT: It is made here, once.
        Ok((sender, Receiver { mailbox }))
    }

    /// Closes it, from either side: senders get `EPIPE`, and the receiver after it has taken what
    /// is inside. Those that wait are woken.
    ///
    /// Context: process.
    pub fn close(&self) {
        self.channel.close();
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.channel.is_closed()
    }

    /// How many messages it has room for.
    pub fn depth(&self) -> usize {
        self.channel.depth()
    }

    /// How many messages are inside just about now.
    pub fn len(&self) -> usize {
        self.channel.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.channel.is_empty()
    }

    /// How often a sender found no room, whether it waited then or not.
    pub fn full(&self) -> u64 {
        self.channel.full()
    }

    /// How often the receiver found nothing, whether it waited then or not.
    pub fn empty(&self) -> u64 {
        self.channel.empty()
    }

    /// How often the receiver slept and was woken for a message, where that is known.
    pub fn wakes(&self) -> Option<u64> {
        self.channel.wakes()
    }
}

fn check(depth: usize) -> Result {
    if !depth.is_power_of_two() || depth > DEPTH_MAX {
        pr_err!("depth of a mailbox: a power of two, 1 to {DEPTH_MAX}\n");
        return Err(EINVAL);
    }
    Ok(())
}

/// Sends to a mailbox. Clones send to the same one; with the last it is closed.
///
/// Context: neither made nor dropped in a hard interrupt.
pub struct Sender<T: Send + 'static, C: Channel<T> = LockFree<T>> {
    mailbox: Arc<Mailbox<T, C>>,
}

impl<T: Send + 'static, C: Channel<T>> Sender<T, C> {
    /// Sends, and waits for room: until there is some, or a signal or a request to stop comes.
    ///
    /// Context: process.
    ///
    /// # Errors
    ///
    /// `EPIPE` if the mailbox is closed, `ERESTARTSYS` when interrupted. The value comes back.
    #[inline]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.mailbox.channel.send(value, Wait::Interruptible)
    }

    /// Sends if there is room. From any context.
    ///
    /// Drops and frees nothing, so a hard interrupt may call it. What comes back there must be
    /// kept.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is none, `EPIPE` if the mailbox is closed. The value comes back.
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), SendError<T>> {
        self.mailbox.channel.send(value, Wait::No)
    }

    /// Sends, and waits for room, at most `limit` jiffies.
    ///
    /// Context: process.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the limit is over, and as [`send`](Self::send). The value comes back.
    pub fn send_timeout(&self, value: T, limit: Jiffies) -> Result<(), SendError<T>> {
        self.mailbox.channel.send(value, Wait::Limit(limit))
    }

    /// Sends as many of these values as there is room for, the first ones, and takes them off the
    /// vector. Returns how many. From any context, as [`try_send`](Self::try_send).
    ///
    /// The receiver gets them one after the other, with none of other senders in between
    /// ([`Guarded`] does not promise that).
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is no room at all, `EPIPE` if the mailbox is closed. All values are still
    /// there.
    #[inline]
    pub fn try_send_batch(&self, values: &mut KVec<T>) -> Result<usize> {
        if values.is_empty() {
            return Ok(0);
        }
        self.mailbox.channel.send_some(values)
    }

    /// Sends all these values in their order, and waits for room as [`send`](Self::send) does.
    /// Those of other senders may come in between where it had to wait.
    ///
    /// Context: process.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send). What was sent is no longer in the vector, what was not still is.
    pub fn send_batch(&self, values: &mut KVec<T>) -> Result {
        loop {
            match self.try_send_batch(values) {
                Err(error) if error != EAGAIN => return Err(error),
                _ => (),
            }
            let Ok(next) = values.remove(0) else {
                return Ok(());
            };
            if let Err(back) = self.send(next) {
                let error = back.error();
                // There is room, where it was taken from.
                let _ = values.insert_within_capacity(0, back.into_value());
                return Err(error);
            }
        }
    }
}

impl<T: Send + 'static, C: Channel<T>> Deref for Sender<T, C> {
    type Target = Mailbox<T, C>;

    fn deref(&self) -> &Self::Target {
        &self.mailbox
    }
}

impl<T: Send + 'static, C: Channel<T>> Clone for Sender<T, C> {
    fn clone(&self) -> Self {
        self.mailbox.senders.fetch_add(1, Relaxed);
        Self {
            mailbox: self.mailbox.clone(),
        }
    }
}

impl<T: Send + 'static, C: Channel<T>> Drop for Sender<T, C> {
    fn drop(&mut self) {
        // Full: pairs with itself. What the others have sent is before the end.
        if self.mailbox.senders.fetch_sub(1, Full) == 1 {
            self.mailbox.close();
        }
    }
}

/// What is broken on purpose, so that tests can see it noticed.
#[cfg(CONFIG_CHILDKERNEL_TORTURE)]
impl<T: Send + 'static> Sender<T> {
    /// Sends, but does not wake the receiver. `None` if there is no room; else whether it sleeps
    /// and has to be woken late.
    pub(crate) fn send_silently(&self, value: T) -> Option<bool> {
        self.mailbox.channel.push_silently(value)
    }

    /// Wakes it.
    pub(crate) fn wake_late(&self) {
        self.mailbox.channel.wake_late();
    }
}

/// The same.
#[cfg(CONFIG_CHILDKERNEL_TORTURE)]
impl<T: Send + 'static> Sender<T, Guarded<T>> {
    /// Sends, but does not wake the receiver. `None` if there is no room.
    pub(crate) fn send_silently(&self, value: T) -> Option<bool> {
        self.mailbox.channel.push_silently(value)
    }

    /// Leaves out a slot, as who wraps too early does.
    pub(crate) fn wrap_early(&self) {
        self.mailbox.channel.wrap_early();
    }
}

/// Receives from a mailbox. There is one; dropping it closes the mailbox, and drops what is inside.
///
/// Context: process, dropping it too, which may sleep.
///
/// # Invariants
///
/// It is the only one of its mailbox.
pub struct Receiver<T: Send + 'static, C: Channel<T> = LockFree<T>> {
    mailbox: Arc<Mailbox<T, C>>,
}

impl<T: Send + 'static, C: Channel<T>> Receiver<T, C> {
    #[inline]
    fn recv_as(&mut self, wait: Wait) -> Result<T> {
        // SAFETY: It is the only receiver, and borrowed exclusively.
        unsafe { self.mailbox.channel.recv(wait) }
    }

    /// Receives the next message, and waits for it: until it comes, or a signal or a request to
    /// stop.
    ///
    /// # Errors
    ///
    /// `EPIPE` if the mailbox is closed and empty, `ERESTARTSYS` when interrupted.
    #[inline]
    pub fn recv(&mut self) -> Result<T> {
        self.recv_as(Wait::Interruptible)
    }

    /// Receives the next message if there is one.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is none, `EPIPE` if there will be none either.
    #[inline]
    pub fn try_recv(&mut self) -> Result<T> {
        self.recv_as(Wait::No)
    }

    /// Receives the next message, and waits for it, at most `limit` jiffies.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the limit is over, and as [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, limit: Jiffies) -> Result<T> {
        self.recv_as(Wait::Limit(limit))
    }

    /// Receives what there is, and otherwise waits like this for the first.
    #[inline]
    fn batch_as(&mut self, into: &mut KVec<T>, wait: Wait) -> Result<usize> {
        if into.len() >= into.capacity() {
            return Err(ENOSPC);
        }
        // SAFETY: It is the only receiver, and borrowed exclusively.
        match unsafe { self.mailbox.channel.recv_some(into) } {
            0 => self.batch_waiting(into, wait),
            some => Ok(some),
        }
    }

    #[cold]
    fn batch_waiting(&mut self, into: &mut KVec<T>, wait: Wait) -> Result<usize> {
        let first = self.recv_as(wait)?;
        // There is room.
        let _ = into.push_within_capacity(first);
        // SAFETY: It is the only receiver, and borrowed exclusively.
        let more = unsafe { self.mailbox.channel.recv_some(into) };
        Ok(more.saturating_add(1))
    }

    /// Waits as [`recv`](Self::recv) does, and receives what there is then: as much as `into` has
    /// capacity for, without allocating. Returns how many.
    ///
    /// Senders that wait for room are woken when the batch is done.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if there is no capacity at all, and as [`recv`](Self::recv).
    pub fn recv_batch(&mut self, into: &mut KVec<T>) -> Result<usize> {
        self.batch_as(into, Wait::Interruptible)
    }

    /// The same, if there is something.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if there is no capacity at all, and as [`try_recv`](Self::try_recv).
    #[inline]
    pub fn try_recv_batch(&mut self, into: &mut KVec<T>) -> Result<usize> {
        self.batch_as(into, Wait::No)
    }
}

impl<T: Send + 'static, C: Channel<T>> Deref for Receiver<T, C> {
    type Target = Mailbox<T, C>;

    fn deref(&self) -> &Self::Target {
        &self.mailbox
    }
}

/// How often the drop of a receiver looks for what senders are just putting in, a millisecond
/// apart. What comes later is dropped with the last sender.
const LOOKS: u32 = 100;

impl<T: Send + 'static, C: Channel<T>> Drop for Receiver<T, C> {
    fn drop(&mut self) {
        self.mailbox.close();
        for _ in 0..LOOKS {
            let end = loop {
                match self.try_recv() {
                    Ok(value) => drop(value),
                    Err(error) => break error,
                }
            };
            if end == EPIPE {
                return;
            }
            // A sender has a place already and was interrupted before its value was in.
            fsleep(Delta::from_millis(1));
        }
        // A caller does not wait for what is dropped with the last sender, which it may be.
        self.mailbox.calls.fail();
    }
}
