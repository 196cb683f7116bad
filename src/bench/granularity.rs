// SPDX-License-Identifier: GPL-2.0

//! One lock for a whole hash table, or several for its parts: what is gained by how many.
#![deny(unsafe_code)]

use super::{
    race::{self, Racer, Rules},
    record::{self, Record},
    table, Run,
};
use kernel::{prelude::*, sync::Arc};

/// How many operations in 100 change nothing.
const READ: u32 = 80;

struct Grid {
    locks: &'static [usize],
    repeats: usize,
    ms: u32,
}

static FULL: Grid = Grid {
    locks: &[1, 2, 4, 8, 16, 32, 64, 128, table::BUCKETS],
    repeats: 3,
    ms: 50,
};
static QUICK: Grid = Grid {
    locks: &[1, 4, 16, table::BUCKETS],
    repeats: 1,
    ms: 20,
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
    grid.locks.len() * race::one_and_all().count() * grid.repeats * 2
}

/// Measures all points.
pub(super) fn measure(run: &mut Run<'_, '_>) {
    if !run.has_curves() {
        return;
    }
    let grid = grid(run);
    for &locks in grid.locks {
        let sides = table::sides(locks);
        for cpus in race::one_and_all() {
            for repeat in 0..grid.repeats * 2 {
                if run.ctx.should_stop() {
                    return;
                }
                // Rust, C, C, Rust, ...
                let side = usize::from(repeat % 4 == 1 || repeat % 4 == 2);
                let rules = Rules {
                    cpus,
                    read: READ,
                    hold: 0,
                    ms: grid.ms,
                    handover: false,
                };
                let went = match &sides {
                    Ok(sides) => point(run, locks, sides.get(side), rules),
                    Err(why) => Err(*why),
                };
                if let Err(why) = went {
                    run.skip("table", why);
                }
            }
        }
    }
}

fn point(
    run: &mut Run<'_, '_>,
    locks: usize,
    side: Option<&(&'static str, Arc<dyn Racer>)>,
    rules: Rules,
) -> Result {
    let (side, racer) = side.ok_or(EINVAL)?;
    let outcome = race::race(run, racer.clone(), rules)?;
    record::write(&Record::Point {
        curve: "granularity",
        fields: fmt!(
            "\"buckets\":{locks},\"side\":\"{side}\",\"cpus\":{},\"ns\":{},\"ops\":{}",
            rules.cpus,
            outcome.ns,
            outcome.ops()
        ),
    });
    Ok(())
}
