// SPDX-License-Identifier: GPL-2.0

//! What a thread of a child kernel sees of itself.
#![deny(unsafe_code)]

use super::{record::Record, thread, Arena};
use crate::sync::{
    atomic::{Atomic, Relaxed},
    order::{Outermost, Token},
};
use kernel::{
    task::might_sleep,
    time::{msecs_to_jiffies, Jiffies, Msecs},
    types::NotThreadSafe,
};

/// The counters of one thread. Only that thread writes them, so they have a cache line for
/// themselves.
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
/// Context: the thread itself, in process context.
pub struct Context<'a> {
    record: &'a Record,
    slot: &'a Slot,
    arena: &'a Arena,
    index: usize,
    asked: u32,
    token: Token<'static, Outermost>,
    /// Its questions are about the current thread.
    _not_send: NotThreadSafe,
}

impl<'a> Context<'a> {
    pub(super) fn new(record: &'a Record, slot: &'a Slot, arena: &'a Arena, index: usize) -> Self {
        Self {
            record,
            slot,
            arena,
            index,
            asked: 0,
            token: Token::outermost(),
            _not_send: NotThreadSafe,
        }
    }

    /// The id of the child.
    pub fn id(&self) -> u64 {
        self.record.id
    }

    /// Which thread of the child this is, from 0.
    pub fn index(&self) -> usize {
        self.index
    }

    /// The memory of this child, which its threads share. What is left in it is freed when all of
    /// them have been joined: when the child is stopped or started again, or its handle dropped.
    pub fn arena(&self) -> &'a Arena {
        self.arena
    }

    /// The token of this thread, for locks that have a level: see [`order`](crate::sync::order).
    #[inline]
    pub fn token(&mut self) -> &mut Token<'static, Outermost> {
        &mut self.token
    }

    /// Whether the child was asked to stop, or another of its threads has failed.
    ///
    /// Every loop of a child asks this. It also gives way to other threads now and then, so a loop
    /// that asks is fair on kernels without preemption too.
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
        thread::should_stop()
            || self.record.state.is_stopping()
            || self.record.end.load(Relaxed) != 0
    }

    /// Sleeps for `ms` milliseconds, or less if the child is asked to stop.
    pub fn sleep(&self, ms: Msecs) {
        thread::sleep(msecs_to_jiffies(ms));
    }

    /// A limit for waits inside a child, in jiffies.
    pub fn jiffies(ms: Msecs) -> Jiffies {
        msecs_to_jiffies(ms)
    }

    /// Counts `n` operations done.
    #[inline]
    pub fn add_ops(&mut self, n: u64) {
        let ops = &self.slot.ops;
        ops.store(ops.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// The operations that this thread has counted.
    pub fn ops(&self) -> u64 {
        self.slot.ops.load(Relaxed)
    }

    /// Counts a violation of what must hold.
    #[cold]
    pub fn violation(&mut self) {
        self.add_violations(1);
    }

    /// Counts `n` violations.
    pub fn add_violations(&mut self, n: u64) {
        let violations = &self.slot.violations;
        violations.store(violations.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// The violations that this thread has counted.
    pub fn violations(&self) -> u64 {
        self.slot.violations.load(Relaxed)
    }
}
