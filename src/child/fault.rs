// SPDX-License-Identifier: GPL-2.0

//! Faults on purpose, to see what is contained. Only in builds with `CONFIG_CHILDKERNEL_FAULTS`.
#![deny(unsafe_code)]

use super::{record::Record, run::Core};
use crate::sync::atomic::{Atomic, Relaxed};
use kernel::prelude::*;

/// What a child can be made to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Fault {
    /// Nothing: ends [`Fault::Spin`] and [`Fault::Leak`].
    None = 0,
    /// To end with `EIO`.
    Error = 1,
    /// To panic, as Rust does when an index is out of bounds.
    Panic = 2,
    /// To run into `BUG()`.
    Bug = 3,
    /// To write to where nothing is.
    Null = 4,
    /// To go round and round, preemptibly, without a sign of life and without asking whether it
    /// should stop.
    Spin = 5,
    /// To take memory from its arena, once for each time it asks whether it should stop, and
    /// never to give it back.
    Leak = 6,
}

impl Fault {
    /// All, with their words.
    pub const ALL: [(Self, &'static str); 7] = [
        (Self::Error, "error"),
        (Self::Panic, "panic"),
        (Self::Bug, "bug"),
        (Self::Null, "null"),
        (Self::Spin, "spin"),
        (Self::Leak, "leak"),
        (Self::None, "none"),
    ];
}

/// How much is leaked at once, in bytes.
const LEAK: usize = 256;

impl Record {
    /// Has the child do this when one of its threads next asks
    /// [`should_stop`](super::Context::should_stop). One thread does it, once; but what has to be
    /// ended by [`Fault::None`] is done until then.
    pub fn inject(&self, fault: Fault) {
        self.fault.store(fault as u32, Relaxed);
    }
}

fn is(at: &Atomic<u32>, fault: Fault) -> bool {
    at.load(Relaxed) == fault as u32
}

/// Does what was asked for.
#[inline]
pub(super) fn carry_out(core: &Core<'_>) {
    if !is(&core.record.fault, Fault::None) {
        carry_out_now(core);
    }
}

#[cold]
fn carry_out_now(core: &Core<'_>) {
    let fault = &core.record.fault;
    if is(fault, Fault::Spin) {
        // No sign of life: the thread is not idle.
        while is(fault, Fault::Spin) {
            core::hint::spin_loop();
        }
        return;
    }
    if is(fault, Fault::Leak) {
        if let Ok(piece) = core.life.arena.slice(LEAK, 0u8, GFP_KERNEL) {
            piece.leak();
        }
        return;
    }
    let now = fault.load(Relaxed);
    // Another thread may have been faster.
    if fault.cmpxchg(now, Fault::None as u32, Relaxed).is_err() {
        return;
    }
    if now == Fault::Error as u32 {
        core.life.fail(EIO);
    } else if now == Fault::Panic as u32 {
        #[allow(clippy::panic, reason = "that is what was asked for")]
        {
            panic!("asked for by fault injection");
        }
    } else if now == Fault::Bug as u32 {
        crate::ffi::fault_bug();
    } else if now == Fault::Null as u32 {
        crate::ffi::fault_null();
    }
}
