// SPDX-License-Identifier: GPL-2.0

//! What a thread of a child kernel sees of itself.
#![deny(unsafe_code)]

use super::{mailbox::Receiver, run::Core, thread, Arena, Identity};
use crate::sync::{
    atomic::{Atomic, Relaxed},
    order::{Outermost, Token},
};
use kernel::{
    prelude::*,
    task::might_sleep,
    time::{msecs_to_jiffies, Jiffies, Msecs},
    types::NotThreadSafe,
};

/// The messages of a child without a mailbox: there are none.
pub enum Nothing {}

/// The counters of one thread. Only that thread writes them, so they have a cache line for
/// themselves; but for one in quarantine that goes on, beside the thread that has followed it.
/// Operations that both count at once may be counted once.
#[repr(align(64))]
pub(super) struct Slot {
    pub(super) ops: Atomic<u64>,
    pub(super) violations: Atomic<u64>,
}

impl Slot {
    pub(super) const fn new() -> Self {
        Self {
            ops: Atomic::new(0),
            violations: Atomic::new(0),
        }
    }
}

/// How often [`Context::should_stop`] gives way to others.
const YIELD_EVERY: u32 = 256;

/// Passed to the entry function of a child, once for each of its threads.
///
/// `T` is what its mailbox takes.
///
/// Context: the thread itself, in process context.
pub struct Context<'a, T: Send + 'static = Nothing> {
    core: Core<'a>,
    receiver: Option<&'a mut Receiver<T>>,
    asked: u32,
    token: Token<'static, Outermost>,
    /// Its questions are about the current thread.
    _not_send: NotThreadSafe,
}

impl Context<'_> {
    /// A limit for waits inside a child, in jiffies.
    pub fn jiffies(ms: Msecs) -> Jiffies {
        msecs_to_jiffies(ms)
    }
}

impl<'a, T: Send + 'static> Context<'a, T> {
    pub(super) fn new(core: Core<'a>, receiver: Option<&'a mut Receiver<T>>) -> Self {
        Self {
            core,
            receiver,
            asked: 0,
            token: Token::outermost(),
            _not_send: NotThreadSafe,
        }
    }

    /// The id of the child.
    pub fn id(&self) -> u64 {
        self.core.record.id
    }

    /// Which generation this is, from 1.
    pub fn generation(&self) -> u32 {
        self.core.life.number
    }

    /// Which generation of which child this is.
    pub fn identity(&self) -> Identity {
        Identity::new(self.id(), self.generation())
    }

    /// Whether no other generation has followed this one, as it may when this is in quarantine.
    pub fn is_present(&self) -> bool {
        self.core.record.generation() == self.generation()
    }

    /// Which thread of the child this is, from 0.
    pub fn index(&self) -> usize {
        self.core.index
    }

    /// The memory of this generation, which its threads share. What is left in it is freed when
    /// all of them have ended, in whatever way.
    pub fn arena(&self) -> &'a Arena {
        &self.core.life.arena
    }

    /// The token of this thread, for locks that have a level: see [`order`](crate::sync::order).
    #[inline]
    pub fn token(&mut self) -> &mut Token<'static, Outermost> {
        &mut self.token
    }

    /// Whether the child was asked to stop, or another of its threads has failed.
    ///
    /// Every loop of a child asks this. It is a sign of life, and also gives way to other threads
    /// now and then, so a loop that asks is fair on kernels without preemption too.
    ///
    /// Context: nothing held that forbids to sleep.
    #[inline]
    pub fn should_stop(&mut self) -> bool {
        if cfg!(CONFIG_DEBUG_ATOMIC_SLEEP) {
            might_sleep();
        }
        self.asked = self.asked.wrapping_add(1);
        if self.asked % YIELD_EVERY == 0 {
            crate::ffi::cond_resched();
        }
        #[cfg(CONFIG_CHILDKERNEL_FAULTS)]
        super::fault::carry_out(&self.core);
        self.beat();
        self.core.life.is_stopping() || thread::should_stop()
    }

    /// Gives a sign of life, where the child has a [heartbeat](super::Builder::heartbeat).
    /// [`should_stop`](Self::should_stop) does so too, and what waits here needs none.
    #[inline]
    pub fn beat(&self) {
        self.core.pulse.beat();
    }

    /// Runs `wait`, in which no sign of life is expected. It must end when the thread is asked to
    /// stop: an interruptible wait does.
    pub fn idle<R>(&self, wait: impl FnOnce() -> R) -> R {
        self.core.pulse.idle(wait)
    }

    /// Sleeps for `ms` milliseconds, or less if the child is asked to stop.
    pub fn sleep(&self, ms: Msecs) {
        self.idle(|| thread::sleep(msecs_to_jiffies(ms)));
    }

    /// Receives with `receive` from the child's mailbox. No sign of life is expected meanwhile.
    fn receive<R>(&mut self, receive: impl FnOnce(&mut Receiver<T>) -> Result<R>) -> Result<R> {
        let receiver = self.receiver.as_deref_mut().ok_or(EBADF)?;
        self.core.pulse.idle(|| receive(receiver))
    }

    /// Receives the next message from the child's mailbox, and waits for it.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` when asked to stop, `EPIPE` if it is closed and empty; `EBADF` if the child
    /// has no mailbox, or this is not its first thread.
    pub fn recv(&mut self) -> Result<T> {
        self.receive(Receiver::recv)
    }

    /// Receives the next message if there is one.
    ///
    /// # Errors
    ///
    /// `EAGAIN` if there is none, `EPIPE` if there will be none either, `EBADF` as in
    /// [`recv`](Self::recv).
    pub fn try_recv(&mut self) -> Result<T> {
        self.receive(Receiver::try_recv)
    }

    /// Receives the next message, and waits for it, at most `limit` jiffies.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the limit is over, and as [`recv`](Self::recv).
    pub fn recv_timeout(&mut self, limit: Jiffies) -> Result<T> {
        self.receive(|receiver| receiver.recv_timeout(limit))
    }

    /// Waits as [`recv`](Self::recv) does, and receives what there is then, as much as `into` has
    /// capacity for. Returns how many.
    ///
    /// # Errors
    ///
    /// `ENOSPC` if there is no capacity, and as [`recv`](Self::recv).
    pub fn recv_batch(&mut self, into: &mut KVec<T>) -> Result<usize> {
        self.receive(|receiver| receiver.recv_batch(into))
    }

    /// Counts `n` operations done.
    #[inline]
    pub fn add_ops(&mut self, n: u64) {
        let ops = &self.core.slot.ops;
        ops.store(ops.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// The operations that this thread has counted, all generations.
    pub fn ops(&self) -> u64 {
        self.core.slot.ops.load(Relaxed)
    }

    /// Counts a violation of what must hold.
    #[cold]
    pub fn violation(&mut self) {
        self.add_violations(1);
    }

    /// Counts `n` violations.
    pub fn add_violations(&mut self, n: u64) {
        self.core.slot.violations.fetch_add(n, Relaxed);
    }

    /// The violations that this thread has counted, all generations.
    pub fn violations(&self) -> u64 {
        self.core.slot.violations.load(Relaxed)
    }
}
