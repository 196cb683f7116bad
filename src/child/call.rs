// SPDX-License-Identifier: GPL-2.0

//! Calls: messages that want an answer. The caller waits for it, and always gets one, or an error.
//!
//! For asking a child kernel. A mailbox whose messages are a [`Call`] gets a request together with
//! the right to answer it once. Where no answer is wanted send a plain message; where somebody only
//! wants to know that all is done, a [`Completion`](crate::sync::Completion) is less.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/completion.h`](srctree/include/linux/completion.h) for sleeping, [`include/linux/list.h`](srctree/include/linux/list.h) in the `kernel` crate's form for what is pending |
//! | context | process, all of it: calling, answering, and dropping what was not answered |
//! | safe against | preempt-safe: yes; SMP-safe: yes; interrupt-safe: no, a call is neither made nor answered in an interrupt |
//! | sleeps | calling waits for room and for the answer; answering and failing do not |
//! | `PREEMPT_RT` | the same: the list of what is pending is under a raw lock |
//! | fairness | requests come out as those of any mailbox do; answers go to who asked, in any order |
//! | cost | one allocation for each call, a raw spinlock twice, and a completion |
//! | order | who answers sees what was done before the call, who has called what was done before the answer |
//! | errors | `EPIPE` there will be no answer; `ETIMEDOUT` the limit is over; `ERESTARTSYS` a signal or a stop; `ENOMEM` |
//!
//! # No call hangs for a child that is gone
//!
//! | what happens | to whom waits for the answer | to whom waits for room |
//! |---|---|---|
//! | the [`Call`], or its [`Reply`], is dropped unanswered | `EPIPE` | nothing |
//! | the receiver is dropped | `EPIPE` if the call is still inside; if it was received it may be answered | `EPIPE` |
//! | [`Mailbox::close`] | waits on: the receiver takes what is inside | `EPIPE` |
//! | [`Mailbox::abort`] | `EPIPE` | `EPIPE` |
//!
//! A thread that dies by an oops runs no destructors: a call that it had received lies on its stack
//! for ever, neither answered nor dropped. So the mailbox itself knows all calls that are pending,
//! and who finds out about the death aborts it. The dead stack keeps the request and one reference
//! to the place of the answer: some hundred bytes a call, that are not given back. So does one who
//! forgets a call, but nobody aborts the mailbox for that: its caller waits until it is interrupted
//! or its limit is over.
//!
//! Who answers takes no lock of the mailbox's, so its death leaves none taken.
//!
//! A call belongs to the mailbox that it was made through. If it is passed on to another child, the
//! death of that one is not known here: let who has received it call the other, and pass on the
//! answer.
//!
//! # After an error
//!
//! `ETIMEDOUT` and `ERESTARTSYS` say nothing about the request: it may not have been received, be
//! carried out just now, or have been. What is to be asked again has to be such that this does no
//! harm. An answer that comes too late is given back to who gives it, and dropped there.
//!
//! A child that calls itself, or two that call each other, wait for ever: set a limit there.

mod pending;

pub(super) use pending::Calls;
pub use pending::Reply;

use super::mailbox::{Channel, Mailbox, SendError, Sender, Wait};
use kernel::{bindings, prelude::*, time::Jiffies};

/// A request with the right to answer it: a message of a [`Mailbox`].
///
/// # Examples
///
/// ```ignore
/// let (sender, mut receiver) = Mailbox::<Call<u64, KVec<u8>>>::open(16)?;
/// // In the child:
/// let call = receiver.recv()?;
/// let found = find(*call.request())?;   // An error drops the call: the caller gets EPIPE.
/// if let Err(found) = call.reply(found) {
///     keep(found);                      // It took too long.
/// }
/// // Who asks:
/// let found = sender.call_timeout(7, Context::jiffies(100))?;
/// ```
#[must_use = "dropping it fails the call"]
pub struct Call<Q, R: Send + 'static> {
    request: Q,
    reply: Reply<R>,
}

impl<Q, R: Send + 'static> Call<Q, R> {
    /// What is asked.
    pub fn request(&self) -> &Q {
        &self.request
    }

    /// Whether the caller waits, just about now. Asked before long work, it spares some of it.
    pub fn is_awaited(&self) -> bool {
        self.reply.is_awaited()
    }

    /// Answers, then drops the request.
    ///
    /// # Errors
    ///
    /// Gives the value back if nobody waits for it any more.
    pub fn reply(self, value: R) -> Result<(), R> {
        self.reply.send(value)
    }

    /// Takes the request, to answer it later.
    pub fn into_parts(self) -> (Q, Reply<R>) {
        (self.request, self.reply)
    }
}

/// Now, in jiffies.
fn jiffies() -> Jiffies {
    // SAFETY: It is there as long as the kernel is. It changes at any time, in one piece: volatile.
    unsafe { (&raw const bindings::jiffies).read_volatile() }
}

/// Calls: makes a call pending, has it sent, and waits for the answer. The limit is one for all.
///
/// # Errors
///
/// As [`Sender::call_timeout`], and those of `send`.
pub(super) fn make<Q, R: Send + 'static>(
    calls: &Calls,
    request: Q,
    wait: Wait,
    send: impl FnOnce(Call<Q, R>, Wait) -> Result<(), SendError<Call<Q, R>>>,
) -> Result<R> {
    let began = jiffies();
    // Before it is sent: an abort that comes later finds it, and one that came earlier has closed
    // the mailbox.
    let (pending, reply) = calls.begin()?;
    send(Call { request, reply }, wait)?;
    pending.wait(match wait {
        Wait::Limit(limit) => Wait::Limit(limit.saturating_sub(jiffies().wrapping_sub(began))),
        wait => wait,
    })
}

impl<Q, R, C> Sender<Call<Q, R>, C>
where
    Q: Send + 'static,
    R: Send + 'static,
    C: Channel<Call<Q, R>>,
{
    fn call_as(&self, request: Q, wait: Wait) -> Result<R> {
        make(&self.calls, request, wait, |call, wait| {
            self.channel.send(call, wait)
        })
    }

    /// Asks, and waits for room and for the answer: until it comes, or a signal or a request to
    /// stop.
    ///
    /// Context: process.
    ///
    /// # Errors
    ///
    /// `EPIPE` if there will be no answer, `ERESTARTSYS` when interrupted, `ENOMEM`. The request is
    /// gone.
    pub fn call(&self, request: Q) -> Result<R> {
        self.call_as(request, Wait::Interruptible)
    }

    /// The same, and waits at most `limit` jiffies in all.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the limit is over, and as [`call`](Self::call).
    pub fn call_timeout(&self, request: Q, limit: Jiffies) -> Result<R> {
        self.call_as(request, Wait::Limit(limit))
    }
}

impl<T: Send + 'static, C: Channel<T>> Mailbox<T, C> {
    /// Closes it, and fails all calls that are pending with `EPIPE`: those inside, and those that
    /// were received and not answered yet. Any number of times, by anybody.
    ///
    /// For when the receiver has died and drops nothing any more. What is inside stays there.
    ///
    /// Context: process, does not sleep.
    pub fn abort(&self) {
        self.close();
        self.calls.fail();
    }

    /// How many calls are pending: waiting for room or for their answer.
    pub fn calls(&self) -> usize {
        self.calls.count()
    }
}
