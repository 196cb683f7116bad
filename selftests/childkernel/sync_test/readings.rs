// SPDX-License-Identifier: GPL-2.0

//! What one who reads a number that only rises has seen, while others write it.

use super::{cpus::has_two, eventually};
use core::cell::Cell;
use kernel::{
    prelude::*,
    time::{Instant, Monotonic},
};

pub(super) struct Readings {
    /// How often a try is to meet a writer.
    often: u32,
    met: Cell<u32>,
    newest: Cell<u64>,
    wrong: Cell<u32>,
}

impl Readings {
    /// For a reader that is to meet writers so often. With one CPU it meets one only if it is
    /// preempted while it reads: then a few times have to do.
    pub(super) fn new(often: u32) -> Result<Self> {
        Ok(Self {
            often: if has_two()? { often } else { 5 },
            met: Cell::new(0),
            newest: Cell::new(0),
            wrong: Cell::new(0),
        })
    }

    /// Notes a number that was read: none if what was read is torn.
    pub(super) fn note(&self, number: Option<u64>) {
        match number {
            Some(n) if n >= self.newest.get() => self.newest.set(n),
            _ => self.wrong.set(self.wrong.get() + 1),
        }
    }

    /// Passes on what a try to read gives: nothing if it met a writer.
    pub(super) fn tried<T>(&self, copy: Option<T>) -> Option<T> {
        self.met.set(self.met.get() + u32::from(copy.is_none()));
        copy
    }

    /// Has `look` called until it has met writers often enough, and one has got so far.
    pub(super) fn reach(&self, newest: u64, look: impl Fn()) -> bool {
        let enough = || self.met.get() >= self.often && self.newest.get() >= newest;
        eventually(|| {
            // For some time slices, as others may have to come to this CPU meanwhile.
            let began = Instant::<Monotonic>::now();
            while !enough() && began.elapsed().as_millis() < 40 {
                for _ in 0..20 {
                    look();
                }
            }
            enough()
        })
    }

    /// Whether nothing was torn, and nothing went back.
    pub(super) fn are_right(&self) -> bool {
        self.wrong.get() == 0
    }
}
