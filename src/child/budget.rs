// SPDX-License-Identifier: GPL-2.0

//! What the whole machine can take of children that fail, before none is replaced.
//!
//! Nothing but atomics is needed here, so that models of it use this file as it is.
#![deny(unsafe_code)]

use crate::sync::atomic::{Atomic, FetchUpdate, Relaxed};

/// How many generations may be in quarantine, in the whole machine, before none is replaced.
pub const QUARANTINE_MAX: u32 = 8;

/// What was used up of it.
pub(super) struct Budget {
    /// How many threads of children may die of an oops before none is replaced.
    oopses_max: u32,
    oopses: Atomic<u32>,
    quarantined: Atomic<u32>,
}

impl Budget {
    /// Nothing was used up yet.
    pub(super) const fn new(oopses_max: u32) -> Self {
        Self {
            oopses_max,
            oopses: Atomic::new(0),
            quarantined: Atomic::new(0),
        }
    }

    /// Counts threads that have died of an oops.
    pub(super) fn count_oopses(&self, deaths: u32) {
        self.oopses.fetch_add(deaths, Relaxed);
    }

    /// Whether the machine can take one more.
    pub(super) fn allows_crash(&self) -> bool {
        self.oopses.load(Relaxed) < self.oopses_max
    }

    /// One generation more is in quarantine.
    pub(super) fn quarantine(&self) {
        self.quarantined.fetch_add(1, Relaxed);
    }

    /// One less.
    pub(super) fn release(&self) {
        let less = |now: u32| now.checked_sub(1);
        let _ = self.quarantined.fetch_update(less, Relaxed);
    }

    /// Whether there is room for another in its place.
    pub(super) fn has_room(&self) -> bool {
        self.quarantined.load(Relaxed) <= QUARANTINE_MAX
    }
}
