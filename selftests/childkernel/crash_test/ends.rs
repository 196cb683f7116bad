// SPDX-License-Identifier: GPL-2.0

//! Who else is concerned when a child dies: its other threads, its owner, who waits for it.

use super::{
    cell::{gets_on, has_ended, sibling, Kind},
    eventually,
    harness::skip,
    is_done, spawn, HOUR_MS, MODULE,
};
use childkernel::{
    child::{
        call::Call,
        region::{quarantined_pages, read_only_is_enforced, ReadOnly, Region},
        Builder, Context, End, Restart, State,
    },
    sync::atomic::{Acquire, Atomic, Full, Relaxed, Release},
};
use kernel::{page::PAGE_SIZE, prelude::*, sync::Arc};

/// Each of these with each kind: `crash_KIND_NAME`.
macro_rules! kinds {
    ($($name:ident),*; $($alone:ident),*) => {
        kernel::macros::paste! {
            $(
                fn [<crash_error_ $name>]() -> Result {
                    $name(Kind::Error)
                }
                fn [<crash_panic_ $name>]() -> Result {
                    $name(Kind::Panic)
                }
                fn [<crash_bug_ $name>]() -> Result {
                    $name(Kind::Bug)
                }
                fn [<crash_null_ $name>]() -> Result {
                    $name(Kind::Null)
                }
            )*

            list_cases!("case": $(
                [<crash_error_ $name>], [<crash_panic_ $name>],
                [<crash_bug_ $name>], [<crash_null_ $name>],
            )* $($alone),*);
        }
    };
}

kinds!(
    injected, threads, waited_for, told;
    crash_never_restarted, crash_null_read_only_write, crash_null_in_hook,
    crash_null_in_last_hook
);

/// By fault injection, as from the shell.
fn injected(kind: Kind) -> Result {
    let sibling = sibling()?;
    let child = Builder::new(&MODULE, c"crash")
        .memory(1 << 12)
        .restart(Restart::on_crash().limit(1, HOUR_MS).backoff(1, 1))
        .spawn(|ctx| {
            let _mine = ctx.arena().alloc(1u64, GFP_KERNEL)?;
            while !ctx.should_stop() {
                ctx.add_ops(1);
                ctx.sleep(1);
            }
            Ok(())
        })?;
    let record = child.record();
    ensure!(gets_on(&child));
    let held = record.memory().current();
    ensure!(held > 0);
    record.inject(kind.fault());
    ensure!(eventually(|| record.generation() == 2) && gets_on(&child));
    ensure!(record.memory().current() == held && record.memory().peak() == held);
    ensure!(has_ended(record, &[kind.end()]) && gets_on(&sibling));
    record.inject(kind.fault());
    ensure!(eventually(|| record.state() == State::Failed));
    ensure!(record.end() == kind.end() && record.memory().current() == 0);
    ensure!(record.crashes() == 2 * u64::from(kind.is_crash()));
    ensure!(gets_on(&sibling));
    Ok(())
}

/// One of three threads fails: the others are told, and end, and only then what they share goes.
fn threads(kind: Kind) -> Result {
    let go = Arc::new(Atomic::<bool>::new(false), GFP_KERNEL)?;
    let left = Arc::new(Atomic::<u32>::new(0), GFP_KERNEL)?;
    let (start, others) = (go.clone(), left.clone());
    let child = Builder::new(&MODULE, c"crash")
        .threads(3)
        .memory(1 << 12)
        .spawn(move |ctx| {
            let mine = ctx.arena().alloc(7u64, GFP_KERNEL)?;
            ctx.add_ops(1);
            if ctx.index() == 1 {
                while !start.load(Acquire) && !ctx.should_stop() {
                    ctx.sleep(1);
                }
                return kind.fail();
            }
            while !ctx.should_stop() {
                ctx.sleep(HOUR_MS * ctx.index() as u32 / 2 + 1);
            }
            if *mine == 7 {
                others.fetch_add(1, Full);
            }
            Ok(())
        })?;
    let record = child.record();
    ensure!(eventually(|| record.ops() == 3));
    go.store(true, Release);
    let ended = if kind.is_crash() {
        State::Crashed
    } else {
        // An error is no reason to interrupt others in what they do.
        child.stop();
        State::Stopped
    };
    ensure!(eventually(|| left.load(Acquire) == 2));
    ensure!(eventually(|| has_ended(record, &[kind.end()])));
    ensure!(record.state() == ended && record.memory().current() == 0);
    ensure!(record.crashes() == u64::from(kind.is_crash()));
    Ok(())
}

/// Who waits for an answer, for room, or for its end, waits no longer.
fn waited_for(kind: Kind) -> Result {
    let go = Arc::new(Atomic::<bool>::new(false), GFP_KERNEL)?;
    let start = go.clone();
    let child = Builder::new(&MODULE, c"crash")
        .mailbox::<Call<u32, u32>>(1)
        .spawn(move |ctx| {
            let call = ctx.recv()?;
            ctx.add_ops(1);
            while !start.load(Acquire) && !ctx.should_stop() {
                ctx.sleep(1);
            }
            kind.fail()?;
            let _ = call.reply(1);
            Ok(())
        })?;
    let record = child.record();
    let mut callers = KVec::new();
    // One that is being answered, one inside, and one that waits for room.
    for n in 0..3 {
        let port = child.port()?;
        let caller = spawn(c"caller", move |_| port.call(n).map(drop))?;
        callers.push(caller, GFP_KERNEL)?;
    }
    let watched = child.shared_record();
    let waiter = spawn(c"waiter", move |_| watched.wait().map(drop))?;
    ensure!(eventually(|| record.ops() == 1));
    ensure!(eventually(
        || record.mail().len() == 1 && record.mail().full() > 0
    ));
    go.store(true, Release);
    ensure!(is_done(&waiter));
    ensure!(has_ended(record, &[kind.end()]));
    // Those inside go with the mailbox, which is the owner's to drop.
    child.stop();
    for caller in &callers {
        ensure!(eventually(|| caller.record().state() == State::Stopped));
        ensure!(caller.record().error() == Some(EPIPE));
    }
    ensure!(child.port().err() == Some(EPIPE));
    Ok(())
}

/// The owner is told of each end, before the next generation is there.
fn told(kind: Kind) -> Result {
    let told = Arc::new([const { Atomic::<u32>::new(0) }; 3], GFP_KERNEL)?;
    let (note, seen) = (told.clone(), told.clone());
    let child = Builder::new(&MODULE, c"crash")
        .restart(Restart::on_crash().limit(2, HOUR_MS).backoff(1, 1))
        .on_exit(move |exit| {
            let index = exit.identity().generation() as usize - 1;
            if let Some(count) = note.get(index).filter(|_| exit.end() == kind.end()) {
                count.fetch_add(1, Full);
            }
        })
        .spawn(move |ctx| {
            let before = seen.iter().take(ctx.generation() as usize - 1);
            for _ in before.filter(|count| count.load(Acquire) != 1) {
                ctx.violation();
            }
            kind.fail()
        })?;
    let record = child.record();
    ensure!(eventually(|| record.state() == State::Failed));
    ensure!(has_ended(record, &[kind.end(); 3]));
    ensure!(record.violations() == 0);
    ensure!(told.each_ref().map(|count| count.load(Acquire)) == [1; 3]);
    Ok(())
}

/// Without being asked for, no crash is followed by anything: not by the policy for errors.
fn crash_never_restarted() -> Result {
    for restart in [Restart::NEVER, Restart::on_error()] {
        let child = Builder::new(&MODULE, c"crash")
            .restart(restart.backoff(1, 1))
            .spawn(|_| Kind::Panic.fail())?;
        let record = child.record();
        ensure!(record.wait() == Ok(Kind::Panic.end()));
        ensure!(record.state() == State::Crashed && record.restarts() == 0);
        ensure!(record.generation() == 1 && record.error().is_none());
        child.stop();
        ensure!(record.state() == State::Crashed);
    }
    Ok(())
}

/// A write through a read-only mapping kills who tries, and changes nothing. The pages stay.
fn crash_null_read_only_write() -> Result {
    if !read_only_is_enforced() {
        return skip(
            "crash_null_read_only_write",
            "no read-only kernel pages on this architecture",
        );
    }
    let region = KBox::pin_init(Region::new(PAGE_SIZE), GFP_KERNEL)?;
    let before = quarantined_pages();
    let first = region.words().first().ok_or(EINVAL)?;
    first.store(5, Relaxed);
    let shared = region.lend::<ReadOnly>()?;
    let sibling = sibling()?;
    let child = spawn(c"crash", move |_| {
        let view = shared.view()?;
        let first = core::ptr::from_ref(view.first().ok_or(EINVAL)?);
        // SAFETY: None: this is the mistake that the mapping is there for.
        unsafe { first.cast::<usize>().cast_mut().write_volatile(8) };
        Ok(())
    })?;
    let record = child.record();
    ensure!(eventually(|| record.state() == State::Crashed));
    ensure!(record.wait() == Ok(Kind::Null.end()));
    ensure!(first.load(Relaxed) == 5 && gets_on(&sibling));
    ensure!(region.revoke(Context::jiffies(50)).err() == Some(ETIMEDOUT));
    drop(child);
    drop(region);
    ensure!(quarantined_pages() == before + 1);
    Ok(())
}

/// What is called at an end may die as well: the child is started again all the same.
fn crash_null_in_hook() -> Result {
    let child = Builder::new(&MODULE, c"crash")
        .restart(Restart::on_error().limit(1, HOUR_MS).backoff(1, 1))
        .on_exit(|exit| {
            if exit.identity().generation() == 1 {
                let _ = Kind::Null.fail();
            }
        })
        .spawn(|_| Err(EIO))?;
    let record = child.record();
    ensure!(eventually(|| record.state() == State::Failed));
    ensure!(has_ended(record, &[End::Failed(EIO); 2]) && record.crashes() == 0);
    Ok(())
}

/// And so may what is called when the handle goes.
fn crash_null_in_last_hook() -> Result {
    let child = Builder::new(&MODULE, c"crash")
        .on_exit(|_| {
            let _ = Kind::Null.fail();
        })
        .spawn(|ctx| {
            while !ctx.should_stop() {
                ctx.sleep(5);
            }
            Ok(())
        })?;
    drop(child);
    Ok(())
}
