// SPDX-License-Identifier: GPL-2.0

//! What an owner is told of the ends of its child, and when.

use super::{
    eventually,
    supervise::{comes_to, flag, stay, told, was_told, watched, Told},
    HOUR_MS, MODULE,
};
use childkernel::{
    child::{Builder, Context, End, Handle, Restart, State},
    new_completion,
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        new_mutex, Completion, Mutex,
    },
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta},
};

cases!(child_exits:
    exit_told_before_the_next,
    exit_slow_delays_its_own,
    exit_stop_meanwhile,
    exit_starts_by_hand,
    exit_told_when_dropped,
    exit_told_late_when_dropped,
    exit_waits_when_dropped,
);

/// A generation begins when its owner was told of the end of the one before.
fn exit_told_before_the_next() -> Result {
    let last = Arc::new(Atomic::<u32>::new(0), GFP_KERNEL)?;
    let (theirs, ours) = (last.clone(), last.clone());
    let child = Builder::new(&MODULE, c"in-turn")
        .restart(Restart::always().limit(64, HOUR_MS).backoff(0, 0))
        .on_exit(move |exit| {
            fsleep(Delta::from_millis(20));
            theirs.store(exit.identity().generation(), Release);
        })
        .spawn(move |ctx| {
            if ours.load(Acquire) + 1 != ctx.generation() {
                ctx.violation();
            }
            if ctx.generation() < 8 {
                return Ok(());
            }
            stay(ctx)
        })?;
    ensure!(eventually(|| child.record().generation() == 8));
    child.stop();
    ensure!(child.record().violations() == 0);
    ensure!(eventually(|| last.load(Acquire) == 8));
    Ok(())
}

/// A child that is told of nothing before this is so.
fn slow(name: &CStr, go: &Arc<Atomic<bool>>, told: &Told) -> Result<Handle> {
    let (go, told) = (go.clone(), told.clone());
    Builder::new(&MODULE, name)
        .restart(Restart::always().backoff(0, 0))
        .on_exit(move |exit| {
            eventually(|| go.load(Relaxed));
            let _ = told.lock().push(*exit, GFP_KERNEL);
        })
        .spawn(|ctx| match ctx.generation() {
            1 => Ok(()),
            _ => stay(ctx),
        })
}

fn exit_slow_delays_its_own() -> Result {
    let (go, late) = (flag()?, told()?);
    let child = slow(c"slow", &go, &late)?;
    ensure!(comes_to(&child, State::Stopped));
    let told = told()?;
    let other = watched(c"quick", Restart::always().limit(3, HOUR_MS), &told).spawn(|_| Ok(()))?;
    ensure!(other.record().wait()? == End::Returned);
    ensure!(was_told(&told, &[End::Returned; 4]));
    let first = child.record().generation() == 1 && child.record().state() == State::Stopped;
    go.store(true, Relaxed);
    ensure!(first && eventually(|| child.record().restarts() == 1));
    ensure!(was_told(&late, &[End::Returned]));
    Ok(())
}

/// A child that is stopped while its owner is told of an end is not started again.
fn exit_stop_meanwhile() -> Result {
    let (go, told) = (flag()?, told()?);
    let child = slow(c"slow", &go, &told)?;
    ensure!(comes_to(&child, State::Stopped));
    child.stop();
    let limited = child.record().wait_timeout(Context::jiffies(50));
    go.store(true, Relaxed);
    ensure!(limited == Err(ETIMEDOUT));
    ensure!(child.record().wait()? == End::Returned);
    ensure!(child.record().generation() == 1 && child.record().transitions() == 2);
    Ok(())
}

/// Who is told of an end may start the child again.
fn exit_starts_by_hand() -> Result {
    let slot: Arc<Mutex<Option<Arc<Handle>>>> =
        Arc::pin_init(new_mutex!(None, "test_slot"), GFP_KERNEL)?;
    let started = flag()?;
    let (theirs, done, begin) = (slot.clone(), started.clone(), flag()?);
    let go = begin.clone();
    let child = Builder::new(&MODULE, c"by-hand")
        .on_exit(move |exit| {
            if exit.identity().generation() == 1 {
                let child = theirs.lock().clone();
                let fine = child.is_some_and(|child| child.restart().is_ok());
                done.store(fine, Relaxed);
            }
        })
        .spawn(move |ctx| {
            while !ctx.should_stop() && !(ctx.generation() == 1 && go.load(Relaxed)) {
                ctx.sleep(5);
            }
            Ok(())
        })?;
    let child = Arc::new(child, GFP_KERNEL)?;
    *slot.lock() = Some(child.clone());
    begin.store(true, Relaxed);
    let again = eventually(|| started.load(Relaxed));
    // It owned itself.
    drop(slot.lock().take());
    ensure!(again && child.record().generation() == 2 && child.record().restarts() == 0);
    ensure!(child.record().state() == State::Running);
    Ok(())
}

/// However soon after an end the handle goes, the owner is told of it before it has gone.
fn exit_told_when_dropped() -> Result {
    for n in 0..30 {
        let told = told()?;
        let child = watched(c"brief", Restart::NEVER, &told).spawn(stay)?;
        if n % 2 == 0 {
            child.stop();
        }
        drop(child);
        ensure!(told.lock().len() == 1);
    }
    Ok(())
}

/// So it is if it is still being told of the end before.
fn exit_told_late_when_dropped() -> Result {
    let (go, told) = (flag()?, told()?);
    let child = slow(c"slow", &go, &told)?;
    ensure!(comes_to(&child, State::Stopped));
    child.restart()?;
    child.stop();
    ensure!(child.record().generation() == 2 && told.lock().is_empty());
    go.store(true, Relaxed);
    drop(child);
    ensure!(told.lock().len() == 2 && was_told(&told, &[End::Returned; 2]));
    Ok(())
}

/// Who is told of the last end may wait as well: it is waited for, and not asked to stop.
fn exit_waits_when_dropped() -> Result {
    let never = Arc::<Completion>::pin_init(new_completion!("test_never"), GFP_KERNEL)?;
    let said = Arc::new(Atomic::<i32>::new(0), GFP_KERNEL)?;
    let theirs = said.clone();
    let child = Builder::new(&MODULE, c"patient")
        .on_exit(move |_| {
            let waited = never.wait_interruptible_timeout(Context::jiffies(200));
            theirs.store(waited.err().map_or(1, Error::to_errno), Relaxed);
        })
        .spawn(stay)?;
    drop(child);
    ensure!(said.load(Relaxed) == ETIMEDOUT.to_errno());
    Ok(())
}
