// SPDX-License-Identifier: GPL-2.0

//! What follows the end of a child: its owner is told, and it is started again, or not.

use super::{eventually, is_done, spawn, HOUR_MS, MODULE};
use childkernel::{
    child::{find, restart::Policy, Builder, Context, End, Exit, Handle, Past, Restart, State},
    sync::{
        atomic::{Atomic, Relaxed},
        new_mutex, Mutex,
    },
};
use kernel::{prelude::*, sync::Arc};

cases!(child_supervise:
    supervise_policies,
    supervise_limit,
    supervise_many_restarts,
    supervise_wait_is_for_the_last,
    supervise_stale_after_restart,
    supervise_history,
    supervise_error_wakes_others,
    stop_in_backoff,
    stop_after_failed,
    stop_by_many,
    drop_in_each_state,
);

/// What an owner was told.
pub(super) type Told = Arc<Mutex<KVec<Exit>>>;

pub(super) fn told() -> Result<Told> {
    Arc::pin_init(new_mutex!(KVec::new(), "test_told"), GFP_KERNEL)
}

/// A child that is started again like this at once, and whose owner keeps what it is told.
pub(super) fn watched<'a>(name: &'a CStr, restart: Restart, told: &Told) -> Builder<'a> {
    let told = told.clone();
    Builder::new(&MODULE, name)
        .restart(restart.backoff(0, 0))
        .on_exit(move |exit| {
            let _ = told.lock().push(*exit, GFP_KERNEL);
        })
}

/// Whether these ends were told, of generations from 1.
pub(super) fn was_told(told: &Told, ends: &[End]) -> bool {
    eventually(|| told.lock().len() >= ends.len())
        && told.lock().len() == ends.len()
        && told
            .lock()
            .iter()
            .zip(ends)
            .enumerate()
            .all(|(n, (exit, end))| {
                exit.end() == *end && exit.identity().generation() as usize == n + 1
            })
}

pub(super) fn flag() -> Result<Arc<Atomic<bool>>> {
    Ok(Arc::new(Atomic::new(false), GFP_KERNEL)?)
}

pub(super) fn stay<T: Send + 'static>(ctx: &mut Context<'_, T>) -> Result {
    while !ctx.should_stop() {
        ctx.sleep(5);
    }
    Ok(())
}

pub(super) fn comes_to<T: Send + 'static>(child: &Handle<T>, state: State) -> bool {
    eventually(|| child.record().state() == state)
}

/// Each policy with each end that needs no crash: its first two generations end like that.
fn supervise_policies() -> Result {
    let policies = [
        Policy::Never,
        Policy::OnError,
        Policy::OnCrash,
        Policy::Always,
    ];
    for policy in policies {
        for end in [End::Returned, End::Failed(EIO)] {
            let goes_on = match end {
                End::Returned => policy == Policy::Always,
                _ => policy != Policy::Never,
            };
            let told = told()?;
            let restart = Restart::by(policy).limit(8, HOUR_MS);
            let child = watched(c"policy", restart, &told).spawn(move |ctx| match end {
                _ if ctx.generation() > 2 => stay(ctx),
                End::Failed(error) => Err(error),
                _ => Ok(()),
            })?;
            let record = child.record();
            if goes_on {
                ensure!(eventually(|| record.generation() == 3));
                ensure!(comes_to(&child, State::Running));
                ensure!(record.restarts() == 2 && was_told(&told, &[end, end]));
                // Running, then twice stopped, backoff, spawning, running.
                ensure!(record.transitions() == 9);
                ensure!(record.end() == End::Returned);
                child.stop();
                ensure!(was_told(&told, &[end, end, End::Returned]));
                ensure!(record.wait()? == End::Returned && record.generation() == 3);
                ensure!(record.transitions() == 11);
            } else {
                ensure!(record.wait()? == end);
                ensure!(record.state() == State::Stopped && record.transitions() == 2);
                ensure!(record.generation() == 1 && record.restarts() == 0);
                ensure!(was_told(&told, &[end]));
            }
            ensure!(record.crashes() == 0);
        }
    }
    Ok(())
}

/// Three restarts and not one more; by hand it starts all the same, but then has none.
fn supervise_limit() -> Result {
    let told = told()?;
    let restart = Restart::on_error().limit(3, HOUR_MS);
    let child = watched(c"limit", restart, &told).spawn(|_| Err(EIO))?;
    let record = child.record();
    ensure!(record.wait()? == End::Failed(EIO));
    ensure!(record.state() == State::Failed && record.generation() == 4);
    ensure!(record.restarts() == 3 && was_told(&told, &[End::Failed(EIO); 4]));
    ensure!(record.transitions() == 1 + 3 * 4 + 2);
    child.stop();
    ensure!(record.state() == State::Failed && record.transitions() == 15);
    child.restart()?;
    ensure!(record.wait()? == End::Failed(EIO));
    ensure!(record.state() == State::Failed && record.generation() == 5);
    ensure!(record.restarts() == 3 && record.transitions() == 19);
    Ok(())
}

/// Two hundred ends, and what the child owns is as at first.
fn supervise_many_restarts() -> Result {
    let child = Builder::new(&MODULE, c"cycles")
        .memory(1 << 16)
        // So many can not lie in a millisecond.
        .restart(Restart::on_error().limit(64, 1).backoff(0, 1))
        .spawn(|ctx| {
            ctx.arena().slice(1000, 0u8, GFP_KERNEL)?.leak();
            ctx.add_ops(1);
            if ctx.generation() <= 200 {
                return Err(EIO);
            }
            stay(ctx)
        })?;
    let record = child.record();
    ensure!(eventually(
        || record.generation() == 201 && record.ops() == 201
    ));
    ensure!(record.restarts() == 200 && record.state() == State::Running);
    let one = record.memory().current();
    ensure!(one >= 1000 && record.memory().peak() == one && record.memory().failures() == 0);
    child.stop();
    ensure!(record.memory().current() == 0);
    Ok(())
}

/// A wait goes on while the child is started again by itself.
fn supervise_wait_is_for_the_last() -> Result {
    let restart = Restart::on_error().limit(3, HOUR_MS).backoff(30, 30);
    let child = Builder::new(&MODULE, c"thrice")
        .restart(restart)
        .spawn(|ctx| Err(Error::from_errno(-(ctx.generation() as i32))))?;
    ensure!(child.record().wait()? == End::Failed(Error::from_errno(-4)));
    ensure!(child.record().generation() == 4);
    // In backoff it is not over.
    let child = Builder::new(&MODULE, c"later")
        .restart(Restart::on_error().backoff(HOUR_MS, HOUR_MS))
        .spawn(|_| Err(EIO))?;
    ensure!(comes_to(&child, State::Backoff));
    let limited = child.record().wait_timeout(Context::jiffies(50));
    ensure!(limited == Err(ETIMEDOUT));
    Ok(())
}

fn supervise_stale_after_restart() -> Result {
    let go = flag()?;
    let theirs = go.clone();
    let child = Builder::new(&MODULE, c"stale")
        .restart(Restart::on_error().backoff(0, 0))
        .spawn(move |ctx| {
            while !ctx.should_stop() {
                if ctx.generation() == 1 && theirs.load(Relaxed) {
                    return Err(EIO);
                }
                ctx.sleep(5);
            }
            Ok(())
        })?;
    let first = child.record().identity();
    ensure!(find(first).is_ok());
    go.store(true, Relaxed);
    ensure!(eventually(|| child.record().restarts() == 1));
    ensure!(eventually(|| find(first).err() == Some(ESTALE)));
    ensure!(find(child.record().identity()).is_ok());
    Ok(())
}

fn ends(child: &Handle) -> Result<KVec<Past>> {
    let mut all = KVec::with_capacity(32, GFP_KERNEL)?;
    child.record().each_end(|past| all.push(past, GFP_KERNEL))?;
    Ok(all)
}

/// The last 16 ends are kept, oldest first, each with its own.
fn supervise_history() -> Result {
    let child = Builder::new(&MODULE, c"history")
        .restart(Restart::on_error().limit(64, HOUR_MS).backoff(0, 0))
        .spawn(|ctx| match ctx.generation() {
            21 => stay(ctx),
            n => Err(Error::from_errno(-(n as i32))),
        })?;
    ensure!(eventually(|| child.record().generation() == 21));
    let past = ends(&child)?;
    ensure!(past.len() == 16);
    for (n, past) in (5i32..).zip(&past) {
        ensure!(past.generation as i32 == n);
        ensure!(past.end == End::Failed(Error::from_errno(-n)) && past.end.code() == -n);
        ensure!(past.lived_ns <= past.at_ns);
    }
    ensure!(past.iter().is_sorted_by_key(|past| past.at_ns));
    child.stop();
    let past = ends(&child)?;
    ensure!(past.len() == 16);
    ensure!(past.first().map(|p| p.generation) == Some(6));
    ensure!(past.last().map(|p| (p.generation, p.end)) == Some((21, End::Returned)));
    // A child of one life has one end.
    let child = spawn(c"once", |_| Ok(()))?;
    ensure!(is_done(&child));
    ensure!(ends(&child)?.len() == 1);
    Ok(())
}

/// What another thread waits for may not come any more when one has failed.
fn supervise_error_wakes_others() -> Result {
    let child = Builder::new(&MODULE, c"others").threads(3).spawn(|ctx| {
        if ctx.index() == 1 {
            return Err(EIO);
        }
        ctx.sleep(HOUR_MS);
        Ok(())
    })?;
    ensure!(comes_to(&child, State::Stopped));
    ensure!(child.record().end() == End::Failed(EIO));
    Ok(())
}

/// It does not wait any longer, and is over; by hand it starts at once.
fn stop_in_backoff() -> Result {
    let child = Builder::new(&MODULE, c"backoff")
        .restart(Restart::on_error().backoff(HOUR_MS, HOUR_MS))
        .spawn(|ctx| match ctx.generation() {
            2 => stay(ctx),
            _ => Err(EIO),
        })?;
    let record = child.record();
    ensure!(comes_to(&child, State::Backoff) && record.transitions() == 3);
    child.stop();
    ensure!(record.state() == State::Stopped && record.transitions() == 4);
    ensure!(record.wait()? == End::Failed(EIO) && record.generation() == 1);
    child.restart()?;
    ensure!(record.state() == State::Running && record.transitions() == 6);
    child.stop();
    child.restart()?;
    ensure!(comes_to(&child, State::Backoff) && record.generation() == 3);
    child.restart()?;
    ensure!(record.generation() == 4 && comes_to(&child, State::Backoff));
    ensure!(record.restarts() == 0);
    Ok(())
}

fn stop_after_failed() -> Result {
    let child = Builder::new(&MODULE, c"given-up")
        .restart(Restart::on_error().limit(0, HOUR_MS))
        .spawn(|ctx| match ctx.generation() {
            1 => Err(EIO),
            _ => stay(ctx),
        })?;
    ensure!(comes_to(&child, State::Failed) && child.record().transitions() == 3);
    child.stop();
    ensure!(child.record().state() == State::Failed);
    child.restart()?;
    ensure!(child.record().state() == State::Running && child.record().transitions() == 5);
    Ok(())
}

/// Whoever comes together with others: each start is one generation, and a stop is the end.
fn stop_by_many() -> Result {
    let child = Arc::new(spawn(c"wanted", stay)?, GFP_KERNEL)?;
    let other = child.clone();
    let hands = Builder::new(&MODULE, c"hands")
        .threads(4)
        .spawn(move |ctx| {
            for n in 0..25 {
                if (n + ctx.index()) % 3 == 0 {
                    other.stop();
                } else {
                    other.restart()?;
                    ctx.add_ops(1);
                }
            }
            Ok(())
        })?;
    ensure!(is_done(&hands));
    child.stop();
    ensure!(child.record().state() == State::Stopped);
    ensure!(u64::from(child.record().generation()) == 1 + hands.record().ops());
    ensure!(child.record().end() == End::Returned);
    Ok(())
}

/// A handle that goes takes the child with it, whatever that is doing.
fn drop_in_each_state() -> Result {
    let later = Restart::on_error().backoff(HOUR_MS, HOUR_MS);
    let never = Restart::on_error().limit(0, 1);
    for (restart, state) in [
        (Restart::NEVER, State::Running),
        (Restart::NEVER, State::Stopped),
        (later, State::Backoff),
        (never, State::Failed),
    ] {
        let child =
            Builder::new(&MODULE, c"goes")
                .restart(restart)
                .spawn(move |ctx| match state {
                    State::Running => stay(ctx),
                    State::Stopped => Ok(()),
                    _ => Err(EIO),
                })?;
        ensure!(comes_to(&child, state));
        let (identity, record) = (child.record().identity(), child.shared_record());
        drop(child);
        ensure!(find(identity).err() == Some(ESRCH));
        // Who waits for it does not wait for ever.
        ensure!(record.wait().is_ok() && record.generation() == 1);
    }
    Ok(())
}
