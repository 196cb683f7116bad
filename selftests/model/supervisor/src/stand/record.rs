// SPDX-License-Identifier: GPL-2.0

//! What is known of a child, and what of its transitions must never be.

use super::{
    arena::Meter,
    history::History,
    identity::{Generations, Identity},
    run::MailCounts,
    state::{State, StateCell},
    watch::Watch,
};
use crate::{
    kernel_api::prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        Arc, Completion,
    },
    world,
};
use core::{cell::RefCell, fmt};

/// How a generation of a child has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    Returned,
    Failed(Error),
    Crashed(i32),
    Stuck,
}

impl End {
    /// As one word: here only whether it was a crash matters.
    pub(super) fn to_word(self) -> u64 {
        match self {
            Self::Returned | Self::Failed(_) => 0,
            Self::Crashed(_) | Self::Stuck => 1,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

pub(super) struct Mail;

impl Mail {
    pub(super) fn set(&self, _: MailCounts) {}
}

/// What a record notices besides.
#[derive(Default)]
pub(super) struct Seen {
    /// When restarts were decided.
    pub(super) decided: Vec<i64>,
    /// It was told to end, or its handle is gone: nobody but its owner starts it again.
    pub(super) asked: bool,
    /// Its owner starts it.
    pub(super) by_hand: bool,
}

/// The rules that the child has, as the driver has made them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) limit: u32,
    pub(super) window_ns: i64,
    pub(super) first_ns: i64,
    pub(super) oopses_max: u32,
    pub(super) quarantined_before: usize,
}

pub struct Record {
    pub(super) id: u64,
    pub(super) cpus: Vec<u32>,
    pub(super) scheduling: (),
    pub(super) nice: (),
    pub(super) heartbeat: u32,
    pub(super) watch: Arc<Watch>,
    pub(super) state: StateCell,
    pub(super) generations: Generations,
    pub(super) outcome: Atomic<u64>,
    pub(super) concluded: Atomic<u64>,
    pub(super) slots: Vec<()>,
    pub(super) memory: Arc<Meter>,
    pub(super) ended: Completion,
    pub(super) crashes: Atomic<u64>,
    pub(super) silence: Atomic<i64>,
    pub(super) mail: Mail,
    pub(super) history: History,
    pub(super) rules: Rules,
    pub(super) seen: RefCell<Seen>,
}

impl Record {
    pub(super) fn transition(&self, to: State) -> bool {
        if self.state.advance(to).is_none() {
            return false;
        }
        match to {
            State::Spawning => {
                self.ended.reinit();
                self.starts();
            }
            State::Backoff => self.decides(),
            State::Quarantined => world::quarantine(),
            _ => {}
        }
        true
    }

    /// The next generation is to be started, at some time.
    fn decides(&self) {
        let (rules, now) = (&self.rules, self.now());
        let mut seen = self.seen.borrow_mut();
        seen.decided.push(now);
        let recent = seen
            .decided
            .iter()
            .filter(|at| now - **at < rules.window_ns);
        let recent = recent.count();
        if recent > rules.limit as usize {
            world::violation(format!("beyond its limit: {recent} restarts in a window"));
        }
        if self.outcome.load(Relaxed) == 0 {
            return;
        }
        let deaths = world::deaths();
        if deaths >= rules.oopses_max {
            world::violation(format!(
                "beyond the budget: a restart after {deaths} oopses"
            ));
        }
        let mine = world::in_quarantine();
        if mine > 0 && mine + rules.quarantined_before > super::budget::QUARANTINE_MAX as usize {
            world::violation("beyond the quarantine: one is replaced and there is no room");
        }
    }

    /// It is.
    fn starts(&self) {
        let seen = self.seen.borrow();
        if seen.by_hand {
            return;
        }
        if seen.asked {
            world::violation("started again though it was asked to end");
        }
        let decided = seen.decided.last().copied().unwrap_or(i64::MAX);
        if self.now() < decided.saturating_add(self.rules.first_ns) {
            world::violation("before its time: a restart within the back-off");
        }
    }

    pub(super) fn now(&self) -> i64 {
        world::now()
    }

    pub(super) fn send_uevent(&self, _: End) {}

    pub(super) fn identity(&self) -> Identity {
        Identity::new(self.id, self.generation())
    }

    pub(super) fn generation(&self) -> u32 {
        self.generations.number()
    }

    pub(super) fn state(&self) -> State {
        self.state.get()
    }

    pub(super) fn name(&self) -> &str {
        "child"
    }

    pub(super) fn owner(&self) -> &str {
        "owner"
    }
}
