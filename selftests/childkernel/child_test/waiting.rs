// SPDX-License-Identifier: GPL-2.0

//! What the parent says of a child before it runs, and how it waits for its end.

use super::{a_while, is_done, spawn, MODULE};
use childkernel::{
    child::{Builder, Context, End, State},
    sync::atomic::{Atomic, Relaxed},
};
use kernel::{prelude::*, sync::Arc};

cases!(child_waiting:
    wait_returned,
    wait_failed,
    wait_limit,
    wait_next_generation,
    wait_stopped,
    nice_out_of_range,
);

/// A wait goes on until the child has ended, and says how; again and at once when it has.
fn wait_returned() -> Result {
    let go = Arc::new(Atomic::<bool>::new(false), GFP_KERNEL)?;
    let theirs = go.clone();
    let child = Arc::new(
        spawn(c"returns", move |ctx| {
            while !ctx.should_stop() && !theirs.load(Relaxed) {
                ctx.sleep(2);
            }
            Ok(())
        })?,
        GFP_KERNEL,
    )?;
    let other = child.clone();
    let ended = Arc::new(Atomic::<bool>::new(false), GFP_KERNEL)?;
    let flag = ended.clone();
    let waiter = spawn(c"waiter", move |_| {
        let end = other.record().wait()?;
        flag.store(end == End::Returned, Relaxed);
        Ok(())
    })?;
    a_while();
    let waited = waiter.record().state() == State::Running && !ended.load(Relaxed);
    go.store(true, Relaxed);
    ensure!(is_done(&waiter));
    ensure!(waited && ended.load(Relaxed));
    ensure!(child.record().wait()? == End::Returned);
    Ok(())
}

fn wait_failed() -> Result {
    let child = spawn(c"fails", |_| Err(EIO))?;
    ensure!(child.record().wait()? == End::Failed(EIO));
    Ok(())
}

fn wait_limit() -> Result {
    let child = spawn(c"stays", |ctx| {
        while !ctx.should_stop() {
            ctx.sleep(5);
        }
        Ok(())
    })?;
    let limited = child.record().wait_timeout(Context::jiffies(20));
    ensure!(limited == Err(ETIMEDOUT));
    child.stop();
    let ended = child.record().wait_timeout(Context::jiffies(20_000));
    ensure!(ended == Ok(End::Returned));
    Ok(())
}

/// What one generation has left does not end a wait for the next.
fn wait_next_generation() -> Result {
    let fail = Arc::new(Atomic::<bool>::new(true), GFP_KERNEL)?;
    let theirs = fail.clone();
    let child = spawn(c"twice", move |ctx| {
        if theirs.load(Relaxed) {
            return Err(EIO);
        }
        while !ctx.should_stop() {
            ctx.sleep(5);
        }
        Ok(())
    })?;
    ensure!(child.record().wait()? == End::Failed(EIO));
    fail.store(false, Relaxed);
    child.restart()?;
    let limited = child.record().wait_timeout(Context::jiffies(50));
    ensure!(limited == Err(ETIMEDOUT));
    child.stop();
    ensure!(child.record().wait()? == End::Returned);
    Ok(())
}

/// A child that waits for another's end can be stopped.
fn wait_stopped() -> Result {
    let stays = Arc::new(
        spawn(c"stays", |ctx| {
            while !ctx.should_stop() {
                ctx.sleep(5);
            }
            Ok(())
        })?,
        GFP_KERNEL,
    )?;
    let other = stays.clone();
    let waiter = spawn(c"waiter", move |_| other.record().wait().map(drop))?;
    a_while();
    waiter.stop();
    ensure!(waiter.record().wait()? == End::Failed(ERESTARTSYS));
    ensure!(stays.record().state() == State::Running);
    Ok(())
}

fn nice_out_of_range() -> Result {
    for nice in [-21, 20, i32::MAX, i32::MIN] {
        let refused = Builder::new(&MODULE, c"nice").nice(nice).spawn(|_| Ok(()));
        ensure!(refused.err() == Some(EINVAL));
    }
    for nice in [-20, 19] {
        let child = Builder::new(&MODULE, c"nice")
            .nice(nice)
            .spawn(|_| Ok(()))?;
        ensure!(child.record().wait()? == End::Returned);
    }
    Ok(())
}
