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
    stats::json::Quoted,
    sync::atomic::{Atomic, Relaxed},
};
use kernel::{cpu::CpuId, fmt, prelude::*, str::CString, sync::Arc};

/// The identity, the state and the counters of a child.
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
}

impl Record {
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
