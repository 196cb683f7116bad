// SPDX-License-Identifier: GPL-2.0

//! How long a lock is nobody's, between one who leaves and the next one who waits for it.
//!
//! Each notes inside when it is about to leave; who gets in next, and asked before that, has
//! waited for it. Whether the lock went to one who spun or woke one who slept, what lies between is
//! the hand-over. Where who leaves takes it again, it was not handed over, and does not count.
#![deny(unsafe_code)]

use super::{
    contended::{self, Primitive, Sides},
    ffi::Subject,
    race::{self, Rules, Spin},
    record::{self, Record},
    Run,
};
use kernel::{prelude::*, sync::Arc};

/// Long enough for the next one to come and wait, in ns.
const HOLD: u64 = 1_000;

/// How often each point is measured, and for how many ms.
fn effort(run: &Run<'_, '_>) -> (usize, u32) {
    if run.quick {
        (1, 12)
    } else {
        (3, 50)
    }
}

/// What can be handed over.
fn locks() -> impl Iterator<Item = &'static Primitive> {
    contended::PRIMITIVES.iter().filter(|it| it.excludes)
}

/// Two CPUs, and all of them if there are more. One hands over to nobody.
fn numbers_of_cpus() -> impl Iterator<Item = usize> {
    let all = race::all_cpus();
    [2, all].into_iter().take(all.saturating_sub(1).min(2))
}

/// How many records [`measure`] writes.
pub(super) fn figures(run: &Run<'_, '_>) -> usize {
    if !run.has_curves() {
        return 0;
    }
    locks().count() * numbers_of_cpus().count() * effort(run).0 * 2
}

/// Measures all points.
pub(super) fn measure(run: &mut Run<'_, '_>) {
    if !run.has_curves() {
        return;
    }
    let (repeats, ms) = effort(run);
    let spin = Spin::measure();
    let subject = Subject::new().and_then(|subject| Ok(Arc::new(subject, GFP_KERNEL)?));
    for lock in locks() {
        let sides = subject
            .as_ref()
            .map_err(|why| *why)
            .and_then(|subject| contended::sides(lock, subject));
        for cpus in numbers_of_cpus() {
            let rules = Rules {
                cpus,
                read: 0,
                hold: spin.loops(HOLD),
                ms,
                handover: true,
            };
            for repeat in 0..repeats * 2 {
                if run.ctx.should_stop() {
                    return;
                }
                let went = match &sides {
                    Ok(sides) => point(run, lock, sides, rules, repeat),
                    Err(why) => Err(*why),
                };
                if let Err(why) = went {
                    run.skip(lock.name, why);
                }
            }
        }
    }
}

fn point(
    run: &mut Run<'_, '_>,
    lock: &Primitive,
    sides: &Sides,
    rules: Rules,
    repeat: usize,
) -> Result {
    let (side, racer) = contended::turn(sides, repeat)?;
    let outcome = race::race(run, racer.clone(), rules)?;
    let handed = &outcome.sum.handed;
    record::write(&Record::Point {
        curve: "handover",
        fields: fmt!(
            "\"primitive\":\"{}\",\"side\":\"{side}\",\"cpus\":{},\"hold\":{HOLD},\"times\":{},\
             \"mean\":{},\"handed\":{handed}",
            lock.name,
            rules.cpus,
            handed.count(),
            handed.mean()
        ),
    });
    Ok(())
}
