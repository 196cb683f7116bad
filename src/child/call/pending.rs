// SPDX-License-Identifier: GPL-2.0

//! What is pending: the place of each answer, and the list that a mailbox has of them.

use super::super::mailbox::{wait_for, Wait};
use crate::{
    new_completion, new_raw_spinlock,
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        Completion, RawSpinLock,
    },
};
use core::cell::UnsafeCell;
use kernel::{
    list::{impl_list_arc_safe, impl_list_item, List, ListArc, ListLinksSelfPtr},
    prelude::*,
    sync::Arc,
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
pub(in crate::child) struct Calls {
    #[pin]
    list: RawSpinLock<List<Cell<dyn Answer>>>,
}

impl Calls {
    pub(in crate::child) fn new() -> impl PinInit<Self> {
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
    pub(in crate::child) fn fail(&self) {
        for call in self.list.lock().iter() {
            call.end(FAILED);
        }
    }

    /// Makes a call pending.
    pub(super) fn begin<R: Send + 'static>(&self) -> Result<(Pending<'_, R>, Reply<R>)> {
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
        self.list.lock().push_back(cell);
        // INVARIANT: It just got in, and each is made for this cell only.
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
pub(super) struct Pending<'a, R: Send + 'static> {
    calls: &'a Calls,
    cell: Arc<Cell<Room<R>>>,
}

impl<R: Send + 'static> Pending<'_, R> {
    pub(super) fn wait(self, mut wait: Wait) -> Result<R> {
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
        let cell: &Cell<dyn Answer> = &*self.cell;
        let mut list = self.calls.list.lock();
        // SAFETY: By the type invariant it is in this list, so in no other.
        let listed = unsafe { list.remove(cell) };
        // Nothing is dropped under the lock.
        drop(list);
        drop(listed);
    }
}

/// The right to answer a call, once. Dropping it fails the call with `EPIPE`.
///
/// Context: process, dropping it too.
///
/// # Invariants
///
/// It is the only one of its cell.
#[must_use = "dropping it fails the call"]
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
