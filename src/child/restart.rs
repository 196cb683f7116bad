// SPDX-License-Identifier: GPL-2.0

//! Whether and when a child is started again: a state machine without a clock and without threads.
//!
//! It needs `core` alone, so that it can be tested outside of the kernel as it is.
#![deny(unsafe_code)]

/// The most restarts that a [limit](Restart::limit) can allow within its window.
pub const LIMIT_MAX: u32 = 64;

const NS_PER_MS: u64 = 1_000_000;

/// After which ends a child is started again. Each goes further than the one before.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Policy {
    /// After none.
    Never,
    /// When it has returned an error, or could not be started.
    OnError,
    /// Also when it has died of an oops, or was given up as stuck.
    OnCrash,
    /// Also when it has returned without an error.
    Always,
}

/// How bad the end of a generation was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Severity {
    /// It has returned without an error.
    Returned,
    /// It has returned an error, or could not be started.
    Failed,
    /// It has died of an oops, or was given up as stuck.
    Crashed,
}

/// What a child's owner says of restarts.
///
/// # Examples
///
/// ```ignore
/// // At most 5 restarts in a minute, 10 ms after the first crash, 20 after the second, at most 1 s.
/// let restart = Restart::on_crash().limit(5, 60_000).backoff(10, 1_000);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restart {
    policy: Policy,
    limit: u32,
    window_ms: u32,
    first_ms: u32,
    most_ms: u32,
}

impl Restart {
    /// No restarts.
    pub const NEVER: Self = Self {
        policy: Policy::Never,
        limit: 5,
        window_ms: 60_000,
        first_ms: 100,
        most_ms: 10_000,
    };

    /// Restarts by this policy: at most 5 in a minute, 100 ms after the first end, twice as long
    /// after each that follows, at most 10 s.
    pub const fn by(policy: Policy) -> Self {
        Self {
            policy,
            ..Self::NEVER
        }
    }

    /// Restarts when it has returned an error.
    pub const fn on_error() -> Self {
        Self::by(Policy::OnError)
    }

    /// Restarts after an oops or an error.
    pub const fn on_crash() -> Self {
        Self::by(Policy::OnCrash)
    }

    /// Restarts whenever it ends by itself.
    pub const fn always() -> Self {
        Self::by(Policy::Always)
    }

    /// Allows `count` restarts, at most [`LIMIT_MAX`], in any `window_ms` milliseconds.
    pub const fn limit(mut self, count: u32, window_ms: u32) -> Self {
        self.limit = count;
        self.window_ms = window_ms;
        self
    }

    /// Waits `first_ms` milliseconds before the first restart in a window, and twice as long
    /// before each that follows, but no more than `most_ms`.
    pub const fn backoff(mut self, first_ms: u32, most_ms: u32) -> Self {
        self.first_ms = first_ms;
        self.most_ms = most_ms;
        self
    }

    /// The policy.
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// How many restarts there may be in the window.
    pub const fn count(&self) -> u32 {
        self.limit
    }

    pub(super) const fn is_valid(&self) -> bool {
        self.limit <= LIMIT_MAX && self.first_ms <= self.most_ms
    }
}

/// What is to be done after an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Nothing: by the policy this is the end.
    Rest,
    /// To start it again so many ns later.
    After(u64),
    /// To give up: there were too many restarts.
    GiveUp,
}

/// The restarts of one child.
pub struct Restarts {
    rules: Restart,
    /// When the last ones were decided, in ns; a ring.
    times: [u64; LIMIT_MAX as usize],
    /// How many there were, ever.
    made: u64,
}

impl Restarts {
    /// Begins without any.
    pub const fn new(rules: Restart) -> Self {
        Self {
            rules,
            times: [0; LIMIT_MAX as usize],
            made: 0,
        }
    }

    /// Decides what follows an end at `now` ns, and remembers it. Times do not go back.
    ///
    /// `budget` is asked for a restart after a crash only, and only if nothing else forbids it.
    pub fn decide(&mut self, end: Severity, now: u64, budget: impl FnOnce() -> bool) -> Decision {
        let wanted = match end {
            Severity::Returned => self.rules.policy >= Policy::Always,
            Severity::Failed => self.rules.policy >= Policy::OnError,
            Severity::Crashed => self.rules.policy >= Policy::OnCrash,
        };
        if !wanted {
            return Decision::Rest;
        }
        let recent = self.within_window(now);
        if recent >= self.rules.limit || (end == Severity::Crashed && !budget()) {
            return Decision::GiveUp;
        }
        let first = u64::from(self.rules.first_ms);
        let doubled = first.saturating_mul(1u64.checked_shl(recent).unwrap_or(u64::MAX));
        let delay = doubled.min(u64::from(self.rules.most_ms));
        if let Some(slot) = self.slot_mut(self.made) {
            *slot = now;
        }
        self.made = self.made.wrapping_add(1);
        Decision::After(delay.saturating_mul(NS_PER_MS))
    }

    /// How many of the last restarts lie within the window that ends at `now`.
    fn within_window(&self, now: u64) -> u32 {
        let window = u64::from(self.rules.window_ms).saturating_mul(NS_PER_MS);
        let kept = self.made.min(u64::from(LIMIT_MAX));
        let mut count: u32 = 0;
        for back in 1..=kept {
            let at = self.slot(self.made.wrapping_sub(back));
            if now.saturating_sub(at) >= window {
                break;
            }
            count = count.saturating_add(1);
        }
        count
    }

    fn slot(&self, index: u64) -> u64 {
        let at = (index % u64::from(LIMIT_MAX)) as usize;
        self.times.get(at).copied().unwrap_or(0)
    }

    fn slot_mut(&mut self, index: u64) -> Option<&mut u64> {
        let at = (index % u64::from(LIMIT_MAX)) as usize;
        self.times.get_mut(at)
    }
}
