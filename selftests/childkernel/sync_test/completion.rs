// SPDX-License-Identifier: GPL-2.0

//! Completions.

use super::{
    a_while, eventually, is_done, lasts, spawn, stop_ends_only_after, stop_gives,
    timers::{Hard, Interrupt},
    HOUR_MS,
};
use childkernel::{
    child::{Context, Handle},
    new_completion,
    sync::{
        atomic::{Acquire, Atomic, Full, Release},
        Completion,
    },
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{Delta, Jiffies},
};

cases!(sync_completion:
    completion_counts,
    completion_wakes_one,
    completion_wakes_all,
    completion_reinit,
    completion_from_interrupt,
    completion_timeout,
    completion_time_left,
    completion_stop,
    completion_stop_timed,
    completion_killable,
    completion_killable_timed,
);

fn completion() -> Result<Arc<Completion>> {
    Arc::pin_init(new_completion!("test_completion"), GFP_KERNEL)
}

/// What was done before anybody waits is not lost, and counts.
fn completion_counts() -> Result {
    let done = completion()?;
    ensure!(!done.is_done());
    ensure!(!done.try_wait());
    done.complete();
    done.complete();
    done.complete();
    ensure!(done.is_done());
    done.wait();
    done.wait_interruptible()?;
    ensure!(done.is_done());
    done.wait_killable()?;
    ensure!(!done.is_done());
    ensure!(!done.try_wait());
    done.complete();
    ensure!(done.try_wait());
    ensure!(!done.try_wait());
    Ok(())
}

/// Children that wait, in this order, and what becomes of them.
struct Waiters {
    done: Arc<Completion>,
    /// How many wait, or are just about to.
    begun: Atomic<u32>,
    /// How many have gone on, and each one's place among them.
    woken: Atomic<u32>,
    places: [Atomic<u32>; 3],
}

impl Waiters {
    fn new() -> Result<(Arc<Self>, KVec<Handle>)> {
        let this = Arc::new(
            Self {
                done: completion()?,
                begun: Atomic::new(0),
                woken: Atomic::new(0),
                places: [Atomic::new(0), Atomic::new(0), Atomic::new(0)],
            },
            GFP_KERNEL,
        )?;
        let mut children = KVec::new();
        for (index, _) in this.places.iter().enumerate() {
            let waiters = this.clone();
            let child = spawn(c"waiter", move |_| {
                waiters.begun.fetch_add(1, Full);
                waiters.done.wait_interruptible()?;
                let place = waiters.places.get(index).ok_or(EINVAL)?;
                place.store(waiters.woken.fetch_add(1, Full) + 1, Release);
                Ok(())
            })?;
            children.push(child, GFP_KERNEL)?;
            ensure!(eventually(|| this.begun.load(Acquire) as usize > index));
            // Queued before the next one comes.
            a_while();
        }
        Ok((this, children))
    }
}

/// One at a time, those first that came first.
fn completion_wakes_one() -> Result {
    let (waiters, children) = Waiters::new()?;
    ensure!(waiters.woken.load(Acquire) == 0);
    for (n, place) in (1..).zip(&waiters.places) {
        waiters.done.complete();
        ensure!(eventually(|| place.load(Acquire) != 0));
        a_while();
        ensure!(place.load(Acquire) == n);
        ensure!(waiters.woken.load(Acquire) == n);
    }
    for child in &children {
        ensure!(is_done(child));
    }
    ensure!(!waiters.done.is_done());
    Ok(())
}

/// All that wait, and all that come later.
fn completion_wakes_all() -> Result {
    let (waiters, children) = Waiters::new()?;
    ensure!(waiters.woken.load(Acquire) == 0);
    waiters.done.complete_all();
    for child in &children {
        ensure!(is_done(child));
    }
    ensure!(waiters.woken.load(Acquire) == 3);
    for _ in 0..3 {
        ensure!(waiters.done.is_done());
        ensure!(waiters.done.try_wait());
        waiters.done.wait_interruptible()?;
    }
    // One more does not make it a number again.
    waiters.done.complete();
    ensure!(waiters.done.try_wait() && waiters.done.try_wait());
    Ok(())
}

/// Nothing is left of one completion, nor of all.
fn completion_reinit() -> Result {
    let done = completion()?;
    done.complete();
    done.complete();
    done.reinit();
    ensure!(!done.is_done() && !done.try_wait());
    done.complete_all();
    done.reinit();
    ensure!(!done.is_done() && !done.try_wait());
    ensure!(done.wait_timeout(Context::jiffies(20)).err() == Some(ETIMEDOUT));
    done.complete();
    ensure!(done.try_wait() && !done.try_wait());
    Ok(())
}

fn completion_from_interrupt() -> Result {
    let done = completion()?;
    let theirs = done.clone();
    ensure!(!done.try_wait());
    let timer = Hard::once(Delta::from_millis(10), move || theirs.complete())?;
    let waited = done.wait_timeout(Context::jiffies(20_000));
    drop(timer);
    ensure!(waited.is_ok());
    ensure!(!done.is_done());
    Ok(())
}

type Timed = fn(&Completion, Jiffies) -> Result<Jiffies>;

static TIMED: [Timed; 3] = [
    Completion::wait_timeout,
    Completion::wait_interruptible_timeout,
    Completion::wait_killable_timeout,
];

fn completion_timeout() -> Result {
    let done = completion()?;
    for wait in TIMED {
        // A jiffy less may be, as the first is a part of one.
        lasts(40, || {
            ensure!(wait(&done, Context::jiffies(50)).err() == Some(ETIMEDOUT));
            Ok(())
        })?;
        // It did not take what comes afterwards.
        done.complete();
        ensure!(done.try_wait());
    }
    Ok(())
}

/// Success says how much of the limit was left, never that nothing was.
fn completion_time_left() -> Result {
    let done = completion()?;
    for wait in TIMED {
        let limit = Context::jiffies(HOUR_MS);
        done.complete();
        let left = wait(&done, limit)?;
        ensure!(left >= 1 && left <= limit);
        // Even if it was nothing to begin with.
        done.complete();
        ensure!(wait(&done, 0)? >= 1);

        for limit in [limit, Jiffies::MAX] {
            let begun = Arc::new(Atomic::<u32>::new(0), GFP_KERNEL)?;
            let (other, flag) = (done.clone(), begun.clone());
            let waiter = spawn(c"waiter", move |_| {
                flag.store(1, Release);
                // It waits for about 60 ms.
                match wait(&other, limit)? {
                    left if left >= 1 && left + Context::jiffies(20) <= limit => Ok(()),
                    _ => Err(ERANGE),
                }
            })?;
            ensure!(eventually(|| begun.load(Acquire) == 1));
            a_while();
            done.complete();
            ensure!(is_done(&waiter));
        }
    }
    ensure!(!done.is_done());
    Ok(())
}

fn completion_stop() -> Result {
    let done = completion()?;
    let other = done.clone();
    let waiter = spawn(c"waiter", move |_| other.wait_interruptible())?;
    ensure!(stop_gives(&waiter, ERESTARTSYS));
    done.complete();
    ensure!(done.try_wait() && !done.try_wait());
    Ok(())
}

fn completion_stop_timed() -> Result {
    let done = completion()?;
    let other = done.clone();
    let waiter = spawn(c"waiter", move |_| {
        let limit = Context::jiffies(HOUR_MS);
        other.wait_interruptible_timeout(limit).map(drop)
    })?;
    ensure!(stop_gives(&waiter, ERESTARTSYS));
    done.complete();
    ensure!(done.try_wait() && !done.try_wait());
    Ok(())
}

fn completion_killable() -> Result {
    let done = completion()?;
    let other = done.clone();
    let waiter = spawn(c"waiter", move |_| other.wait_killable())?;
    ensure!(stop_ends_only_after(waiter, || done.complete())?);
    ensure!(!done.is_done());
    Ok(())
}

fn completion_killable_timed() -> Result {
    let done = completion()?;
    let other = done.clone();
    let waiter = spawn(c"waiter", move |_| {
        let limit = Context::jiffies(HOUR_MS);
        other.wait_killable_timeout(limit).map(drop)
    })?;
    ensure!(stop_ends_only_after(waiter, || done.complete())?);
    ensure!(!done.is_done());
    Ok(())
}
