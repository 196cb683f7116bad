// SPDX-License-Identifier: GPL-2.0

//! The states of a child kernel, and the one function that changes them.
#![deny(unsafe_code)]

use crate::sync::atomic::{Atomic, Full, Relaxed};
use kernel::prelude::*;

/// Where a child kernel is in its life.
///
/// ```text
/// Spawning -> Running -> Stopping -> Stopped -> Spawning (restart)
///     |           |                     ^
///     |           `---------------------|   (all threads ended by themselves)
///     `---------------------------------'   (a thread could not be made)
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum State {
    /// Its threads are being made; none runs yet.
    Spawning = 0,
    /// At least one of its threads runs.
    Running = 1,
    /// It was asked to stop; its threads are being joined.
    Stopping = 2,
    /// None of its threads runs. Why it ended stands beside it.
    Stopped = 3,
}

impl State {
    const ALL: [Self; 4] = [Self::Spawning, Self::Running, Self::Stopping, Self::Stopped];

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
        }
    }

    /// Whether a child may go from `self` to `to`.
    const fn may_become(self, to: Self) -> bool {
        matches!(
            (self, to),
            (Self::Spawning, Self::Running | Self::Stopped)
                | (Self::Running, Self::Stopping | Self::Stopped)
                | (Self::Stopping, Self::Stopped)
                | (Self::Stopped, Self::Spawning)
        )
    }
}

/// The state of one child.
pub(super) struct StateCell(Atomic<u32>);

impl StateCell {
    /// A child begins by being spawned.
    pub(super) const fn new() -> Self {
        Self(Atomic::new(State::Spawning as u32))
    }

    /// Whether the child is being stopped.
    #[inline]
    pub(super) fn is_stopping(&self) -> bool {
        self.0.load(Relaxed) == State::Stopping as u32
    }

    /// The present state.
    pub(super) fn get(&self) -> State {
        let now = self.0.load(Relaxed);
        State::ALL
            .into_iter()
            .find(|s| *s as u32 == now)
            .unwrap_or(State::Stopped)
    }

    /// Makes a transition, and returns where it began. Only for [`Record::transition`].
    ///
    /// It is not made if the child is in `to` already, or if there is no way from where it is.
    ///
    /// [`Record::transition`]: super::Record::transition
    pub(super) fn advance(&self, to: State) -> Option<State> {
        loop {
            let from = self.get();
            if !from.may_become(to) {
                return None;
            }
            if self.0.cmpxchg(from as u32, to as u32, Full).is_ok() {
                return Some(from);
            }
        }
    }
}
