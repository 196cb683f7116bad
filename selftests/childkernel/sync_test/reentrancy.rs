// SPDX-License-Identifier: GPL-2.0

//! A function that uses nothing but its locals needs no lock, however many run it at once.

use super::{eventually, MODULE};
use childkernel::{
    child::{Builder, Context, State},
    sync::atomic::{Atomic, Full, Relaxed},
};
use core::cell::Cell;
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::udelay, Delta},
};

cases!(sync_reentrancy:
    reentrancy_locals_agree,
    reentrancy_static_is_caught,
);

const CHILDREN: usize = 8;
const ROUNDS: u64 = 2000;

/// Where the function keeps its state.
trait Slot {
    fn get(&self) -> u64;
    fn set(&self, value: u64);
}

impl Slot for Cell<u64> {
    fn get(&self) -> u64 {
        Cell::get(self)
    }

    fn set(&self, value: u64) {
        Cell::set(self, value);
    }
}

impl Slot for Atomic<u64> {
    fn get(&self) -> u64 {
        self.load(Relaxed)
    }

    fn set(&self, value: u64) {
        self.store(value, Relaxed);
    }
}

/// The broken twin's: one for all.
static SHARED: Atomic<u64> = Atomic::new(0);

/// A checksum of many steps, each of which needs what the one before it has left. `between` is
/// called now and then, so that others get in between on a machine with one CPU too.
fn checksum(state: &impl Slot, seed: u64, between: impl Fn()) -> u64 {
    state.set(seed);
    for round in 0..ROUNDS {
        let mixed = (state.get() ^ round).wrapping_mul(0x0000_0100_0000_01b3);
        state.set(mixed.rotate_left(13));
        if round % 512 == 0 {
            between();
        }
    }
    state.get()
}

/// Runs it in all children at once and returns how many of them got what it gives alone.
fn agree(run: fn(u64, &Context<'_>) -> u64) -> Result<usize> {
    struct Results {
        began: Atomic<u32>,
        each: [Atomic<u64>; CHILDREN],
    }
    let results = Arc::new(
        Results {
            began: Atomic::new(0),
            each: [const { Atomic::new(0) }; CHILDREN],
        },
        GFP_KERNEL,
    )?;
    let theirs = results.clone();
    let child = Builder::new(&MODULE, c"reentrant")
        .threads(CHILDREN)
        .spawn(move |ctx| {
            let result = theirs.each.get(ctx.index()).ok_or(EINVAL)?;
            theirs.began.fetch_add(1, Full);
            // All at once.
            while (theirs.began.load(Relaxed) as usize) < CHILDREN {
                if ctx.should_stop() {
                    return Err(EINTR);
                }
                udelay(Delta::from_micros(1));
            }
            result.store(run(ctx.index() as u64, ctx), Relaxed);
            Ok(())
        })?;
    ensure!(eventually(|| child.record().state() == State::Stopped));
    ensure!(child.record().error().is_none());
    let expected = |seed| checksum(&Cell::new(0), seed, || ());
    let right = results.each.iter().enumerate();
    Ok(right
        .filter(|(seed, result)| result.load(Relaxed) == expected(*seed as u64))
        .count())
}

fn reentrancy_locals_agree() -> Result {
    let right = agree(|seed, ctx| checksum(&Cell::new(0), seed, || ctx.sleep(1)))?;
    ensure!(right == CHILDREN);
    Ok(())
}

fn reentrancy_static_is_caught() -> Result {
    let right = agree(|seed, ctx| checksum(&SHARED, seed, || ctx.sleep(1)))?;
    ensure!(right < CHILDREN);
    pr_info!("a static in a function that {CHILDREN} run: {right} of them are right\n");
    Ok(())
}
