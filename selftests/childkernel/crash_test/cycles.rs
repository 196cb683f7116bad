// SPDX-License-Identifier: GPL-2.0

//! Again and again: what a child owns is given back each time.
//!
//! For the script, which looks at the machine before and after.

use super::{cell::Kind, eventually, spawn, HOUR_MS, MODULE};
use childkernel::{
    child::{Builder, Restart, State},
    sync::atomic::{Acquire, Atomic, Full},
};
use core::mem::forget;
use kernel::{prelude::*, sync::Arc};

list_cases!("alone":
    cycles_error,
    cycles_crash,
    cycles_budget,
    cycles_forgotten,
);

/// Counts those that are alive.
struct Alive(Arc<Atomic<u32>>);

impl Alive {
    fn new(count: &Arc<Atomic<u32>>) -> Self {
        count.fetch_add(1, Full);
        Self(count.clone())
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Full);
    }
}

/// A child fails `times` times with what it owns, and then does not: nothing has grown.
fn cycles(times: u32, kind: Kind) -> Result {
    let alive = Arc::new(Atomic::new(0), GFP_KERNEL)?;
    let made = alive.clone();
    let seen = alive.clone();
    let child = Builder::new(&MODULE, c"crash")
        .memory(1 << 16)
        .mailbox::<Alive>(4)
        .restart(Restart::on_crash().limit(64, 0).backoff(1, 1))
        .spawn_with(
            move || Ok(Alive::new(&made)),
            move |ctx, _state| {
                // What the last one owned was dropped before this.
                if seen.load(Acquire) != 1 || ctx.arena().meter().current() != 0 {
                    ctx.violation();
                }
                let _boxed = ctx.arena().slice(1000, 1u64, GFP_KERNEL)?;
                ctx.arena().alloc(1u64, GFP_KERNEL)?.leak();
                ctx.add_ops(1);
                if ctx.generation() <= times {
                    return kind.fail();
                }
                while !ctx.should_stop() {
                    ctx.sleep(HOUR_MS);
                }
                Ok(())
            },
        )?;
    let record = child.record();
    let mut last = 0;
    // As long as it gets on.
    while record.ops() <= u64::from(times) {
        ensure!(eventually(|| record.ops() > last));
        last = record.ops();
    }
    ensure!(eventually(
        || record.generation() == times + 1 && record.state() == State::Running
    ));
    ensure!(record.restarts() == u64::from(times));
    ensure!(record.violations() == 0);
    ensure!(record.crashes() == if kind.is_crash() { u64::from(times) } else { 0 });
    let memory = record.memory();
    // One generation's, and never more.
    ensure!(memory.current() == memory.peak() && memory.failures() == 0);
    child.stop();
    ensure!(record.state() == State::Stopped && memory.current() == 0);
    ensure!(alive.load(Acquire) == 0);
    // For each: crashed or stopped, backoff, spawning, running.
    ensure!(record.transitions() == 4 * u64::from(times) + 3);
    Ok(())
}

fn cycles_error() -> Result {
    cycles(200, Kind::Error)
}

fn cycles_crash() -> Result {
    cycles(30, Kind::Panic)
}

/// With `oops_budget=3`: the third oops is the last that is followed by a restart, but errors
/// still are, and so is an order by hand.
fn cycles_budget() -> Result {
    let child = Builder::new(&MODULE, c"crash")
        .restart(Restart::on_crash().limit(64, 0).backoff(1, 1))
        .spawn(|ctx| match ctx.generation() {
            4 => Err(EIO),
            _ => Kind::Panic.fail(),
        })?;
    let record = child.record();
    ensure!(eventually(|| record.state() == State::Failed));
    ensure!(record.crashes() == 3 && record.restarts() == 2 && record.generation() == 3);
    // By hand: an error, which is restarted, and then the fourth oops, which is not.
    child.restart()?;
    ensure!(eventually(|| record.state() == State::Failed));
    ensure!(record.generation() == 5 && record.restarts() == 3 && record.crashes() == 4);
    // Nor of any other child.
    let other = Builder::new(&MODULE, c"crash")
        .restart(Restart::on_crash().limit(64, 0).backoff(1, 1))
        .spawn(|_| Kind::Bug.fail())?;
    ensure!(eventually(|| other.record().state() == State::Failed));
    ensure!(other.record().restarts() == 0);
    Ok(())
}

/// Children that their owner forgets: one that died, one that waits for its next generation,
/// one whose restarts are used up, and one that runs. All go with the module.
fn cycles_forgotten() -> Result {
    // One after the other: oopses at the same time can not be told apart in the log.
    let died = spawn(c"crash", |_| Kind::Null.fail())?;
    ensure!(eventually(|| died.record().state() == State::Crashed));
    let waits = Builder::new(&MODULE, c"crash")
        .restart(Restart::on_crash().backoff(HOUR_MS, HOUR_MS))
        .spawn(|_| Kind::Panic.fail())?;
    ensure!(eventually(|| waits.record().state() == State::Backoff));
    let failed = Builder::new(&MODULE, c"crash")
        .restart(Restart::on_crash().limit(0, HOUR_MS))
        .spawn(|_| Kind::Bug.fail())?;
    ensure!(eventually(|| failed.record().state() == State::Failed));
    let runs = spawn(c"runs", |ctx| {
        while !ctx.should_stop() {
            ctx.sleep(HOUR_MS);
        }
        Ok(())
    })?;
    for child in [died, waits, failed, runs] {
        forget(child);
    }
    Ok(())
}
