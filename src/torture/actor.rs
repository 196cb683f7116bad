// SPDX-License-Identifier: GPL-2.0

//! Who uses a subject: a thread, or a timer in an interrupt.
#![deny(unsafe_code)]

use super::{
    bout::Bout,
    outcome::Wrong,
    random::Random,
    Mistake, //
};
use crate::ffi::{cond_resched, ndelay};
use kernel::time::{delay::fsleep, Delta};

/// Where an operation is done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Process,
    Softirq,
    Hardirq,
}

/// How long somebody who waits lets nobody do anything before he says so, in ns.
pub(super) const PATIENCE: u64 = 1_000_000_000;
/// And how often he has looked.
const LOOKS: u32 = 1;
/// A twin makes its mistake once in so many times that it could.
const WRONG_EVERY: u64 = 8;

/// One who uses a subject.
pub(super) struct Actor<'a> {
    bout: &'a Bout,
    pub(super) place: Place,
    /// Which thread this is.
    pub(super) index: usize,
    pub(super) random: Random,
    longest: u64,
}

impl<'a> Actor<'a> {
    pub(super) fn new(bout: &'a Bout, place: Place, index: usize, random: Random) -> Self {
        Self {
            bout,
            place,
            index,
            random,
            longest: 0,
        }
    }

    /// The longest that it had to wait, in ns.
    pub(super) fn longest(&self) -> u64 {
        self.longest
    }

    /// How many threads there are.
    pub(super) fn threads(&self) -> usize {
        self.bout.threads()
    }

    /// Whether it is none of these, but somebody who is there for a few operations.
    pub(super) fn is_passing(&self) -> bool {
        self.index >= self.threads()
    }

    /// Whether it is over. What waits looks at this now and then.
    pub(super) fn is_over(&self) -> bool {
        self.bout.is_over()
    }

    /// Whether nothing is done in an interrupt, so that it may sleep if it holds nothing.
    pub(super) fn may_sleep(&self) -> bool {
        self.place == Place::Process
    }

    /// Whether this operation reads.
    pub(super) fn reads(&mut self) -> bool {
        self.random.below(100) < self.bout.reads
    }

    /// Says what has gone wrong.
    #[cold]
    pub(super) fn wrong(&mut self, wrong: Wrong) {
        self.bout.wrong(wrong, 1);
    }

    /// Says what has gone wrong unless this holds.
    pub(super) fn check(&mut self, holds: bool, wrong: Wrong) {
        if !holds {
            self.wrong(wrong);
        }
    }

    /// Whether this is the twin with this mistake.
    pub(super) fn is(&self, mistake: Mistake) -> bool {
        self.bout.mistake == Some(mistake)
    }

    /// Whether the mistake is made this time.
    pub(super) fn errs(&mut self, mistake: Mistake) -> bool {
        self.is(mistake) && self.random.one_in(WRONG_EVERY)
    }

    /// The time since the bout began, in ns.
    pub(super) fn now(&self) -> u64 {
        self.bout.now()
    }

    /// Calls `f`, which waits, and notes how long that took.
    pub(super) fn wait<R>(&mut self, f: impl FnOnce(&mut Self) -> R) -> R {
        if !self.may_sleep() {
            return f(self);
        }
        let before = self.now();
        let result = f(self);
        self.longest = self.longest.max(self.now().saturating_sub(before));
        result
    }

    /// A delay at a bad moment, where nothing may sleep: mostly none, and in a twin always one.
    pub(super) fn pause(&mut self) {
        if self.place != Place::Process {
            if self.random.one_in(4) {
                ndelay(self.random.below(500));
            }
        } else if self.bout.mistake.is_some() {
            ndelay(self.random.below(10_000));
        } else if self.random.one_in(128) {
            ndelay(self.random.below(20_000));
        } else if self.random.one_in(4) {
            ndelay(self.random.below(1_000));
        }
    }

    /// The same where it may sleep, if `sleeps`: gives the CPU away now and then.
    pub(super) fn rest(&mut self, sleeps: bool) {
        if !sleeps || !self.may_sleep() || self.random.one_in(2) {
            return self.pause();
        }
        let seldom = match self.bout.mistake {
            Some(_) => 8,
            None => 256,
        };
        match self.random.below(seldom) {
            0 => fsleep(Delta::from_micros(self.random.below(200) as i64)),
            _ => cond_resched(),
        }
    }

    /// Lets others go on for a while. In process context, with nothing held.
    pub(super) fn linger(&self) {
        fsleep(Delta::from_millis(5));
    }

    /// Whether to wait for a lock by looking again and again, rather than by its own wait. The twin
    /// that keeps it is noticed by those who do.
    pub(super) fn looks(&mut self) -> bool {
        self.is(Mistake::Kept) || self.random.one_in(2)
    }

    /// Looks again and again until there is something, or it is over. If `progress` stays the same
    /// for too long, nobody will do it: that is `wrong`.
    pub(super) fn look<R>(
        &mut self,
        wrong: Wrong,
        progress: impl Fn() -> u64,
        mut f: impl FnMut() -> Option<R>,
    ) -> Option<R> {
        if !self.may_sleep() {
            // Once: it might have interrupted who has it.
            return f();
        }
        let (mut seen, mut since, mut looks) = (progress(), self.now(), 0u32);
        loop {
            if let Some(found) = f() {
                return Some(found);
            }
            if self.is_over() {
                return None;
            }
            let now = progress();
            if now != seen {
                (seen, since, looks) = (now, self.now(), 0);
            }
            looks = looks.saturating_add(1);
            if looks > LOOKS && self.now().saturating_sub(since) > PATIENCE {
                self.wrong(wrong);
                return None;
            }
            match self.random.below(16) {
                0 if looks > 200 => fsleep(Delta::from_micros(100)),
                1 => cond_resched(),
                _ => ndelay(self.random.below(500)),
            }
        }
    }

    /// Holds on to something until somebody has noticed, or for much longer than that takes.
    pub(super) fn keep(&mut self) {
        let since = self.now();
        while !self.is_over() && self.now().saturating_sub(since) < PATIENCE.saturating_mul(8) {
            ndelay(10_000);
        }
    }
}
