// SPDX-License-Identifier: GPL-2.0

//! What is known of a child kernel, apart from what it runs.
//!
//! Nothing in a record points into the owner's module, so it can be shown while that module goes.
#![deny(unsafe_code)]

use super::{
    arena::Meter,
    context::Slot,
    state::{State, StateCell},
};
use crate::{
    ffi::trace_child_state,
    stats::json::Quoted,
    sync::{
        atomic::{Atomic, Relaxed},
        Completion,
    },
};
use kernel::{
    cpu::CpuId,
    fmt,
    prelude::*,
    str::CString,
    sync::Arc,
    time::{Instant, Jiffies, Monotonic},
};

/// How a generation of a child has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// All its threads have returned without an error.
    Returned,
    /// The first error that one of its threads has returned.
    Failed(Error),
}

/// The identity, the state and the counters of a child.
#[pin_data]
pub struct Record {
    pub(super) id: u64,
    pub(super) name: CString,
    pub(super) owner: CString,
    pub(super) workload: CString,
    pub(super) cpus: KVec<CpuId>,
    pub(super) state: StateCell,
    pub(super) generation: Atomic<u32>,
    /// Threads of this generation that have not ended.
    pub(super) alive: Atomic<u32>,
    /// The first error of this generation, as a negative errno, or 0.
    pub(super) end: Atomic<i32>,
    pub(super) slots: KVec<Slot>,
    pub(super) memory: Arc<Meter>,
    pub(super) nice: i32,
    /// Completed when a generation has ended, until the next one begins.
    #[pin]
    pub(super) ended: Completion,
    /// How many transitions were made.
    pub(super) transitions: Atomic<u64>,
    /// When the record was made.
    pub(super) made: Instant<Monotonic>,
    /// When the last transition was, in ns since then.
    pub(super) since: Atomic<i64>,
}

/// Names one generation of one child: what is said of it is not said of the next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    id: u64,
    generation: u32,
}

impl Identity {
    /// The id of the child.
    pub fn id(self) -> u64 {
        self.id
    }

    /// The generation, from 1; 0 before the first has begun.
    pub fn generation(self) -> u32 {
        self.generation
    }
}

impl Record {
    /// Makes a transition, and says whether it was made. All transitions are made here: counted,
    /// timed, and shown to the tracepoint `childkernel:child_state`.
    ///
    /// It is not made if the child is in `to` already, or if there is no way from where it is.
    pub(super) fn transition(&self, to: State) -> bool {
        let Some(from) = self.state.advance(to) else {
            return false;
        };
        self.transitions.fetch_add(1, Relaxed);
        self.since.store(self.made.elapsed().as_nanos(), Relaxed);
        match to {
            State::Spawning => self.ended.reinit(),
            State::Stopped => self.ended.complete_all(),
            _ => {}
        }
        trace_child_state(
            self.id,
            self.generation(),
            &self.name,
            from.as_cstr(),
            to.as_cstr(),
            self.end.load(Relaxed),
        );
        true
    }

    /// Waits until its present generation has ended, or the wait is interrupted, and says how it
    /// has ended. Stops nothing. Not to be called by a thread of that same child.
    ///
    /// Context: process, may sleep.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` when interrupted by a signal or, in a child, by a request to stop.
    pub fn wait(&self) -> Result<End> {
        self.ended.wait_interruptible()?;
        Ok(self.end())
    }

    /// The same, for at most `limit` jiffies.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the limit is over, `ERESTARTSYS` when interrupted.
    pub fn wait_timeout(&self, limit: Jiffies) -> Result<End> {
        self.ended.wait_interruptible_timeout(limit)?;
        Ok(self.end())
    }

    fn end(&self) -> End {
        self.error().map_or(End::Returned, End::Failed)
    }

    /// Which generation of which child this is now.
    pub fn identity(&self) -> Identity {
        Identity {
            id: self.id,
            generation: self.generation(),
        }
    }

    /// How many transitions from one state to another it has made.
    pub fn transitions(&self) -> u64 {
        self.transitions.load(Relaxed)
    }

    /// How long it has been in its present state, in ns.
    pub fn in_state_ns(&self) -> u64 {
        let since = self.since.load(Relaxed);
        let now = self.made.elapsed().as_nanos();
        u64::try_from(now.saturating_sub(since)).unwrap_or(0)
    }

    /// A number that no other child has until the module is unloaded.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The name that the owner gave it.
    pub fn name(&self) -> &str {
        self.name.to_str().unwrap_or("?")
    }

    /// The module that it belongs to.
    pub fn owner(&self) -> &str {
        self.owner.to_str().unwrap_or("?")
    }

    /// What it runs, as its owner calls it; empty if the owner did not say.
    pub fn workload(&self) -> &str {
        self.workload.to_str().unwrap_or("?")
    }

    /// Its present state.
    pub fn state(&self) -> State {
        self.state.get()
    }

    /// How often it was started, from 1.
    pub fn generation(&self) -> u32 {
        self.generation.load(Relaxed)
    }

    /// The error with which its present generation ended or is about to, if any.
    pub fn error(&self) -> Option<Error> {
        match self.end.load(Relaxed) {
            0 => None,
            errno => Some(Error::from_errno(errno)),
        }
    }

    /// The operations of all its threads, all generations.
    pub fn ops(&self) -> u64 {
        self.sum(|slot| &slot.ops)
    }

    /// The violations that all its threads have found, all generations.
    pub fn violations(&self) -> u64 {
        self.sum(|slot| &slot.violations)
    }

    /// The memory of its arena: what is taken now, by any of its generations that has not been
    /// joined, and the peak and the failures of all of them.
    pub fn memory(&self) -> &Meter {
        &self.memory
    }

    fn sum(&self, of: impl Fn(&Slot) -> &Atomic<u64>) -> u64 {
        self.slots
            .iter()
            .fold(0, |sum, slot| sum.wrapping_add(of(slot).load(Relaxed)))
    }

    /// The CPU of its first thread, if it is bound.
    fn cpu(&self) -> Option<u32> {
        self.cpus.first().map(CpuId::as_u32)
    }

    /// Writes a JSON object.
    pub(crate) fn write_json(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "{{\"id\":{},\"name\":{},\"owner\":{},\"state\":\"{}\",\"workload\":{},\"cpu\":",
            self.id,
            Quoted(self.name()),
            Quoted(self.owner()),
            self.state().name(),
            Quoted(self.workload())
        ))?;
        match self.cpu() {
            Some(cpu) => f.write_fmt(fmt!("{cpu}"))?,
            None => f.write_str("null")?,
        }
        f.write_fmt(fmt!(
            ",\"transitions\":{},\"in_state_ns\":{}",
            self.transitions(),
            self.in_state_ns()
        ))?;
        f.write_fmt(fmt!(
            ",\"ops\":{},\"violations\":{},\"generation\":{},\"threads\":{},\"error\":{}}}",
            self.ops(),
            self.violations(),
            self.generation(),
            self.slots.len(),
            self.end.load(Relaxed)
        ))
    }

    /// Writes a line of the table.
    pub(crate) fn write_summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "{:<4} {:<15} {:<12} {:<8} {:<20} ",
            self.id,
            self.name(),
            self.owner(),
            self.state().name(),
            self.workload()
        ))?;
        match self.cpu() {
            Some(cpu) => f.write_fmt(fmt!("{cpu:>4}"))?,
            None => f.write_fmt(fmt!("{:>4}", "any"))?,
        }
        f.write_fmt(fmt!(" {:>12} {:>6}", self.ops(), self.violations()))?;
        if let Some(error) = self.error() {
            f.write_fmt(fmt!("  {error:?}"))?;
        }
        f.write_str("\n")
    }
}
