// SPDX-License-Identifier: GPL-2.0

//! Barriers.

use super::{
    atomic::{both, is_caught},
    cpus::has_two,
};
use childkernel::sync::{
    atomic::{Acquire, Atomic, Relaxed, Release},
    barrier::{
        barrier, smp_mb, smp_mb_after_atomic, smp_mb_before_atomic, Full as All, Read, Write,
    },
};
use kernel::{prelude::*, sync::Arc};

cases!(sync_barrier:
    barrier_message_passing,
    barrier_store_buffering,
);

#[derive(Clone, Copy)]
enum Passing {
    Barriers,
    AcquireRelease,
    AroundAtomic,
}

/// Who sees that the flag has come to some number sees data at least as new.
fn barrier_message_passing() -> Result {
    // How often the flag is to be seen at a new number: with one CPU once in a time slice.
    let often = if has_two()? { 20_000 } else { 20 };
    for passing in [
        Passing::Barriers,
        Passing::AcquireRelease,
        Passing::AroundAtomic,
    ] {
        let cells = [const { Atomic::<u64>::new(0) }; 2];
        let over = Atomic::<bool>::new(false);
        let cells = Arc::new((cells, over), GFP_KERNEL)?;
        ensure!(both(move |ctx, which| {
            let ([data, flag], over) = &*cells;
            if which == 0 {
                let mut n = 0;
                while !over.load(Relaxed) {
                    n += 1;
                    data.store(n, Relaxed);
                    match passing {
                        Passing::Barriers => {
                            smp_mb(Write);
                            flag.store(n, Relaxed);
                        }
                        Passing::AcquireRelease => flag.store(n, Release),
                        Passing::AroundAtomic => {
                            smp_mb_before_atomic();
                            flag.add(1, Relaxed);
                        }
                    }
                    if ctx.should_stop() {
                        return Err(EINTR);
                    }
                }
                return Ok(());
            }
            let (mut last, mut seen) = (0, 0);
            while seen < often {
                let said = match passing {
                    Passing::AcquireRelease => flag.load(Acquire),
                    _ => flag.load(Relaxed),
                };
                match passing {
                    Passing::Barriers => smp_mb(Read),
                    Passing::AcquireRelease => (),
                    Passing::AroundAtomic => smp_mb(All),
                }
                let stale = data.load(Relaxed) < said;
                seen += u32::from(said != last);
                last = said;
                if stale || ctx.should_stop() {
                    over.store(true, Relaxed);
                    return Err(EILSEQ);
                }
            }
            over.store(true, Relaxed);
            Ok(())
        })?);
    }
    Ok(())
}

/// What two children share that each say something and look whether the other has.
struct Buffering {
    said: [Atomic<u64>; 2],
    /// For each the round that is over, doubled, and whether it missed the other then.
    missed: [Atomic<u64>; 2],
    both_missed: Atomic<u64>,
}

/// Has two children meet in so many rounds, and returns how often they found that both had missed the
/// other.
fn buffering(rounds: u64, order: fn(&Atomic<u64>, u64)) -> Result<u64> {
    let shared = Arc::new(
        Buffering {
            said: [const { Atomic::new(0) }; 2],
            missed: [const { Atomic::new(0) }; 2],
            both_missed: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    let same = shared.clone();
    let ended = both(move |ctx, which| {
        let [a, b] = &same.said;
        let (mine, other) = if which == 0 { (a, b) } else { (b, a) };
        let [a, b] = &same.missed;
        let (my_result, result) = if which == 0 { (a, b) } else { (b, a) };
        for round in 1..=rounds {
            order(mine, round);
            let missed = other.load(Relaxed) < round;
            my_result.store(round * 2 + u64::from(missed), Release);
            // The other's result of this round stays until it has seen ours.
            let theirs = loop {
                let theirs = result.load(Acquire);
                if theirs / 2 >= round {
                    break theirs;
                }
                barrier();
                if ctx.should_stop() {
                    return Err(EINTR);
                }
            };
            // It may be a round ahead, but then it has seen our result and counts.
            if missed && theirs == round * 2 + 1 {
                same.both_missed.add(1, Relaxed);
            }
        }
        Ok(())
    })?;
    if !ended {
        return Err(ETIMEDOUT);
    }
    Ok(shared.both_missed.load(Relaxed))
}

/// With a full barrier in between, two that speak and then look do not both miss the other.
fn barrier_store_buffering() -> Result {
    // Where they have to take turns a round lasts as long as a time slice.
    let rounds = if has_two()? { 2_000 } else { 20 };
    let missed = buffering(rounds, |mine, round| {
        mine.store(round, Relaxed);
        smp_mb(All);
    })?;
    ensure!(missed == 0);
    let missed = buffering(rounds, |mine, _| {
        mine.add(1, Relaxed);
        smp_mb_after_atomic();
    })?;
    ensure!(missed == 0);

    // The broken twin: a release store orders what is before it, and no load behind it. With KASAN
    // the load is behind a call as well, which takes long enough for the store to be seen.
    if cfg!(CONFIG_KASAN) {
        return Ok(());
    }
    ensure!(is_caught(|| {
        let missed = buffering(500, |mine, round| mine.store(round, Release))?;
        Ok(missed > 0)
    })?);
    Ok(())
}
