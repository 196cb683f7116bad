// SPDX-License-Identifier: GPL-2.0

//! What is left of a child when its handle goes.
#![deny(unsafe_code)]

use super::Chain;
use crate::child::{
    deputy::{Deputy, Errand, Exit, OnExit},
    record::Record,
    run::Program,
    thread::Thread,
};
use kernel::{prelude::*, sync::Arc};

/// What a child leaves to its owner. Dropped by the owner, with nothing locked.
pub(in crate::child) struct Leftovers {
    pub(super) deputy: Option<Thread<Deputy>>,
    pub(super) untold: Option<Exit>,
    pub(super) hook: Option<Arc<dyn OnExit>>,
    pub(super) program: Option<Arc<dyn Program>>,
    pub(super) _remains: Chain,
    pub(super) _funeral: Chain,
}

impl Leftovers {
    /// Whether this is the first time that there was anything.
    pub(in crate::child) fn are_first(&self) -> bool {
        self.program.is_some()
    }

    /// Waits until the owner has been told of all ends, and drops the rest.
    pub(in crate::child) fn settle(mut self, record: &Record) {
        if let Some(deputy) = self.deputy.take() {
            Deputy::join(deputy);
        }
        let (Some(hook), Some(exit)) = (self.hook.take(), self.untold.take()) else {
            return;
        };
        let mut errand = Some(Errand::Tell(hook, exit));
        match Deputy::send(record.name(), &record.watch, &mut errand) {
            Ok(deputy) => Deputy::join(deputy),
            Err(_) => pr_warn!(
                "child {} ({}): its owner misses an end\n",
                record.id,
                record.name()
            ),
        }
    }
}
