// SPDX-License-Identifier: GPL-2.0

//! Calls: messages that want an answer. The caller waits for it, and always gets one, or an error.
//!
//! For asking a child kernel. A mailbox whose messages are a [`Call`] gets a request together with
//! the right to answer it once. Where no answer is wanted send a plain message; where somebody only
//! wants to know that all is done, a [`Completion`] is less.
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
//! | [`Mailbox::close`](super::mailbox::Mailbox::close) | waits on: the receiver takes what is inside | `EPIPE` |
//! | [`Mailbox::abort`](super::mailbox::Mailbox::abort) | `EPIPE` | `EPIPE` |
//!
//! A thread that dies by an oops runs no destructors: a call that it had received lies on its stack
//! for ever, neither answered nor dropped. So the mailbox itself knows all calls that are pending,
//! and who finds out about the death aborts it. The dead stack keeps the request and one reference
//! to the place of the answer: some hundred bytes a call, that are not given back. So does one who
//! forgets a call, but nobody aborts the mailbox for that: its caller waits until it is interrupted
//! or its limit is over.
//!
//! Who answers takes no lock, so its death leaves none taken.
//!
//! # After an error
//!
//! `ETIMEDOUT` and `ERESTARTSYS` say nothing about the request: it may not have been received, be
//! carried out just now, or have been. What is to be asked again has to be such that this does no
//! harm. An answer that comes too late is given back to who gives it, and dropped there.
//!
//! A child that calls itself, or two that call each other, wait for ever: set a limit there.

use super::mailbox::{wait_for, Channel, SendError, Sender, Wait};
use crate::{
    new_completion, new_raw_spinlock,
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        Completion, RawSpinLock,
    },
};
use core::cell::UnsafeCell;
use kernel::{
    bindings,
    list::{impl_list_arc_safe, impl_list_item, List, ListArc, ListLinksSelfPtr},
    prelude::*,
    sync::Arc,
    time::Jiffies,
};

/// Nothing is decided: the caller waits.
const WAITS: u32 = 0;
/// The answer is there, for the caller.
const ANSWERED: u32 = 1;
/// There will be none.
const FAILED: u32 = 2;
/// The caller waits no more.
const LEFT: u32 = 3;

/// Room for an answer.
struct Room<R>(UnsafeCell<Option<R>>);

// SAFETY: Those who share it only move the value in or out, one at a time, by the safety
// requirements of `put` and `take`.
unsafe impl<R: Send> Sync for Room<R> {}

impl<R> Room<R> {
    /// # Safety
    ///
    /// Nobody else uses it meanwhile.
    unsafe fn put(&self, value: R) {
        // SAFETY: By the safety requirements of this function.
        unsafe { *self.0.get() = Some(value) };
    }

    /// # Safety
    ///
    /// Nobody else uses it meanwhile.
    unsafe fn take(&self) -> Option<R> {
        // SAFETY: By the safety requirements of this function.
        unsafe { (*self.0.get()).take() }
    }
}

/// What the list of pending calls has to know of an answer.
trait Answer: Send + Sync {}

impl<R: Send> Answer for Room<R> {}

/// What a caller, who answers and the mailbox share of a call.
///
/// # Invariants
///
/// `state` leaves [`WAITS`] once and stays what it is then. While it is [`WAITS`] the room is used
/// by the only [`Reply`], and by that also afterwards, unless it is [`ANSWERED`]: then by the only
/// [`Pending`].
#[pin_data]
struct Cell<A: ?Sized> {
    #[pin]
    links: ListLinksSelfPtr<Cell<dyn Answer>>,
    state: Atomic<u32>,
    #[pin]
    done: Completion,
    room: A,
}

impl_list_arc_safe! {
    impl{A: ?Sized} ListArcSafe<0> for Cell<A> { untracked; }
}

impl_list_item! {
    impl ListItem<0> for Cell<dyn Answer> { using ListLinksSelfPtr { self.links }; }
}

/// One lock class, and not one for each type of answer.
fn done() -> impl PinInit<Completion> {
    new_completion!("childkernel_call_done")
}

impl<A: ?Sized> Cell<A> {
    /// Ends the wait, and says whether there still was one. Runs nothing of the owner's.
    fn end(&self, how: u32) -> bool {
        // Release: who sees an answer announced finds it.
        let ended = self.state.cmpxchg(WAITS, how, Release).is_ok();
        if ended {
            self.done.complete();
        }
        ended
    }
}

/// The calls of a mailbox that are pending: those that wait, for room or for their answer.
///
/// # Invariants
///
/// What is in the list got in by [`begin`](Self::begin), and gets out when its [`Pending`] is
/// dropped.
#[pin_data]
pub(super) struct Calls {
    #[pin]
    list: RawSpinLock<List<Cell<dyn Answer>>>,
}

impl Calls {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            list <- new_raw_spinlock!(List::new(), "childkernel_calls"),
        })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.list.lock().iter().count()
    }

    /// Fails all of them, and drops nothing: each stays in the list until its caller has left.
    ///
    /// Context: process, does not sleep; not preemptible, for a wake-up for each.
    pub(super) fn fail(&self) {
        for call in self.list.lock().iter() {
            call.end(FAILED);
        }
    }

    /// Makes a call pending.
    fn begin<R: Send + 'static>(&self) -> Result<(Pending<'_, R>, Reply<R>)> {
        let cell = ListArc::pin_init(
            try_pin_init!(Cell {
                links <- ListLinksSelfPtr::new(),
                state: Atomic::new(WAITS),
                done <- done(),
                room: Room(UnsafeCell::new(None)),
            }),
            GFP_KERNEL,
        )?;
        let (ours, theirs) = (cell.clone_arc(), cell.clone_arc());
        // INVARIANT: `pending` takes it out.
        self.list.lock().push_back(cell);
        let pending = Pending {
            calls: self,
            cell: ours,
        };
        Ok((pending, Reply { cell: theirs }))
    }
}

/// A call, as its caller has it.
///
/// If its caller dies it stays in the list, which owns a reference.
///
/// # Invariants
///
/// The cell is in the list of `calls`, and this is the only one of its cell.
struct Pending<'a, R: Send + 'static> {
    calls: &'a Calls,
    cell: Arc<Cell<Room<R>>>,
}

impl<R: Send + 'static> Pending<'_, R> {
    fn wait(self, mut wait: Wait) -> Result<R> {
        let cell = &*self.cell;
        if let Err(error) = wait_for(&cell.done, &mut wait) {
            if cell.state.cmpxchg(WAITS, LEFT, Relaxed).is_ok() {
                return Err(error);
            }
            // It was decided just before.
        }
        if cell.state.load(Acquire) != ANSWERED {
            return Err(EPIPE);
        }
        // SAFETY: It is answered, and this is the only caller.
        unsafe { cell.room.take() }.ok_or(EPIPE)
    }
}

impl<R: Send + 'static> Drop for Pending<'_, R> {
    fn drop(&mut self) {
        let cell: Arc<Cell<dyn Answer>> = self.cell.clone();
        let mut list = self.calls.list.lock();
        // SAFETY: By the type invariant it is in this list, so in no other.
        let listed = unsafe { list.remove(&cell) };
        drop(list);
        // Not under the lock: they may be the last but ours.
        drop((listed, cell));
    }
}

/// The right to answer a call, once. Dropping it fails the call with `EPIPE`.
///
/// Context: process, dropping it too.
///
/// # Invariants
///
/// It is the only one of its cell.
pub struct Reply<R: Send + 'static> {
    cell: Arc<Cell<Room<R>>>,
}

impl<R: Send + 'static> Reply<R> {
    /// Answers.
    ///
    /// # Errors
    ///
    /// Gives the value back if nobody waits for it any more.
    pub fn send(self, value: R) -> Result<(), R> {
        // SAFETY: It has not answered, as it is consumed by that, so the room is its to use.
        unsafe { self.cell.room.put(value) };
        if self.cell.end(ANSWERED) {
            return Ok(());
        }
        // SAFETY: It is decided, but not by an answer: only this one could have given that. So
        // the room is still its to use.
        match unsafe { self.cell.room.take() } {
            Some(value) => Err(value),
            None => Ok(()),
        }
    }

    /// Whether the caller waits, just about now.
    pub fn is_awaited(&self) -> bool {
        self.cell.state.load(Relaxed) == WAITS
    }
}

impl<R: Send + 'static> Drop for Reply<R> {
    fn drop(&mut self) {
        // Without effect if it was answered.
        self.cell.end(FAILED);
    }
}

/// A request with the right to answer it: a message of a [`Mailbox`](super::mailbox::Mailbox).
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
