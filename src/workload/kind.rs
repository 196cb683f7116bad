// SPDX-License-Identifier: GPL-2.0

//! The table of all loads, with each primitive that they can use.
#![deny(unsafe_code)]

use super::{
    config::Twin, counter, handshake, list, memory, pipeline, record, requests, table, Load,
};
use kernel::{fmt, prelude::*, sync::Arc};

/// How the children of a load are divided.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Roles {
    /// All do the same.
    Same,
    /// Some write, the others only read.
    WritersAndReaders,
    /// Two and two belong together.
    Pairs,
    /// Each hands on to the next.
    Chain,
}

/// How many locks the parts of a table share.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Granularity {
    /// One for all.
    Coarse,
    /// Each has its own.
    Fine,
}

/// What a load is made of.
pub(super) struct Plan {
    /// How many children it will have.
    pub(super) children: usize,
    /// How many of them write.
    pub(super) writers: usize,
    /// How many locks a table has.
    pub(super) granularity: Granularity,
    /// What is broken on purpose.
    pub(super) twin: Option<Twin>,
}

/// A load with one of its primitives.
pub(super) struct KindInfo {
    /// The word for the parameter `workload`.
    pub(super) workload: &'static str,
    /// The word for the parameter `primitive`.
    pub(super) primitive: &'static str,
    /// What it is called in the log and in debugfs.
    pub(super) label: &'static CStr,
    /// What its children are called.
    pub(super) thread: &'static str,
    pub(super) roles: Roles,
    /// Whether it is run when no primitive is named.
    pub(super) shown: Shown,
    pub(super) make: fn(&Plan) -> Result<Arc<dyn Load>>,
}

/// When a kind is run though its primitive was not named.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// With its own workload, and with `workload=all`.
    Always,
    /// With `workload=all`.
    InAll,
    /// With its own workload.
    Alone,
    /// Only when it, or all, is asked for.
    WhenAsked,
}

/// An entry of the table.
pub(super) type Kind = &'static KindInfo;

macro_rules! kinds {
    ($($workload:literal, $primitive:literal, $thread:literal, $roles:ident, $shown:ident, $make:expr;)*) => {
        /// All of them, in the order in which they are started.
        pub(super) static KINDS: &[KindInfo] = &[$(
            KindInfo {
                workload: $workload,
                primitive: $primitive,
                label: kernel::c_str!(concat!($workload, "/", $primitive)),
                thread: $thread,
                roles: Roles::$roles,
                shown: Shown::$shown,
                make: $make,
            },
        )*];
    };
}

kinds! {
    "counter", "spinlock", "count-spin", Same, Always, counter::spinlock;
    "counter", "spinlock_bh", "count-spinbh", Same, WhenAsked, counter::spinlock_bh;
    "counter", "spinlock_irq", "count-spinirq", Same, WhenAsked, counter::spinlock_irq;
    "counter", "raw_spinlock", "count-raw", Same, WhenAsked, counter::raw_spinlock;
    "counter", "raw_spinlock_irq", "count-rawirq", Same, WhenAsked, counter::raw_spinlock_irq;
    "counter", "resilient", "count-resil", Same, WhenAsked, counter::resilient;
    "counter", "resilient_irq", "count-resirq", Same, WhenAsked, counter::resilient_irq;
    "counter", "rwlock", "count-rwlock", Same, WhenAsked, counter::rwlock;
    "counter", "rwlock_bh", "count-rwbh", Same, WhenAsked, counter::rwlock_bh;
    "counter", "rwlock_irq", "count-rwirq", Same, WhenAsked, counter::rwlock_irq;
    "counter", "mutex", "count-mutex", Same, InAll, counter::mutex;
    "counter", "semaphore", "count-sema", Same, WhenAsked, counter::semaphore;
    "counter", "rwsem", "count-rwsem", Same, WhenAsked, counter::rwsem;
    "counter", "percpu_rwsem", "count-percpu", Same, WhenAsked, counter::percpu_rwsem;
    "counter", "seqlock", "count-seq", Same, WhenAsked, counter::seqlock;
    "counter", "percpu", "count-cpu", Same, WhenAsked, counter::percpu;
    "counter", "local_lock", "count-local", Same, WhenAsked, counter::local_lock;
    "counter", "bitlock", "count-bit", Same, WhenAsked, counter::bitlock;
    "counter", "seqlock_bh", "count-seqbh", Same, WhenAsked, counter::seqlock_bh;
    "counter", "seqlock_irq", "count-seqirq", Same, WhenAsked, counter::seqlock_irq;
    "counter", "seqcount", "count-seqcnt", Same, WhenAsked, counter::seqcount;
    "counter", "seqcount_mutex", "count-seqmx", Same, WhenAsked, counter::seqcount_mutex;
    "counter", "atomic", "count-atomic", Same, InAll, counter::atomic;
    "record", "seqlock", "record", WritersAndReaders, Always, record::seqlock;
    "record", "seqlock_bh", "record-seqbh", WritersAndReaders, WhenAsked, record::seqlock_bh;
    "record", "seqlock_irq", "record-seqirq", WritersAndReaders, WhenAsked, record::seqlock_irq;
    "record", "seqcount", "record-seqcnt", WritersAndReaders, WhenAsked, record::seqcount;
    "record", "seqcount_mutex", "record-seqmx", WritersAndReaders, WhenAsked,
        record::seqcount_mutex;
    "record", "spinlock", "record-spin", WritersAndReaders, WhenAsked, record::spinlock;
    "record", "mutex", "record-mutex", WritersAndReaders, WhenAsked, record::mutex;
    "record", "rwlock", "record-rwlock", WritersAndReaders, WhenAsked, record::rwlock;
    "record", "rwsem", "record-rwsem", WritersAndReaders, WhenAsked, record::rwsem;
    "record", "percpu_rwsem", "record-percpu", WritersAndReaders, WhenAsked, record::percpu_rwsem;
    "record", "rcu", "record-rcu", WritersAndReaders, WhenAsked, record::rcu;
    "record", "srcu", "record-srcu", WritersAndReaders, WhenAsked, record::srcu;
    "list", "rculist", "list", WritersAndReaders, Always, list::spinlock;
    "list", "rculist_mutex", "list-mutex", WritersAndReaders, WhenAsked, list::mutex;
    "handshake", "completion", "handshake", Pairs, Always, handshake::completion;
    "handshake", "semaphore", "handshake-sem", Pairs, WhenAsked, handshake::semaphore;
    "handshake", "barrier", "handshake-bar", Pairs, WhenAsked, handshake::barrier;
    "handshake", "condvar", "handshake-cv", Pairs, WhenAsked, handshake::condvar;
    "pipeline", "mailbox", "pipe", Chain, Alone, pipeline::mailbox;
    "pipeline", "mailbox_guarded", "pipe-guarded", Chain, WhenAsked, pipeline::mailbox_guarded;
    "table", "spinlock", "table", Same, Alone, table::spinlock;
    "table", "mutex", "table-mutex", Same, WhenAsked, table::mutex;
    "table", "rwlock", "table-rwlock", Same, WhenAsked, table::rwlock;
    "memory", "arena", "memory", Same, Alone, memory::arena;
    "requests", "call", "requests", Pairs, Alone, requests::call;
}

impl KindInfo {
    /// The label as a string.
    pub(super) fn name(&self) -> &'static str {
        self.label.to_str().unwrap_or("?")
    }
}

/// The words for loads, for the log.
pub(super) struct Loads;

impl fmt::Display for Loads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = "";
        for kind in KINDS.iter() {
            if kind.workload != last {
                let comma = if last.is_empty() { "" } else { ", " };
                f.write_fmt(fmt!("{comma}{}", kind.workload))?;
                last = kind.workload;
            }
        }
        Ok(())
    }
}

/// The words for the parameter `workload`.
pub(super) struct Workloads;

impl fmt::Display for Workloads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!("{Loads}, all"))
    }
}

/// The words for primitives that go with a load, or with `all` of them, for the log.
pub(super) struct PrimitivesOf<'a>(pub(super) &'a str);

impl fmt::Display for PrimitivesOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let goes = |kind: &&KindInfo| self.0 == "all" || self.0 == kind.workload;
        let mut comma = "";
        for (i, kind) in KINDS.iter().enumerate().filter(|(_, kind)| goes(kind)) {
            // A word is named once, whatever loads it goes with.
            let mut before = KINDS.iter().take(i).filter(goes);
            if !before.any(|k| k.primitive == kind.primitive) {
                f.write_fmt(fmt!("{comma}{}", kind.primitive))?;
                comma = ", ";
            }
        }
        Ok(())
    }
}

/// The words for the parameter `primitive` with a workload.
pub(super) struct Primitives(pub(super) &'static str);

impl fmt::Display for Primitives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none without a workload");
        }
        f.write_fmt(fmt!("{}, all", PrimitivesOf(self.0)))
    }
}
