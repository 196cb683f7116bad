// SPDX-License-Identifier: GPL-2.0

//! Since when a lock is held.
#![deny(unsafe_code)]

use super::mode::{Mode, Span};
use crate::sync::atomic::{Atomic, Relaxed};

/// The moment from which on a guard is timed, if it is: in ns on the clock of the statistics.
#[derive(Clone, Copy)]
pub(super) struct Since(u64);

impl Since {
    /// It is not timed.
    pub(super) const UNTIMED: Self = Self(0);

    #[inline]
    pub(super) fn at(ns: u64) -> Self {
        // A clock at zero is one that has not ticked yet.
        Self(ns.max(1))
    }

    #[inline]
    pub(super) fn time(self) -> Option<u64> {
        (self.0 != 0).then_some(self.0)
    }
}

/// The same beside a lock that has one holder at a time, so that guards need not carry it.
///
/// Only the holder touches it: the lock orders what one writes before what the next one reads.
///
/// A holder that is timed leaves here since when, and in which [`Span`]. At its end it takes that
/// away, unless the mode was changed meanwhile and it does not look any more. So what is found of
/// the span that is now is of the one who finds it; what a span of the past has left counts for
/// nobody.
pub(super) struct Hold {
    since: Atomic<u64>,
    span: Atomic<u64>,
}

impl Hold {
    pub(super) const fn new() -> Self {
        Self {
            since: Atomic::new(Since::UNTIMED.0),
            span: Atomic::new(0),
        }
    }

    /// The holder is timed from `now` on, if the mode is that.
    pub(super) fn begin(&self, now: u64) {
        let span = Span::now();
        if span.mode() == Mode::Times {
            self.span.store(span.to_word(), Relaxed);
            self.since.store(Since::at(now).0, Relaxed);
        }
    }

    /// The holder ends. Says since when it was timed.
    #[inline]
    pub(super) fn end(&self) -> Since {
        match self.since.load(Relaxed) {
            0 => Since::UNTIMED,
            since => self.end_timed(since),
        }
    }

    #[cold]
    fn end_timed(&self, since: u64) -> Since {
        self.since.store(Since::UNTIMED.0, Relaxed);
        if Span::from_word(self.span.load(Relaxed)) == Span::now() {
            Since(since)
        } else {
            Since::UNTIMED
        }
    }
}
