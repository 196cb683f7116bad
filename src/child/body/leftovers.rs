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
            join(deputy, record);
        }
        let (Some(hook), Some(exit)) = (self.hook.take(), self.untold.take()) else {
            return;
        };
        let mut errand = Some(Errand::Tell(hook, exit));
        match Deputy::send(record.name(), &record.watch, &mut errand) {
            Ok(deputy) => join(deputy, record),
            // No thread can be made for it, so this one does it: its module is here as long.
            Err(_) => {
                if let Some(Errand::Tell(hook, exit)) = errand {
                    hook.call(&exit);
                }
            }
        }
    }
}

fn join(deputy: Thread<Deputy>, record: &Record) {
    if !Deputy::join(deputy) {
        has_died(record);
    }
}

/// The owner's code has died in a deputy.
pub(super) fn has_died(record: &Record) {
    record.watch.budget.count_oopses(1);
    pr_warn!(
        "code of {} has crashed at the end of child {}\n",
        record.owner(),
        record.id
    );
}
