// SPDX-License-Identifier: GPL-2.0

//! Which generation of which child: what is meant for one never reaches the next.
//!
//! Nothing but atomics is needed here, so that models of it use this file as it is.
#![deny(unsafe_code)]

use crate::sync::atomic::{Acquire, Atomic, Relaxed, Release};
use kernel::prelude::*;

/// Names one generation of one child: what is said of it is not said of the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    id: u64,
    generation: u32,
}

impl Identity {
    pub(super) fn new(id: u64, generation: u32) -> Self {
        Self { id, generation }
    }

    /// The id of the child.
    pub fn id(self) -> u64 {
        self.id
    }

    /// The generation, from 1; 0 before the first has begun.
    pub fn generation(self) -> u32 {
        self.generation
    }

    /// How an error of this generation's mailbox is to be understood: that of a generation that
    /// another has followed does not come back. `now` says which one it is by then.
    pub(super) fn explain(self, error: Error, now: impl FnOnce() -> Self) -> Error {
        if error == EPIPE && now() != self {
            ESTALE
        } else {
            error
        }
    }
}

/// The generations of one child, as a number.
pub(super) struct Generations {
    /// The present one, or the last.
    number: Atomic<u32>,
    /// Those that were started by the supervisor.
    restarts: Atomic<u64>,
}

impl Generations {
    /// Before the first.
    pub(super) const fn new() -> Self {
        Self {
            number: Atomic::new(0),
            restarts: Atomic::new(0),
        }
    }

    /// The next one is there: `publish` lets others find it, and it counts for so many restarts.
    ///
    /// Who finds it by `publish`, which takes a lock for that, finds its number, too; and so does
    /// who sees the count, who can find the generation as well:
    ///
    /// ```text
    /// C MP+addrelease+acquire
    ///
    /// (*
    ///  * Result: Never
    ///  *)
    ///
    /// {}
    ///
    /// P0(int *number, int *restarts)
    /// {
    ///     WRITE_ONCE(*number, 2);
    ///     smp_store_release(restarts, 1);
    /// }
    ///
    /// P1(int *number, int *restarts)
    /// {
    ///     int r0;
    ///     int r1;
    ///
    ///     r0 = smp_load_acquire(restarts);
    ///     r1 = READ_ONCE(*number);
    /// }
    ///
    /// exists (1:r0=1 /\ 1:r1=0)
    /// ```
    pub(super) fn begin(&self, number: u32, restarts: u64, publish: impl FnOnce()) {
        self.number.store(number, Relaxed);
        publish();
        self.restarts.fetch_add(restarts, Release);
    }

    /// The number of the present one, or of the last; 0 before the first.
    pub(super) fn number(&self) -> u32 {
        self.number.load(Relaxed)
    }

    /// How many were started by the supervisor.
    pub(super) fn restarts(&self) -> u64 {
        self.restarts.load(Acquire)
    }
}
