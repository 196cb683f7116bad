// SPDX-License-Identifier: GPL-2.0

//! Where one generation of a child takes its messages.
#![deny(unsafe_code)]

use super::{
    call::Call,
    identity::Identity,
    mailbox::{SendError, Sender},
    record::Record,
};
use kernel::{prelude::*, sync::Arc, time::Jiffies};

/// The way to the mailbox of one generation of a child: see [`Handle::port`](super::Handle::port).
///
/// What is sent by it reaches that generation or nobody. Clones lead to the same.
///
/// Context: neither made nor dropped in a hard interrupt.
///
/// # Examples
///
/// ```ignore
/// let port = child.port()?;
/// match port.send(job) {
///     Err(error) if error.error() == ESTALE => retry(child.port()?, error.into_value()),
///     sent => sent?,
/// }
/// ```
pub struct Port<T: Send + 'static> {
    record: Arc<Record>,
    identity: Identity,
    sender: Sender<T>,
}

impl<T: Send + 'static> Port<T> {
    pub(super) fn new(record: Arc<Record>, generation: u32, sender: Sender<T>) -> Self {
        Self {
            identity: Identity::new(record.id(), generation),
            record,
            sender,
        }
    }

    /// Which generation of which child it leads to.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    fn explain(&self, error: Error) -> Error {
        self.identity.explain(error, || self.record.identity())
    }

    fn explained<E>(&self, sent: Result<(), SendError<E>>) -> Result<(), SendError<E>> {
        sent.map_err(|unsent| {
            let error = self.explain(unsent.error());
            SendError::new(unsent.into_value(), error)
        })
    }

    /// Sends, and waits for room: until there is some, or a signal or a request to stop comes.
    ///
    /// Context: process.
    ///
    /// # Errors
    ///
    /// `EPIPE` if that generation has ended, `ESTALE` if the child has been started again since,
    /// `ERESTARTSYS` when interrupted. The value comes back.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.explained(self.sender.send(value))
    }

    /// Sends if there is room. From any context; see [`Sender::try_send`].
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is none, and as [`send`](Self::send). The value comes back.
    pub fn try_send(&self, value: T) -> Result<(), SendError<T>> {
        self.explained(self.sender.try_send(value))
    }

    /// Sends, and waits for room, at most `limit` jiffies.
    ///
    /// Context: process.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the limit is over, and as [`send`](Self::send). The value comes back.
    pub fn send_timeout(&self, value: T, limit: Jiffies) -> Result<(), SendError<T>> {
        self.explained(self.sender.send_timeout(value, limit))
    }
}

impl<Q: Send + 'static, R: Send + 'static> Port<Call<Q, R>> {
    /// Asks, and waits for room and for the answer: see [`Sender::call`].
    ///
    /// Context: process.
    ///
    /// # Errors
    ///
    /// `EPIPE` if there will be no answer, `ESTALE` if the child has been started again since;
    /// `ERESTARTSYS` when interrupted, `ENOMEM`. The request is gone.
    pub fn call(&self, request: Q) -> Result<R> {
        self.sender.call(request).map_err(|e| self.explain(e))
    }

    /// The same, and waits at most `limit` jiffies in all.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the limit is over, and as [`call`](Self::call).
    pub fn call_timeout(&self, request: Q, limit: Jiffies) -> Result<R> {
        let answer = self.sender.call_timeout(request, limit);
        answer.map_err(|error| self.explain(error))
    }
}

impl<T: Send + 'static> Clone for Port<T> {
    fn clone(&self) -> Self {
        Self {
            record: self.record.clone(),
            identity: self.identity,
            sender: self.sender.clone(),
        }
    }
}
