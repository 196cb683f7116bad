// SPDX-License-Identifier: GPL-2.0

//! What is known of a child kernel, apart from what it runs.
//!
//! Nothing in a record points into the owner's module, so it can be shown while that module goes.
#![deny(unsafe_code)]

use super::{
    arena::Meter,
    context::Slot,
    history::{History, Past},
    identity::{Generations, Identity},
    run::MailCounts,
    state::{State, StateCell},
    thread::Scheduling,
    watch::Watch,
};
use crate::{
    ffi,
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
    /// The first error that one of its threads has returned, or why it could not be started.
    Failed(Error),
    /// One of its threads has died of an oops, by this signal: `SIGSEGV` for a panic or a `BUG`,
    /// `SIGKILL` for an access to what is not there. 0 as long as it was not joined.
    Crashed(i32),
    /// It was given up: it gave no sign of life, or did not end when it was asked to.
    Stuck,
}

impl End {
    /// The word for it, in debugfs and in events.
    pub fn name(self) -> &'static str {
        self.as_cstr().to_str().unwrap_or("?")
    }

    pub(super) const fn as_cstr(self) -> &'static CStr {
        match self {
            Self::Returned => c"returned",
            Self::Failed(_) => c"failed",
            Self::Crashed(_) => c"crashed",
            Self::Stuck => c"stuck",
        }
    }

    /// The error as a negative errno, or the signal.
    pub fn code(self) -> i32 {
        match self {
            Self::Failed(error) => error.to_errno(),
            Self::Crashed(signal) => signal,
            Self::Returned | Self::Stuck => 0,
        }
    }

    /// As one word, to be kept in an atomic.
    pub(super) fn to_word(self) -> u64 {
        let kind: u64 = match self {
            Self::Returned => 0,
            Self::Failed(_) => 1,
            Self::Crashed(_) => 2,
            Self::Stuck => 3,
        };
        (kind << 32) | u64::from(self.code() as u32)
    }

    pub(super) fn from_word(word: u64) -> Self {
        let code = word as u32 as i32;
        match word >> 32 {
            0 => Self::Returned,
            1 => Self::Failed(Error::from_errno(code)),
            2 => Self::Crashed(code),
            _ => Self::Stuck,
        }
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Returned => f.write_str("returned"),
            Self::Failed(error) => f.write_fmt(fmt!("{error:?}")),
            Self::Crashed(signal) => f.write_fmt(fmt!("crashed by signal {signal}")),
            Self::Stuck => f.write_str("stuck"),
        }
    }
}

/// The identity, the state and the counters of a child.
#[pin_data]
pub struct Record {
    pub(super) id: u64,
    pub(super) name: CString,
    pub(super) owner: CString,
    pub(super) workload: CString,
    pub(super) cpus: KVec<CpuId>,
    pub(super) scheduling: Scheduling,
    pub(super) nice: i32,
    /// In ms; 0 for none.
    pub(super) heartbeat: u32,
    pub(super) watch: Arc<Watch>,
    pub(super) state: StateCell,
    pub(super) generations: Generations,
    /// How the present generation has ended, or is about to.
    pub(super) outcome: Atomic<u64>,
    /// How the last one has that was concluded: who waited for it may come when the next one runs.
    pub(super) concluded: Atomic<u64>,
    pub(super) slots: KVec<Slot>,
    pub(super) memory: Arc<Meter>,
    /// Completed when a generation has ended that none follows by itself, until one does.
    #[pin]
    pub(super) ended: Completion,
    /// When the record was made.
    pub(super) made: Instant<Monotonic>,
    /// When the last transition was, in ns since then.
    pub(super) since: Atomic<i64>,
    /// Threads that have died of an oops.
    pub(super) crashes: Atomic<u64>,
    /// The longest silence of a thread when it was last looked at, in ns.
    pub(super) silence: Atomic<i64>,
    /// What was last seen of its mailbox.
    pub(super) mail: MailMeter,
    #[pin]
    pub(super) history: History,
    #[cfg(CONFIG_CHILDKERNEL_FAULTS)]
    pub(super) fault: Atomic<u32>,
}

/// A child's mailbox in numbers, as they were when the supervisor last looked.
pub struct MailMeter {
    depth: Atomic<usize>,
    len: Atomic<usize>,
    full: Atomic<u64>,
    empty: Atomic<u64>,
    wakes: Atomic<u64>,
}

impl MailMeter {
    pub(super) const fn new() -> Self {
        Self {
            depth: Atomic::new(0),
            len: Atomic::new(0),
            full: Atomic::new(0),
            empty: Atomic::new(0),
            wakes: Atomic::new(0),
        }
    }

    pub(super) fn set(&self, counts: MailCounts) {
        self.depth.store(counts.depth, Relaxed);
        self.len.store(counts.len, Relaxed);
        self.full.store(counts.full, Relaxed);
        self.empty.store(counts.empty, Relaxed);
        self.wakes.store(counts.wakes, Relaxed);
    }

    /// How many messages it has room for; 0 if there is no mailbox.
    pub fn depth(&self) -> usize {
        self.depth.load(Relaxed)
    }

    /// How many it had.
    pub fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Whether it had none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often a sender found no room, this generation.
    pub fn full(&self) -> u64 {
        self.full.load(Relaxed)
    }

    /// How often the child found nothing, this generation.
    pub fn empty(&self) -> u64 {
        self.empty.load(Relaxed)
    }

    /// How often the child slept and was woken for a message, this generation.
    pub fn wakes(&self) -> u64 {
        self.wakes.load(Relaxed)
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
        self.since.store(self.now(), Relaxed);
        if to == State::Spawning {
            self.ended.reinit();
        }
        ffi::trace_child_state(
            self.id,
            self.generation(),
            &self.name,
            from.as_cstr(),
            to.as_cstr(),
            self.end().code(),
        );
        true
    }

    /// The time since it was made, in ns.
    pub(super) fn now(&self) -> i64 {
        self.made.elapsed().as_nanos()
    }

    /// Tells user space how a generation has ended.
    pub(super) fn send_uevent(&self, end: End) {
        ffi::uevent(
            self.id,
            self.generation(),
            &self.name,
            self.state().as_cstr(),
            end.as_cstr(),
            end.code(),
        );
    }

    /// Waits until it has ended and is not started again by itself, or the wait is interrupted,
    /// and says how it has ended. Stops nothing. Not to be called by a thread of that same child.
    /// One that is started by hand at that moment may be waited for until it ends again.
    ///
    /// Context: process, may sleep.
    ///
    /// # Errors
    ///
    /// `ERESTARTSYS` when interrupted by a signal or, in a child, by a request to stop.
    pub fn wait(&self) -> Result<End> {
        self.ended.wait_interruptible()?;
        Ok(self.last_end())
    }

    /// The same, for at most `limit` jiffies.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the limit is over, `ERESTARTSYS` when interrupted.
    pub fn wait_timeout(&self, limit: Jiffies) -> Result<End> {
        self.ended.wait_interruptible_timeout(limit)?;
        Ok(self.last_end())
    }

    fn last_end(&self) -> End {
        End::from_word(self.concluded.load(Relaxed))
    }

    /// How its present generation has ended, or [`End::Returned`] if it has not.
    pub fn end(&self) -> End {
        End::from_word(self.outcome.load(Relaxed))
    }

    /// Which generation of which child this is now.
    pub fn identity(&self) -> Identity {
        Identity::new(self.id, self.generation())
    }

    /// How many transitions from one state to another it has made.
    pub fn transitions(&self) -> u64 {
        self.state.transitions()
    }

    /// How long it has been in its present state, in ns.
    pub fn in_state_ns(&self) -> u64 {
        let since = self.since.load(Relaxed);
        u64::try_from(self.now().saturating_sub(since)).unwrap_or(0)
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
        self.generations.number()
    }

    /// The error with which its present generation has ended, if any.
    pub fn error(&self) -> Option<Error> {
        match self.end() {
            End::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// How many generations the supervisor has started.
    pub fn restarts(&self) -> u64 {
        self.generations.restarts()
    }

    /// How many of its threads have died of an oops, all generations.
    pub fn crashes(&self) -> u64 {
        self.crashes.load(Relaxed)
    }

    /// How long it may give no sign of life, in ms; 0 if it may for ever.
    pub fn heartbeat_ms(&self) -> u32 {
        self.heartbeat
    }

    /// How long the most silent of its threads had given no sign of life when the supervisor last
    /// looked, in ns; 0 without a heartbeat.
    pub fn silence_ns(&self) -> u64 {
        u64::try_from(self.silence.load(Relaxed)).unwrap_or(0)
    }

    /// Calls `f` with the ends of its last generations, oldest first, until it says an error.
    ///
    /// # Errors
    ///
    /// What `f` says.
    pub fn each_end<E>(&self, f: impl FnMut(Past) -> Result<(), E>) -> Result<(), E> {
        self.history.each(f)
    }

    /// Its mailbox in numbers.
    pub fn mail(&self) -> &MailMeter {
        &self.mail
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
            ",\"ops\":{},\"violations\":{},\"generation\":{},\"threads\":{},\"error\":{},\"end\":\"{}\",\"restarts\":{},\"crashes\":{}",
            self.ops(),
            self.violations(),
            self.generation(),
            self.slots.len(),
            self.error().map_or(0, Error::to_errno),
            self.end().name(),
            self.restarts(),
            self.crashes()
        ))?;
        let memory = &*self.memory;
        f.write_fmt(fmt!(
            ",\"heartbeat_ms\":{},\"silence_ns\":{},\"memory\":{{\"quota\":{},\"current\":{},\"peak\":{},\"failures\":{},\"fragmentation\":{}}}",
            self.heartbeat_ms(),
            self.silence_ns(),
            memory.quota(),
            memory.current(),
            memory.peak(),
            memory.failures(),
            memory.fragmentation()
        ))?;
        let mail = &self.mail;
        f.write_fmt(fmt!(
            ",\"mailbox\":{{\"depth\":{},\"len\":{},\"full\":{},\"empty\":{},\"wakes\":{}}}}}",
            mail.depth(),
            mail.len(),
            mail.full(),
            mail.empty(),
            mail.wakes()
        ))
    }

    /// Writes a line of the table.
    pub(crate) fn write_summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "{:<4} {:<15} {:<12} {:<11} {:<20} ",
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
        if self.end() != End::Returned {
            f.write_fmt(fmt!("  {}", self.end()))?;
        }
        f.write_str("\n")
    }
}
