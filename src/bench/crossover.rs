// SPDX-License-Identifier: GPL-2.0

//! From which hold time on it is better to sleep than to spin, beside what a context switch costs.
#![deny(unsafe_code)]

use super::{
    ffi,
    pair::ROUNDS_MAX,
    race::{self, Racer, Rules, Spin},
    record::{self, Record},
    shared, Run,
};
use crate::{
    child::{Builder, Context},
    new_completion,
    sync::{
        atomic::{Atomic, Relaxed},
        new_mutex, Completion, Mutex,
    },
};
use kernel::{prelude::*, sync::Arc};

const HOLDS: [u64; 11] = [
    0, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000,
];

/// How often each point is measured, and for how long.
fn effort(run: &Run<'_, '_>) -> (usize, u32) {
    if run.quick {
        (1, 20)
    } else {
        (3, 50)
    }
}

/// How many records [`measure`] writes.
pub(super) fn figures(run: &Run<'_, '_>) -> usize {
    if !run.has_curves() {
        return 0;
    }
    HOLDS.len() * effort(run).0 + 1
}

/// Measures all points.
pub(super) fn measure(run: &mut Run<'_, '_>) {
    if !run.has_curves() {
        return;
    }
    if let Err(why) = context_switch(run) {
        run.skip("context_switch", why);
    }

    let spin = Spin::measure();
    let (repeats, ms) = effort(run);
    for hold in HOLDS {
        let sides = shared::spinlock::<1>().and_then(|spin| Ok((spin, shared::mutex::<1>()?)));
        for repeat in 0..repeats {
            if run.ctx.should_stop() {
                return;
            }
            let rules = Rules {
                cpus: race::all_cpus(),
                read: 0,
                hold: spin.loops(hold),
                ms,
                handover: false,
            };
            let went = match &sides {
                Ok(sides) => point(run, sides, rules, hold, repeat),
                Err(why) => Err(*why),
            };
            if let Err(why) = went {
                run.skip("crossover", why);
            }
        }
    }
}

/// Both for the same time, as one record has them.
fn point(
    run: &mut Run<'_, '_>,
    (spinlock, mutex): &(Arc<dyn Racer>, Arc<dyn Racer>),
    rules: Rules,
    hold: u64,
    repeat: usize,
) -> Result {
    let mut of = |racer: &Arc<dyn Racer>| race::race(run, racer.clone(), rules);
    let (spinning, sleeping) = if repeat % 2 == 0 {
        let spinning = of(spinlock)?;
        (spinning, of(mutex)?)
    } else {
        let sleeping = of(mutex)?;
        (of(spinlock)?, sleeping)
    };
    // As if both had taken as long as the spinlock did.
    let ns = spinning.ns.max(1);
    let ops = sleeping.ops().saturating_mul(ns);
    let ops = ops.checked_div(sleeping.ns).unwrap_or(0);
    record::write(&Record::Point {
        curve: "crossover",
        fields: fmt!(
            "\"hold\":{hold},\"cpus\":{},\"spinlock\":{},\"mutex\":{ops},\"ns\":{ns}",
            rules.cpus,
            spinning.ops()
        ),
    });
    Ok(())
}

/// Where two threads hand over to each other.
#[pin_data]
struct Court {
    #[pin]
    first: Completion,
    #[pin]
    second: Completion,
    /// What each round took; once it is over.
    #[pin]
    took: Mutex<[u64; ROUNDS_MAX]>,
    /// Both are, and what they say.
    #[pin]
    over: Completion,
    failed: Atomic<i32>,
}

/// There and back, in a round.
const TIMES: u64 = 500;

/// Each wakes the other and goes to sleep. The first thread times its rounds; the first of these is
/// for nothing.
fn hand_over(court: &Court, ctx: &mut Context<'_>) -> Result {
    let first = ctx.index() == 0;
    for round in 0..=ROUNDS_MAX {
        let begin = ffi::time();
        for _ in 0..TIMES {
            if first {
                court.second.complete();
                court.first.wait_interruptible()?;
            } else {
                court.second.wait_interruptible()?;
                court.first.complete();
            }
        }
        let now = ffi::time().saturating_sub(begin);
        if let (true, Some(at)) = (first, round.checked_sub(1)) {
            if let Some(took) = court.took.lock().get_mut(at) {
                *took = now;
            }
        }
    }
    Ok(())
}

/// Has them hand over on one CPU, and writes what half of there and back took.
fn context_switch(run: &mut Run<'_, '_>) -> Result {
    let cpus = race::cpus(1)?;
    let court = Arc::pin_init::<Error>(
        try_pin_init!(Court {
            first <- new_completion!("childkernel_bench_first"),
            second <- new_completion!("childkernel_bench_second"),
            took <- new_mutex!([0; ROUNDS_MAX], "childkernel_bench_took"),
            over <- new_completion!("childkernel_bench_over"),
            failed: Atomic::new(0),
        }),
        GFP_KERNEL,
    )?;
    let their = court.clone();
    let child = Builder::new(run.module, c"bench-switch")
        .threads(2)
        .cpus(&cpus)
        .spawn(move |ctx| {
            let done = hand_over(&their, ctx);
            if let Err(why) = done {
                their.failed.store(why.to_errno(), Relaxed);
            }
            their.over.complete();
            done
        })?;
    for _ in 0..2 {
        court.over.wait_interruptible()?;
    }
    drop(child);
    if court.failed.load(Relaxed) != 0 {
        return Err(Error::from_errno(court.failed.load(Relaxed)));
    }
    record::write(&Record::Floor {
        name: "context_switch",
        ops: TIMES * 2,
        rounds: &*court.took.lock(),
    });
    Ok(())
}
