// SPDX-License-Identifier: GPL-2.0

//! The same data behind every primitive that can guard it: which one is the fastest for so many
//! bytes, so many that read, and so much time inside.
#![deny(unsafe_code)]

use super::{
    race::{self, Racer, Rules, Spin},
    record::{self, Record},
    shared, Run,
};
use kernel::{prelude::*, sync::Arc};

type Make = fn() -> Result<Arc<dyn Racer>>;

/// What guards, and how it is made with data of each of the [`SIZES`] inside.
struct Guardian {
    name: &'static str,
    make: [Make; 3],
}

/// Bytes.
const SIZES: [usize; 3] = [8, 64, 256];

macro_rules! guardians {
    ($($name:ident),*) => {
        &[$(Guardian {
            name: stringify!($name),
            make: [shared::$name::<1>, shared::$name::<8>, shared::$name::<32>],
        }),*]
    };
}

static GUARDIANS: &[Guardian] = guardians![
    spinlock,
    spinlock_bh,
    spinlock_irq,
    raw_spinlock,
    raw_spinlock_irq,
    resilient,
    resilient_irq,
    rwlock,
    rwlock_bh,
    rwlock_irq,
    mutex,
    semaphore,
    rwsem,
    percpu_rwsem,
    seqlock,
    seqlock_bh,
    seqlock_irq,
    rcu_pointer
];

/// Which points there are.
struct Grid {
    sizes: &'static [usize],
    reads: &'static [u32],
    holds: &'static [u64],
    repeats: usize,
    ms: u32,
}

static FULL: Grid = Grid {
    sizes: &SIZES,
    reads: &[0, 50, 90, 95, 99],
    holds: &[0, 1_000],
    repeats: 3,
    ms: 40,
};
static QUICK: Grid = Grid {
    sizes: &[64],
    reads: &[0, 50, 95],
    holds: &[0, 1_000],
    repeats: 1,
    ms: 12,
};

fn grid(run: &Run<'_, '_>) -> &'static Grid {
    if run.quick {
        &QUICK
    } else {
        &FULL
    }
}

/// How many records [`measure`] writes.
pub(super) fn figures(run: &Run<'_, '_>) -> usize {
    if !run.has_curves() {
        return 0;
    }
    let grid = grid(run);
    let points = grid.sizes.len() * grid.reads.len() * grid.holds.len();
    GUARDIANS.len() * points * race::one_and_all().count() * grid.repeats
}

/// Measures all points. The guardians take turns, so that what drifts favours none.
pub(super) fn measure(run: &mut Run<'_, '_>) {
    if !run.has_curves() {
        return;
    }
    let grid = grid(run);
    let spin = Spin::measure();
    for &size in grid.sizes {
        for &read in grid.reads {
            for &hold in grid.holds {
                for cpus in race::one_and_all() {
                    let rules = Rules {
                        cpus,
                        read,
                        hold: spin.loops(hold),
                        ms: grid.ms,
                        handover: false,
                    };
                    for _ in 0..grid.repeats {
                        for guardian in GUARDIANS {
                            if run.ctx.should_stop() {
                                return;
                            }
                            if let Err(why) = point(run, guardian, size, rules, hold) {
                                run.skip(guardian.name, why);
                            }
                        }
                    }
                }
            }
        }
    }
}

fn point(
    run: &mut Run<'_, '_>,
    guardian: &Guardian,
    size: usize,
    rules: Rules,
    hold: u64,
) -> Result {
    let sizes = SIZES.iter().zip(&guardian.make);
    let make = sizes.filter(|(its, _)| **its == size).map(|(_, make)| make);
    let racer = (make.last().ok_or(EINVAL)?)()?;
    let outcome = race::race(run, racer, rules)?;
    record::write(&Record::Point {
        curve: "guarded",
        fields: fmt!(
            "\"primitive\":\"{}\",\"side\":\"rust\",\"size\":{size},\"read\":{},\"hold\":{hold},\
             \"cpus\":{},\"ns\":{},\"ops\":{}",
            guardian.name,
            rules.read,
            rules.cpus,
            outcome.ns,
            outcome.ops()
        ),
    });
    Ok(())
}
