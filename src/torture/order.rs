// SPDX-License-Identifier: GPL-2.0

//! Two resilient locks: their own wait says what is a deadlock, and nothing else is one.
#![deny(unsafe_code)]

use super::{
    actor::Actor,
    outcome::Wrong,
    witness::Witness,
    Contexts::Process,
    Entry,
    Mistake::{Abba, Twice},
    Setup, Subject,
};
use crate::sync::{resilient::ResilientGuard, ResilientSpinLock};
use kernel::{prelude::*, sync::Arc};

#[pin_data]
struct Two {
    #[pin]
    first: ResilientSpinLock<()>,
    #[pin]
    second: ResilientSpinLock<()>,
    witnesses: [Witness; 2],
}

impl Two {
    fn make(_: &Setup) -> Result<Arc<dyn Subject>> {
        let subject = Arc::pin_init(
            pin_init!(Self {
                first <- ResilientSpinLock::new(()),
                second <- ResilientSpinLock::new(()),
                witnesses: [const { Witness::new() }; 2],
            }),
            GFP_KERNEL,
        )?;
        Ok(subject)
    }

    fn take<'a>(
        actor: &mut Actor<'_>,
        lock: &'a ResilientSpinLock<()>,
    ) -> Option<ResilientGuard<'a, ()>> {
        match actor.wait(|_| lock.lock()) {
            Ok(guard) => Some(guard),
            Err(why) => {
                // A machine that is busy elsewhere is no deadlock.
                actor.check(why != EDEADLK, Wrong::Deadlock);
                None
            }
        }
    }
}

impl Subject for Two {
    fn act(&self, actor: &mut Actor<'_>) {
        let [one, other] = &self.witnesses;
        let (outer, inner) = match actor.errs(Abba) {
            true => (&self.second, &self.first),
            false => (&self.first, &self.second),
        };
        let Some(held) = Self::take(actor, outer) else {
            return;
        };
        actor.pause();
        if actor.errs(Twice) {
            drop(Self::take(actor, outer));
        }
        if let Some(both) = Self::take(actor, inner) {
            one.write(actor, false);
            other.write(actor, false);
            drop(both);
        }
        drop(held);
    }

    fn settle(&self, actor: &mut Actor<'_>) {
        for witness in &self.witnesses {
            witness.settle(actor);
        }
    }
}

/// All of them.
pub(super) static ENTRIES: &[Entry] = &[Entry {
    name: "resilient_order",
    contexts: Process,
    spins: true,
    twins: &[Twice, Abba],
    make: Two::make,
}];
