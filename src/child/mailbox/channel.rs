// SPDX-License-Identifier: GPL-2.0

//! What a mailbox asks of its channel.

use super::Wait;
use core::fmt;
use kernel::prelude::*;

/// A value that was not sent, and why.
///
/// Turning it into an [`Error`], as `?` does, drops the value: not in a hard interrupt.
#[must_use = "it has the value that was not sent"]
pub struct SendError<T> {
    value: T,
    error: Error,
}

impl<T> SendError<T> {
    pub(in crate::child) fn new(value: T, error: Error) -> Self {
        Self { value, error }
    }

    /// Why.
    pub fn error(&self) -> Error {
        self.error
    }

    /// The value.
    pub fn into_value(self) -> T {
        self.value
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SendError").field(&self.error).finish()
    }
}

impl<T> From<SendError<T>> for Error {
    fn from(error: SendError<T>) -> Self {
        error.error
    }
}

/// What carries the messages of a mailbox.
pub trait Channel<T>: Sized + Send + Sync {
    /// Makes it. The depth is a power of two, at most [`DEPTH_MAX`](super::DEPTH_MAX).
    fn new(depth: usize) -> impl PinInit<Self, Error>;

    /// Puts a value in. With [`Wait::No`] from any context.
    ///
    /// # Errors
    ///
    /// As the methods of [`Sender`](super::Sender) say.
    fn send(&self, value: T, wait: Wait) -> Result<(), SendError<T>>;

    /// Takes the next value out.
    ///
    /// # Errors
    ///
    /// As the methods of [`Receiver`](super::Receiver) say.
    ///
    /// # Safety
    ///
    /// There is one receiver: its calls are ordered one after the other.
    unsafe fn recv(&self, wait: Wait) -> Result<T>;

    /// Puts in those of the first values that have room, one after the other, and takes them off
    /// the vector. Returns how many. From any context.
    ///
    /// # Errors
    ///
    /// As [`Sender::try_send_batch`](super::Sender::try_send_batch) says.
    fn send_some(&self, values: &mut KVec<T>) -> Result<usize>;

    /// Takes out what there is, as much as `into` has capacity for. Returns how many.
    ///
    /// # Safety
    ///
    /// As [`recv`](Self::recv).
    unsafe fn recv_some(&self, into: &mut KVec<T>) -> usize;

    /// Takes nothing in any more, and wakes all that wait. Any number of times.
    fn close(&self);

    /// Whether it is closed.
    fn is_closed(&self) -> bool;

    /// How many values it has room for.
    fn depth(&self) -> usize;

    /// How many it has just about now.
    fn len(&self) -> usize;

    /// Whether it has none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often a sender found no room.
    fn full(&self) -> u64;

    /// How often the receiver found nothing.
    fn empty(&self) -> u64;

    /// How often the receiver was woken for a value, where that is known.
    fn wakes(&self) -> Option<u64>;
}
