// SPDX-License-Identifier: GPL-2.0

//! Generations that do not end: kept apart, with the module whose code they run, until they do.
#![deny(unsafe_code)]

use super::{count_deaths, push, Body, Inside, NS_PER_MS};
use crate::child::{
    record::{End, Record},
    state::State,
};
use kernel::{prelude::*, sync::Arc};

/// How often the log says again for whom a module waits.
const REMIND_NS: i64 = 10_000 * NS_PER_MS;

impl Body {
    /// Gives up the present generation, which does not end.
    pub(super) fn give_up(&mut self, record: &Arc<Record>, token: &mut Inside<'_>) {
        let Some(pin) = self.new_pin() else {
            // Its owner is going, and so has to wait for it.
            self.remind(record);
            return;
        };
        let Some(mut live) = self.live.take() else {
            return;
        };
        let died = record.state() == State::Crashed;
        live.pin = Some(pin);
        live.run.abort();
        live.stop();
        push(&mut self.given_up, live);
        record.watch.budget.quarantine();
        record.transition(State::Quarantined);
        pr_warn!(
            "child {} ({}) does not end: in quarantine, and module {} stays\n",
            record.id,
            record.name(),
            record.owner()
        );
        let end = if died { End::Crashed(0) } else { End::Stuck };
        self.conclude(record, token, end);
    }

    /// Says for whom a module waits, now and then.
    pub(in crate::child) fn remind(&mut self, record: &Record) {
        let now = record.now();
        if self.reminded == 0 || now.saturating_sub(self.reminded) > REMIND_NS {
            self.reminded = now;
            pr_warn!(
                "module {} waits for child {} ({}), which does not end\n",
                record.owner(),
                record.id,
                record.name()
            );
        }
    }

    /// Looks at those in quarantine: they may have ended at last.
    pub(super) fn attend_given_up(&mut self, record: &Arc<Record>) {
        let mut chain = self.given_up.take();
        while let Some(mut generation) = chain {
            chain = generation.next.take();
            count_deaths(record, &generation);
            if !generation.has_exited() {
                push(&mut self.given_up, generation);
                continue;
            }
            generation.join();
            record.watch.budget.release();
            // One that another follows, or is about to, ends without a word.
            if record.state() == State::Quarantined {
                record.transition(State::Stopped);
            }
            pr_warn!(
                "child {} ({}): generation {} has left quarantine\n",
                record.id,
                record.name(),
                generation.life.number
            );
            if self.closed {
                push(&mut self.funeral, generation);
            } else {
                generation.pin = None;
                push(&mut self.remains, generation);
            }
        }
    }
}
