// SPDX-License-Identifier: GPL-2.0

//! The states of a child kernel, and the one function that changes them.
#![deny(unsafe_code)]

use crate::sync::atomic::{Acquire, Atomic, Full};
use kernel::prelude::*;

/// Where a child kernel is in its life.
///
/// ```text
///  Spawning --> Running --> Stopping --> Stopped
///     ^          |  ^  |       |           ^ |
///     |          |  |  `-------+---> ended | |
///     |          |  v          v           | |
///     |          | Stuck --> Quarantined --' |
///     |          v  |          |             |
///     |         Crashed        |             |
///     |          |             |             |
///     |          v             v             v
///     `------ Backoff / Failed / by hand <---'
/// ```
///
/// A generation ends in `Stopped`, `Crashed` or `Quarantined`. What follows is what the child's
/// [`Restart`](super::Restart) says: nothing, `Backoff` and the next generation, or `Failed`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum State {
    /// Its threads are being made; none runs yet.
    Spawning = 0,
    /// At least one of its threads runs.
    Running = 1,
    /// It was asked to stop; its threads are waited for.
    Stopping = 2,
    /// None of its threads runs. Why it ended stands beside it.
    Stopped = 3,
    /// One of its threads has died of an oops. The others, if any, are told to end.
    Crashed = 4,
    /// It waits for its next generation to be started.
    Backoff = 5,
    /// It will not be started again by itself: its restarts, or those of the machine, are used up.
    Failed = 6,
    /// It has given no sign of life for longer than its heartbeat allows.
    Stuck = 7,
    /// It was given up: told to end, shown, its owner kept, its memory left to it.
    Quarantined = 8,
}

impl State {
    const ALL: [Self; 9] = [
        Self::Spawning,
        Self::Running,
        Self::Stopping,
        Self::Stopped,
        Self::Crashed,
        Self::Backoff,
        Self::Failed,
        Self::Stuck,
        Self::Quarantined,
    ];

    /// The name, as debugfs and the tracepoint show it.
    pub fn name(self) -> &'static str {
        self.as_cstr().to_str().unwrap_or("?")
    }

    pub(super) const fn as_cstr(self) -> &'static CStr {
        match self {
            Self::Spawning => c"spawning",
            Self::Running => c"running",
            Self::Stopping => c"stopping",
            Self::Stopped => c"stopped",
            Self::Crashed => c"crashed",
            Self::Backoff => c"backoff",
            Self::Failed => c"failed",
            Self::Stuck => c"stuck",
            Self::Quarantined => c"quarantined",
        }
    }

    /// Whether a child may go from `self` to `to`.
    pub const fn may_become(self, to: Self) -> bool {
        use State::*;
        matches!(
            (self, to),
            // A start that fails is the end of a generation that never was.
            (Spawning, Running | Stopped)
                | (Running, Stopping | Stopped | Crashed | Stuck)
                | (Stuck, Running | Stopping | Stopped | Crashed | Quarantined)
                | (Stopping, Stopped | Crashed | Quarantined)
                // Its other threads may not end.
                | (Crashed, Spawning | Backoff | Failed | Quarantined)
                | (Stopped, Spawning | Backoff | Failed)
                // It may end at last.
                | (Quarantined, Spawning | Backoff | Failed | Stopped)
                | (Backoff, Spawning | Stopped)
                | (Failed, Spawning)
        )
    }
}

/// The state of one child, and how many transitions it has made: both are one word, so that no state
/// is seen before it is counted.
pub(super) struct StateCell(Atomic<u64>);

impl StateCell {
    /// The bits of the word that are the state; the others count.
    const STATE: u64 = 0xff;

    /// A child begins by being spawned.
    pub(super) const fn new() -> Self {
        Self(Atomic::new(State::Spawning as u64))
    }

    /// The present state.
    pub(super) fn get(&self) -> State {
        Self::state_of(self.word())
    }

    /// How many transitions were made.
    pub(super) fn transitions(&self) -> u64 {
        self.word() >> Self::STATE.trailing_ones()
    }

    fn word(&self) -> u64 {
        // Acquire: pairs with the exchange of `advance`. Who sees that a generation has ended sees
        // how, which is written before that.
        self.0.load(Acquire)
    }

    fn state_of(word: u64) -> State {
        State::ALL
            .into_iter()
            .find(|s| *s as u64 == word & Self::STATE)
            .unwrap_or(State::Stopped)
    }

    /// Makes a transition, and returns where it began. Only for [`Record::transition`].
    ///
    /// It is not made if the child is in `to` already, or if there is no way from where it is.
    ///
    /// What was written before it is seen by who sees the new state:
    ///
    /// ```text
    /// C MP+cmpxchg+acquire
    ///
    /// (*
    ///  * Result: Never
    ///  *)
    ///
    /// {}
    ///
    /// P0(int *outcome, int *state)
    /// {
    ///     int r0;
    ///
    ///     WRITE_ONCE(*outcome, 1);
    ///     r0 = cmpxchg(state, 0, 1);
    /// }
    ///
    /// P1(int *outcome, int *state)
    /// {
    ///     int r0;
    ///     int r1;
    ///
    ///     r0 = smp_load_acquire(state);
    ///     r1 = READ_ONCE(*outcome);
    /// }
    ///
    /// exists (1:r0=1 /\ 1:r1=0)
    /// ```
    ///
    /// [`Record::transition`]: super::Record::transition
    pub(super) fn advance(&self, to: State) -> Option<State> {
        loop {
            let word = self.word();
            let from = Self::state_of(word);
            if !from.may_become(to) {
                return None;
            }
            let counted = (word | Self::STATE).wrapping_add(1);
            if self.0.cmpxchg(word, counted | to as u64, Full).is_ok() {
                return Some(from);
            }
        }
    }
}
