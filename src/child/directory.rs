// SPDX-License-Identifier: GPL-2.0

//! `children/ID/` in debugfs: one child, a file for each thing that is known of it.
//!
//! It is there from before the child's first generation begins until its handle is dropped, so it
//! tells how a child has ended too.
#![deny(unsafe_code)]

use super::{record::Record, CHILDREN};
use crate::{
    ffi::debugfs::{Access::Read, Dir, Field},
    stats::directories::{line, Directories},
    sync::{
        order::levels,
        registry::RegistryMutex, //
    },
};
use kernel::{cpu::CpuId, fmt, prelude::*, str::CString, sync::Arc, ModuleMetadata};

/// The files: to add one is to add its line. What writes takes no lock: the child may be stuck with
/// it.
static FIELDS: [Field<Record>; 17] = [
    Field::new(c"name", Read(|c, f| line(f, c.name()))),
    Field::new(c"state", Read(|c, f| line(f, c.state().name()))),
    Field::new(c"generation", Read(|c, f| line(f, c.generation()))),
    Field::new(c"owner", Read(|c, f| line(f, c.owner()))),
    Field::new(c"workload", Read(|c, f| line(f, c.workload()))),
    Field::new(c"cpus", Read(write_cpus)),
    Field::new(c"memory", Read(write_memory)),
    Field::new(c"mailbox", Read(write_mailbox)),
    Field::new(c"threads", Read(|c, f| line(f, c.slots.len()))),
    Field::new(c"ops", Read(|c, f| line(f, c.ops()))),
    Field::new(c"violations", Read(|c, f| line(f, c.violations()))),
    Field::new(c"error", Read(write_error)),
    Field::new(c"end", Read(|c, f| line(f, c.end().name()))),
    Field::new(c"restarts", Read(write_restarts)),
    Field::new(c"history", Read(write_history)),
    Field::new(c"heartbeat", Read(write_heartbeat)),
    Field::new(c"in_state_ns", Read(|c, f| line(f, c.in_state_ns()))),
];

static DIRECTORIES: Directories<levels::ChildDirectories, Record> =
    Directories::new(RegistryMutex::ChildDirectories, &FIELDS, |child| {
        CString::try_from_fmt(fmt!("{}", child.id()))
    });

/// Shows all children in directory `children` of `parent`, in files that keep module `M`.
pub(super) fn open<M: ModuleMetadata>(parent: &Dir) {
    DIRECTORIES.open::<M>(parent, c"children", |token| {
        CHILDREN.collect(token, |child| Some(child.record.clone()))
    });
}

/// Shows none any more.
pub(super) fn close() {
    DIRECTORIES.close();
}

/// Shows a child, which must be listed.
pub(super) fn add(child: &Arc<Record>) {
    DIRECTORIES.add(child);
}

/// Shows it no longer, once it is not listed any more.
pub(super) fn remove(child: &Record) {
    DIRECTORIES.remove(child);
}

fn write_cpus(child: &Record, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if child.cpus.is_empty() {
        return f.write_str("any\n");
    }
    let mut comma = "";
    for cpu in child.cpus.iter().map(CpuId::as_u32) {
        f.write_fmt(fmt!("{comma}{cpu}"))?;
        comma = ",";
    }
    f.write_str("\n")
}

fn write_memory(child: &Record, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let memory = child.memory();
    f.write_fmt(fmt!(
        "quota {}\ncurrent {}\npeak {}\nfailures {}\nfragmentation {}\n",
        memory.quota(),
        memory.current(),
        memory.peak(),
        memory.failures(),
        memory.fragmentation()
    ))
}

fn write_mailbox(child: &Record, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mail = child.mail();
    f.write_fmt(fmt!(
        "depth {}\nlen {}\nfull {}\nempty {}\nwakes {}\n",
        mail.depth(),
        mail.len(),
        mail.full(),
        mail.empty(),
        mail.wakes()
    ))
}

fn write_restarts(child: &Record, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_fmt(fmt!(
        "restarts {}\ncrashes {}\n",
        child.restarts(),
        child.crashes()
    ))
}

/// A line for each end that is kept, oldest first.
fn write_history(child: &Record, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    child.each_end(|past| {
        f.write_fmt(fmt!(
            "generation {} at_ns {} lived_ns {} {} {}\n",
            past.generation,
            past.at_ns,
            past.lived_ns,
            past.end.name(),
            past.end.code()
        ))
    })
}

fn write_heartbeat(child: &Record, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_fmt(fmt!(
        "heartbeat_ms {}\nsilence_ns {}\n",
        child.heartbeat_ms(),
        child.silence_ns()
    ))
}

fn write_error(child: &Record, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    line(f, child.error().map_or(0, Error::to_errno))
}
