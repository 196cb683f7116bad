// SPDX-License-Identifier: GPL-2.0

//! Completions, and how a request to stop ends waits.

use super::{eventually, HOUR};
use childkernel::{
    child::{Builder, Context, State},
    new_completion,
    sync::Completion,
};
use kernel::{prelude::*, sync::Arc, ThisModule};

pub(crate) fn completion_counts(_: &'static ThisModule) -> Result {
    let done = KBox::pin_init(new_completion!("outsider_counts"), GFP_KERNEL)?;
    ensure!(!done.is_done());
    ensure!(!done.try_wait());

    // Each lets one wait through, whichever kind of wait it is.
    for _ in 0..7 {
        done.complete();
    }
    ensure!(done.is_done());
    ensure!(done.try_wait());
    done.wait();
    ensure!(done.wait_interruptible().is_ok());
    ensure!(done.wait_killable().is_ok());
    ensure!(done.wait_timeout(1).is_ok_and(|left| left >= 1));
    ensure!(done
        .wait_interruptible_timeout(1)
        .is_ok_and(|left| left >= 1));
    ensure!(done.is_done());
    ensure!(done.wait_killable_timeout(1).is_ok_and(|left| left >= 1));
    ensure!(!done.is_done());
    ensure!(!done.try_wait());
    Ok(())
}

pub(crate) fn completion_all(_: &'static ThisModule) -> Result {
    let done = KBox::pin_init(new_completion!("outsider_all"), GFP_KERNEL)?;
    done.complete_all();
    for _ in 0..10 {
        done.wait();
        ensure!(done.try_wait());
    }
    ensure!(done.is_done());
    done.reinit();
    ensure!(!done.is_done());
    ensure!(!done.try_wait());
    done.complete();
    done.reinit();
    ensure!(!done.try_wait());
    Ok(())
}

pub(crate) fn completion_limits(_: &'static ThisModule) -> Result {
    let done = KBox::pin_init(new_completion!("outsider_limits"), GFP_KERNEL)?;
    let limit = Context::jiffies(10);
    ensure!(done.wait_timeout(limit) == Err(ETIMEDOUT));
    ensure!(done.wait_interruptible_timeout(limit) == Err(ETIMEDOUT));
    ensure!(done.wait_killable_timeout(limit) == Err(ETIMEDOUT));
    // A wait that was given up takes nothing.
    done.complete();
    ensure!(done.wait_timeout(limit).is_ok());
    Ok(())
}

/// Waits in a child are ended by a completion from outside.
pub(crate) fn completion_wakes(module: &'static ThisModule) -> Result {
    let waits: [fn(&Completion) -> Result; 6] = [
        |c| {
            c.wait();
            Ok(())
        },
        Completion::wait_interruptible,
        Completion::wait_killable,
        |c| c.wait_timeout(Context::jiffies(HOUR)).map(|_| ()),
        |c| {
            c.wait_interruptible_timeout(Context::jiffies(HOUR))
                .map(|_| ())
        },
        |c| c.wait_killable_timeout(Context::jiffies(HOUR)).map(|_| ()),
    ];
    let done: Arc<Completion> = Arc::pin_init(new_completion!("outsider_wakes"), GFP_KERNEL)?;
    let mut children = KVec::new();
    for wait in waits {
        let done = done.clone();
        let child = Builder::new(module, c"waiter").spawn(move |ctx| {
            ctx.add_ops(1);
            wait(&done)
        })?;
        children.push(child, GFP_KERNEL)?;
    }
    for child in &children {
        ensure!(eventually(|| child.record().ops() == 1));
        ensure!(child.record().state() == State::Running);
    }
    for n in 1..=children.len() {
        done.complete();
        let over = || {
            children
                .iter()
                .filter(|c| c.record().state() == State::Stopped)
                .count()
        };
        ensure!(eventually(|| over() == n));
    }
    for child in &children {
        ensure!(child.record().error().is_none());
    }
    ensure!(!done.is_done());
    Ok(())
}

/// A request to stop ends waits and sleeps that nothing else ends.
pub(crate) fn stop_ends_waits(module: &'static ThisModule) -> Result {
    let waits: [fn(&Completion) -> Result; 2] = [Completion::wait_interruptible, |c| {
        c.wait_interruptible_timeout(Context::jiffies(HOUR))
            .map(|_| ())
    }];
    let never: Arc<Completion> = Arc::pin_init(new_completion!("outsider_never"), GFP_KERNEL)?;
    for wait in waits {
        let never = never.clone();
        let child = Builder::new(module, c"waiter").spawn(move |ctx| {
            ctx.add_ops(1);
            wait(&never)
        })?;
        ensure!(eventually(|| child.record().ops() == 1));
        child.stop();
        ensure!(child.record().state() == State::Stopped);
        ensure!(child.record().error() == Some(ERESTARTSYS));
    }
    let sleeper = Builder::new(module, c"sleeper").spawn(|ctx| {
        ctx.add_ops(1);
        while !ctx.should_stop() {
            ctx.sleep(HOUR);
        }
        Ok(())
    })?;
    ensure!(eventually(|| sleeper.record().ops() == 1));
    sleeper.stop();
    // Once more changes nothing.
    sleeper.stop();
    ensure!(sleeper.record().state() == State::Stopped);
    ensure!(sleeper.record().error().is_none());
    Ok(())
}
