// SPDX-License-Identifier: GPL-2.0

//! A value behind an RCU pointer, with its writers one at a time, as the loads ask for a lock.
#![deny(unsafe_code)]

use crate::sync::{
    new_mutex,
    order::Sleeping,
    rcu,
    rcu_pointer::{Node, Rcu},
    Lockable, Mutex, MutexGuard,
};
use kernel::{
    prelude::*,
    time::{delay::fsleep, Delta},
};

/// A writer waits for a grace period once in so many writes, so that no more than this many values
/// wait for their end.
const SYNCHRONIZE_EVERY: u64 = 64;

#[pin_data]
pub(super) struct Published<T: Copy + Send + Sync + 'static> {
    value: Rcu<T>,
    /// Counts the writes.
    #[pin]
    turn: Mutex<u64>,
}

impl<T: Copy + Send + Sync + 'static> Published<T> {
    pub(super) fn new(value: T) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            value: Rcu::new(Node::new(value, GFP_KERNEL)?),
            turn <- new_mutex!(0, "childkernel_published"),
        })
    }

    /// Copies the value as a reader. `pause` is called while it is in use.
    pub(super) fn read(&self, pause: impl Fn()) -> Option<T> {
        let guard = rcu::read_lock();
        let value = self.value.read(&guard)?;
        pause();
        Some(*value)
    }

    fn copy(&self) -> Result<Node<T>> {
        Node::new(self.read(|| ()).ok_or(EINVAL)?, GFP_KERNEL)
    }
}

/// The right to write once, with the memory for it.
pub(super) struct Publishing<'a, T: Copy + Send + Sync + 'static> {
    published: &'a Published<T>,
    turn: MutexGuard<'a, u64>,
    node: Option<Node<T>>,
}

impl<T: Copy + Send + Sync + 'static> Publishing<'_, T> {
    pub(super) fn load(&self) -> Option<T> {
        self.published.read(|| ())
    }

    /// Publishes `value`, the first time it is called.
    pub(super) fn store(&mut self, value: T) {
        let Some(mut node) = self.node.take() else {
            return;
        };
        *node = value;
        let Some(old) = self.published.value.replace(node) else {
            return;
        };
        *self.turn = self.turn.wrapping_add(1);
        if *self.turn % SYNCHRONIZE_EVERY == 0 {
            old.synchronize();
        } else {
            old.defer();
        }
    }
}

/// Counts the writers; readers take nothing that could be counted. Taking it waits for memory too.
impl<T: Copy + Send + Sync + 'static> Lockable for Published<T> {
    const KIND: &'static str = "rcu";
    type Wait = Sleeping;
    type Guard<'a>
        = Publishing<'a, T>
    where
        Self: 'a;

    fn acquire(&self) -> Self::Guard<'_> {
        let node = loop {
            if let Ok(node) = self.copy() {
                break node;
            }
            fsleep(Delta::from_millis(1));
        };
        Publishing {
            published: self,
            turn: self.turn.lock(),
            node: Some(node),
        }
    }

    fn try_acquire(&self) -> Option<Self::Guard<'_>> {
        let node = self.copy().ok()?;
        Some(Publishing {
            published: self,
            turn: self.turn.try_lock()?,
            node: Some(node),
        })
    }
}
