// SPDX-License-Identifier: GPL-2.0

//! A load that one child runs by itself: its threads do what the children of a session do.
//!
//! Each generation of the child begins with a new load, checks it in the end, and says in one line
//! how it went.
#![deny(unsafe_code)]

use super::{
    kind::{Granularity, Kind, Loads, Plan, PrimitivesOf, Roles, Shown, KINDS},
    Config, Shared,
};
use crate::child::Context;
use kernel::{prelude::*, str::CString, sync::Arc};

/// What a child is to run.
pub(crate) struct Alone {
    kind: Kind,
    threads: usize,
    name: CString,
}

impl Alone {
    /// Finds the load. Without a primitive it is the one that the load has by itself; without a
    /// number of threads there are as few as the load can do with.
    ///
    /// # Errors
    ///
    /// `EINVAL`, after one line in the log that names what is valid; `ENOMEM`.
    pub(crate) fn new(
        name: &CStr,
        workload: &str,
        primitive: Option<&str>,
        threads: Option<usize>,
    ) -> Result<Self> {
        let mut of_load = KINDS.iter().filter(|kind| kind.workload == workload);
        if of_load.clone().next().is_none() {
            pr_err!("workload={workload}: valid are {Loads}\n");
            return Err(EINVAL);
        }
        let found = of_load.find(|kind| match primitive {
            Some(word) => kind.primitive == word,
            None => [Shown::Always, Shown::Alone].contains(&kind.shown),
        });
        let Some(kind) = found else {
            let primitive = primitive.unwrap_or("");
            pr_err!(
                "primitive={primitive}: valid are {}\n",
                PrimitivesOf(workload)
            );
            return Err(EINVAL);
        };
        let threads = threads.unwrap_or(match kind.roles {
            Roles::Pairs | Roles::Chain => 2,
            Roles::Same | Roles::WritersAndReaders => 1,
        });
        let valid = match kind.roles {
            Roles::Pairs if threads % 2 == 1 => "are even numbers",
            Roles::Chain if threads == 1 => "are numbers from 2",
            // It counts what is in its arena, which the threads of a child share.
            _ if workload == "memory" && threads != 1 => "is 1",
            _ => "",
        };
        if !valid.is_empty() {
            pr_err!("threads={threads}: valid for {workload} {valid}\n");
            return Err(EINVAL);
        }
        Ok(Self {
            kind,
            threads,
            name: CString::try_from(name)?,
        })
    }

    /// What the load is called.
    pub(crate) fn label(&self) -> &'static CStr {
        self.kind.label
    }

    /// How many threads it is for.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Makes the load for one generation.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(crate) fn begin(&self) -> Result<AtWork> {
        let plan = Plan {
            children: self.threads,
            writers: match self.kind.roles {
                // Half of them, at least one.
                Roles::WritersAndReaders => self.threads.div_ceil(2),
                _ => 0,
            },
            granularity: Granularity::Coarse,
            twin: None,
        };
        let name = self.name.to_str().unwrap_or("?");
        let who = CString::try_from_fmt(fmt!("{name}, {} threads", self.threads))?;
        let shared = Shared::new(self.kind, &plan, Config::alone(), who)?;
        // All threads are there before the first of them runs.
        shared.begin.complete_all();
        Ok(AtWork(shared))
    }
}

/// One generation at its load.
pub(crate) struct AtWork(Arc<Shared>);

impl AtWork {
    /// What each thread of the child runs.
    pub(crate) fn run(&self, ctx: &mut Context<'_>) -> Result {
        self.0.run(ctx.index(), ctx)
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.settle();
    }
}
