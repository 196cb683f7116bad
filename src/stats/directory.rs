// SPDX-License-Identifier: GPL-2.0

//! `locks/NAME/` in debugfs: one counted lock, a file for each thing that is known of it.
#![deny(unsafe_code)]

use super::{
    directories::{line, Directories},
    lock_stats::LockStats,
    LOCKS,
};
use crate::{
    ffi::debugfs::{
        Access::{Read, Write},
        Dir, Field,
    },
    sync::{
        order::levels,
        registry::RegistryMutex, //
    },
};
use kernel::{fmt, prelude::*, str::CString, sync::Arc, ModuleMetadata};

/// The files: to add one is to add its line.
static FIELDS: [Field<LockStats>; 8] = [
    Field::new(c"name", Read(|l, f| line(f, l.name()))),
    Field::new(c"kind", Read(|l, f| line(f, l.kind()))),
    Field::new(c"acquisitions", Read(|l, f| line(f, l.acquisitions()))),
    Field::new(c"contended", Read(|l, f| line(f, l.contentions()))),
    Field::new(c"wait_ns", Read(|l, f| l.wait.write_lines(f))),
    Field::new(c"hold_ns", Read(|l, f| l.hold.write_lines(f))),
    Field::new(c"sites", Read(write_sites)),
    Field::new(
        c"reset",
        Write(|l, _| {
            l.reset();
            Ok(())
        }),
    ),
];

static DIRECTORIES: Directories<levels::LockDirectories, LockStats> =
    Directories::new(RegistryMutex::LockDirectories, &FIELDS, name_of);

/// Shows all counted locks in directory `locks` of `parent`, in files that keep module `M`.
pub(crate) fn open<M: ModuleMetadata>(parent: &Dir) {
    DIRECTORIES.open::<M>(parent, c"locks", |token| {
        LOCKS.collect(token, |stats| Some(stats.clone()))
    });
}

/// Shows none any more.
pub(crate) fn close() {
    DIRECTORIES.close();
}

/// Shows a lock.
pub(super) fn add(stats: &Arc<LockStats>) {
    DIRECTORIES.add(stats);
}

/// Shows it no longer.
pub(super) fn remove(stats: &LockStats) {
    DIRECTORIES.remove(stats);
}

/// The lock's name, with `!` for each `/`, as in sysfs, and for each `~`.
fn name_of(stats: &LockStats) -> Result<CString> {
    let mut name = KVec::new();
    name.extend_from_slice(stats.name().as_bytes(), GFP_KERNEL)?;
    for byte in name.iter_mut().filter(|byte| b"/~".contains(byte)) {
        *byte = b'!';
    }
    let name = core::str::from_utf8(&name)?;
    CString::try_from_fmt(fmt!("{name}"))
}

fn write_sites(lock: &LockStats, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    lock.sites.for_each(|at, contended| match at {
        Some((path, line)) => f.write_fmt(fmt!("{path}:{line} {contended}\n")),
        None => f.write_fmt(fmt!("other {contended}\n")),
    })
}
