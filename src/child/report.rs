// SPDX-License-Identifier: GPL-2.0

//! What debugfs shows. The files `summary` and `stats.json`: all children and all counted locks.
//!
//! Both format a snapshot: the lists are copied first, and no lock is held while writing.
#![deny(unsafe_code)]

use super::{directory, list};
use crate::{
    ffi::{
        debugfs::{Dir, Show},
        uts_release,
    },
    stats::{self, json::Quoted},
};
use kernel::{fmt, prelude::*, ModuleMetadata};

/// The version of the layout of `stats.json`. It changes when a key changes or goes.
const SCHEMA: u32 = 1;

/// The directory `childkernel` and all that is in it, removed when dropped.
pub(crate) struct Files(Dir);

impl Files {
    /// Creates all files there are, and those of what will be. They keep module `M` while they are
    /// open.
    ///
    /// Nothing may fail any more that would end the module's init: a module that never came to
    /// life is freed without regard to who has its files open.
    pub(crate) fn create<M: ModuleMetadata>() -> Self {
        let dir = Dir::new(M::NAME);
        dir.file::<M, Summary>(c"summary");
        dir.file::<M, Json>(c"stats.json");
        directory::open::<M>(&dir);
        stats::directory::open::<M>(&dir);
        Self(dir)
    }

    /// The directory, for files of others.
    pub(crate) fn dir(&self) -> &Dir {
        &self.0
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        directory::close();
        stats::directory::close();
    }
}

/// For people: one screen.
struct Summary;

impl Show for Summary {
    fn show(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Ok(children), Ok(locks)) = (list(), stats::locks()) else {
            return f.write_str("out of memory\n");
        };
        f.write_fmt(fmt!(
            "childkernel on {}: {} children, {} locks (times in ns)\n\n",
            uts_release(),
            children.len(),
            locks.len()
        ))?;
        f.write_fmt(fmt!(
            "{:<4} {:<15} {:<12} {:<11} {:<20} {:>4} {:>12} {:>6}\n",
            "ID",
            "CHILD",
            "OWNER",
            "STATE",
            "WORKLOAD",
            "CPU",
            "OPS",
            "VIOL"
        ))?;
        for child in &children {
            child.write_summary(f)?;
        }
        f.write_str("\n")?;
        stats::write_summary(f, &locks)
    }
}

/// For programs.
struct Json;

impl Show for Json {
    fn show(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Ok(children), Ok(locks)) = (list(), stats::locks()) else {
            return f.write_str("{\"error\":\"out of memory\"}\n");
        };
        f.write_fmt(fmt!(
            "{{\"schema\":{SCHEMA},\"kernel\":{},\"children\":[",
            Quoted(uts_release())
        ))?;
        for (i, child) in children.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            child.write_json(f)?;
        }
        f.write_str("],\"locks\":")?;
        stats::write_json(f, &locks)?;
        f.write_str("}\n")
    }
}
