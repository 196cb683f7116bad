// SPDX-License-Identifier: GPL-2.0

//! What a generation has of its own: its mailbox, the way to it, and what its threads share.

use super::{
    a_while, eventually, is_done, spawn,
    supervise::{comes_to, flag, stay, told, was_told, watched},
    HOUR_MS, MODULE,
};
use childkernel::{
    child::{
        list, mailbox::DEPTH_MAX, Builder, Context, End, Handle, Port, Restart, Scheduling, State,
    },
    sync::{
        atomic::{Acquire, Atomic, Full, Relaxed, Release},
        new_mutex, Mutex,
    },
};
use kernel::{prelude::*, sync::Arc};

cases!(child_ports:
    port_leads_to_the_child,
    port_of_an_end,
    port_after_restarts,
    port_without_mailbox,
    port_of_the_first_thread,
    port_waits_for_room,
    messages_of_the_dead,
    messages_left_when_stopped,
    messages_left_when_dropped,
    state_of_each_generation,
    state_before_all_threads,
    state_not_made,
    builder_refuses,
    scheduling_is_kept,
);

/// A message, or what threads share, that knows who has dropped it.
struct Mine(Arc<Drops>);

struct Drops {
    count: Atomic<u32>,
    by: Atomic<i32>,
}

impl Drop for Mine {
    fn drop(&mut self) {
        self.0.count.fetch_add(1, Full);
        self.0.by.store(me(), Release);
    }
}

fn drops() -> Result<Arc<Drops>> {
    let drops = Drops {
        count: Atomic::new(0),
        by: Atomic::new(0),
    };
    Ok(Arc::new(drops, GFP_KERNEL)?)
}

/// The thread that runs.
fn me() -> i32 {
    kernel::current!().pid()
}

fn counter() -> Result<Arc<Atomic<u32>>> {
    Ok(Arc::new(Atomic::new(0), GFP_KERNEL)?)
}

/// What is sent is received, in its order; a stop ends the wait for more.
fn port_leads_to_the_child() -> Result {
    let seen = counter()?;
    let theirs = seen.clone();
    let child = Builder::new(&MODULE, c"receives")
        .mailbox::<u32>(4)
        .spawn(move |ctx| loop {
            let number = ctx.recv()?;
            if number != theirs.fetch_add(1, Full) {
                ctx.violation();
            }
        })?;
    let port = child.port()?;
    ensure!(port.identity() == child.record().identity());
    let other = port.clone();
    for number in 0..20 {
        let port = if number % 2 == 0 { &port } else { &other };
        port.send(number)?;
    }
    ensure!(eventually(|| seen.load(Acquire) == 20) && child.record().violations() == 0);
    child.stop();
    ensure!(child.record().end() == End::Failed(ERESTARTSYS));
    ensure!(child.record().mail().depth() == 4);
    Ok(())
}

/// What can not be sent any more comes back.
fn port_of_an_end() -> Result {
    let child = Builder::new(&MODULE, c"takes-one")
        .mailbox::<u32>(4)
        .spawn(|ctx| ctx.recv().map(drop))?;
    let port = child.port()?;
    port.send(1)?;
    ensure!(comes_to(&child, State::Stopped) && child.record().end() == End::Returned);
    let back = port.send(7).err().ok_or(EINVAL)?;
    ensure!(back.error() == EPIPE && back.into_value() == 7);
    ensure!(port.try_send(7).err().map(|e| e.error()) == Some(EPIPE));
    ensure!(port.send_timeout(7, 1).err().map(|e| e.error()) == Some(EPIPE));
    ensure!(child.port().err() == Some(EPIPE));
    child.restart()?;
    // What was meant for one generation does not reach the next.
    let back = port.send(8).err().ok_or(EINVAL)?;
    ensure!(back.error() == ESTALE && back.into_value() == 8);
    ensure!(port.try_send(8).err().map(|e| e.error()) == Some(ESTALE));
    let new = child.port()?;
    ensure!(new.identity().generation() == 2 && port.identity().generation() == 1);
    new.send(2)?;
    ensure!(comes_to(&child, State::Stopped));
    drop(child);
    ensure!(new.send(9).err().map(|e| e.error()) == Some(EPIPE));
    Ok(())
}

/// So it is when it was started again by itself.
fn port_after_restarts() -> Result {
    let told = told()?;
    let child = watched(c"restarts", Restart::on_error().limit(64, HOUR_MS), &told)
        .mailbox::<u32>(4)
        .spawn(|ctx| match ctx.recv()? {
            0 => Err(EIO),
            _ => Ok(()),
        })?;
    for generation in 1..=5u64 {
        let mut port: Option<Port<u32>> = None;
        ensure!(eventually(|| child.record().restarts() + 1 == generation));
        let _ = port.insert(child.port()?).send(0);
        let port = port.ok_or(EINVAL)?;
        ensure!(u64::from(port.identity().generation()) == generation);
        ensure!(eventually(|| child.record().restarts() == generation));
        ensure!(eventually(
            || port.try_send(1).err().map(|e| e.error()) == Some(ESTALE)
        ));
    }
    child.port()?.send(1)?;
    ensure!(comes_to(&child, State::Stopped));
    ensure!(was_told(
        &told,
        &[
            End::Failed(EIO),
            End::Failed(EIO),
            End::Failed(EIO),
            End::Failed(EIO),
            End::Failed(EIO),
            End::Returned,
        ]
    ));
    Ok(())
}

/// All ways to receive, as a child has them that can not.
fn receives_nothing<T: Send + 'static>(ctx: &mut Context<'_, T>) -> Result {
    let mut batch = KVec::with_capacity(4, GFP_KERNEL)?;
    ensure!(ctx.recv().err() == Some(EBADF));
    ensure!(ctx.try_recv().err() == Some(EBADF));
    ensure!(ctx.recv_timeout(1).err() == Some(EBADF));
    ensure!(ctx.recv_batch(&mut batch).err() == Some(EBADF));
    Ok(())
}

fn port_without_mailbox() -> Result {
    let child = spawn(c"none", receives_nothing)?;
    ensure!(child.port().err() == Some(EBADF));
    ensure!(is_done(&child));
    ensure!(child.port().err() == Some(EBADF));
    Ok(())
}

fn port_of_the_first_thread() -> Result {
    let child = Builder::new(&MODULE, c"first")
        .threads(3)
        .mailbox::<u32>(4)
        .spawn(|ctx| match ctx.index() {
            0 => ctx.recv().map(drop),
            _ => receives_nothing(ctx),
        })?;
    child.port()?.send(1)?;
    ensure!(comes_to(&child, State::Stopped) && child.record().error().is_none());
    Ok(())
}

/// Who waits for room in the mailbox of a child that ends is woken.
fn port_waits_for_room() -> Result {
    let go = flag()?;
    let theirs = go.clone();
    let child = Builder::new(&MODULE, c"full")
        .mailbox::<u32>(1)
        .spawn(move |ctx| {
            while !ctx.should_stop() && !theirs.load(Relaxed) {
                ctx.sleep(5);
            }
            Ok(())
        })?;
    let port = child.port()?;
    port.send(1)?;
    ensure!(port.try_send(2).err().map(|e| e.error()) == Some(EAGAIN));
    ensure!(port.send_timeout(2, 2).err().map(|e| e.error()) == Some(ETIMEDOUT));
    let theirs = port.clone();
    let sender = spawn(c"sender", move |_| Ok(theirs.send(2)?))?;
    a_while();
    let waited = sender.record().state() == State::Running;
    go.store(true, Relaxed);
    ensure!(waited && sender.record().wait()? == End::Failed(EPIPE));
    ensure!(child.record().mail().len() == 1 && child.record().mail().full() >= 3);
    Ok(())
}

/// Three messages for a child that does not take them, and ends when it is let.
fn unread(restart: Restart, left: &Arc<Drops>, go: &Arc<Atomic<bool>>) -> Result<Handle<Mine>> {
    let (drops, go) = (left.clone(), go.clone());
    let child = Builder::new(&MODULE, c"unread")
        .restart(restart.backoff(0, 0))
        .mailbox::<Mine>(4)
        .spawn(move |ctx| {
            if ctx.generation() == 1 {
                eventually(|| go.load(Relaxed));
                return Err(EIO);
            }
            // All of the generation before is gone, by this very thread.
            if drops.count.load(Acquire) != 3 || drops.by.load(Acquire) != me() {
                ctx.violation();
            }
            if ctx.try_recv().err() != Some(EAGAIN) {
                ctx.violation();
            }
            ctx.add_ops(1);
            stay(ctx)
        })?;
    let port = child.port()?;
    for _ in 0..3 {
        port.send(Mine(left.clone()))?;
    }
    Ok(child)
}

/// The first thread of the next generation drops what the one before has not received.
fn messages_of_the_dead() -> Result {
    let (drops, go) = (drops()?, flag()?);
    let child = unread(Restart::on_error(), &drops, &go)?;
    let kept = drops.count.load(Acquire) == 0;
    go.store(true, Relaxed);
    ensure!(kept && eventually(|| child.record().ops() == 1));
    ensure!(child.record().generation() == 2 && child.record().violations() == 0);
    drop(child);
    ensure!(drops.count.load(Acquire) == 3);
    Ok(())
}

/// If there is none, who stops the child does.
fn messages_left_when_stopped() -> Result {
    let (drops, go) = (drops()?, flag()?);
    let child = unread(Restart::NEVER, &drops, &go)?;
    go.store(true, Relaxed);
    ensure!(comes_to(&child, State::Stopped));
    a_while();
    ensure!(drops.count.load(Acquire) == 0);
    child.stop();
    ensure!(drops.count.load(Acquire) == 3 && drops.by.load(Acquire) == me());
    child.stop();
    child.restart()?;
    ensure!(eventually(|| child.record().ops() == 1));
    drop(child);
    ensure!(drops.count.load(Acquire) == 3);
    Ok(())
}

fn messages_left_when_dropped() -> Result {
    let (drops, go) = (drops()?, flag()?);
    let child = unread(Restart::on_error().limit(0, 1), &drops, &go)?;
    go.store(true, Relaxed);
    ensure!(comes_to(&child, State::Failed));
    ensure!(drops.count.load(Acquire) == 0);
    drop(child);
    ensure!(drops.count.load(Acquire) == 3 && drops.by.load(Acquire) == me());
    Ok(())
}

/// Each generation has one of its own, which goes with it.
fn state_of_each_generation() -> Result {
    let (made, drops) = (counter()?, drops()?);
    let (theirs, mine) = (made.clone(), drops.clone());
    let child = Builder::new(&MODULE, c"shares")
        .restart(Restart::always().limit(64, HOUR_MS).backoff(0, 0))
        .spawn_with(
            move || {
                let n = theirs.fetch_add(1, Full) + 1;
                Ok((n, Mine(mine.clone())))
            },
            |ctx, state| {
                // The one that was made for it, and only after those before have gone.
                if state.0 != ctx.generation() || state.1 .0.count.load(Acquire) + 1 != state.0 {
                    ctx.violation();
                }
                if ctx.generation() < 6 {
                    return Ok(());
                }
                ctx.add_ops(1);
                stay(ctx)
            },
        )?;
    ensure!(eventually(|| child.record().ops() == 1));
    ensure!(made.load(Acquire) == 6 && drops.count.load(Acquire) == 5);
    child.stop();
    ensure!(drops.count.load(Acquire) == 6);
    drop(child);
    ensure!(drops.count.load(Acquire) == 6 && made.load(Acquire) == 6);
    Ok(())
}

/// The first thread makes it, and no other goes on before it is there.
fn state_before_all_threads() -> Result {
    let go = flag()?;
    let theirs = go.clone();
    let child = Builder::new(&MODULE, c"all-wait")
        .threads(4)
        .heartbeat(HOUR_MS)
        .spawn_with(
            move || {
                eventually(|| theirs.load(Relaxed));
                Arc::pin_init(new_mutex!(me(), "test_shared"), GFP_KERNEL)
            },
            |ctx, by: &Arc<Mutex<i32>>| {
                let by = *by.lock();
                if (by == me()) != (ctx.index() == 0) {
                    ctx.violation();
                }
                ctx.add_ops(1);
                Ok(())
            },
        )?;
    a_while();
    let early = child.record().ops();
    go.store(true, Relaxed);
    ensure!(early == 0 && comes_to(&child, State::Stopped));
    ensure!(child.record().ops() == 4 && child.record().violations() == 0);
    // Those that wait for it can be stopped.
    child.restart()?;
    child.stop();
    ensure!(child.record().state() == State::Stopped);
    Ok(())
}

/// A child without it fails, and nobody has called its entry.
fn state_not_made() -> Result {
    let (told, made) = (told()?, counter()?);
    let theirs = made.clone();
    let child = watched(c"not-made", Restart::on_error().limit(2, HOUR_MS), &told)
        .threads(3)
        .spawn_with(
            move || {
                theirs.fetch_add(1, Full);
                Err::<(), Error>(ENODATA)
            },
            |ctx, ()| {
                ctx.violation();
                Ok(())
            },
        )?;
    ensure!(child.record().wait()? == End::Failed(ENODATA));
    ensure!(child.record().state() == State::Failed && made.load(Acquire) == 3);
    ensure!(was_told(&told, &[End::Failed(ENODATA); 3]));
    ensure!(child.record().violations() == 0);
    Ok(())
}

/// Whether it is refused, and its entry function dropped.
fn refused<T: Send + 'static>(builder: Builder<'_, T>) -> Result<bool> {
    let drops = drops()?;
    let mine = Mine(drops.clone());
    let child = builder.spawn(move |_| {
        let _ = &mine;
        Ok(())
    });
    Ok(child.err() == Some(EINVAL) && drops.count.load(Acquire) == 1)
}

/// What can not be is refused, and nothing stays behind.
fn builder_refuses() -> Result {
    let before = list()?.len();
    let new = || Builder::new(&MODULE, c"refused");
    for depth in [0, 3, DEPTH_MAX + 1, DEPTH_MAX * 2, usize::MAX] {
        ensure!(refused(new().mailbox::<u32>(depth))?);
    }
    for priority in [0, 100, u32::MAX] {
        ensure!(refused(new().scheduling(Scheduling::Fifo(priority)))?);
    }
    ensure!(refused(
        new().restart(Restart::always().limit(65, HOUR_MS))
    )?);
    ensure!(refused(new().restart(Restart::always().backoff(2, 1)))?);
    ensure!(refused(new().restart(Restart::NEVER.backoff(1, 0)))?);
    ensure!(refused(new().threads(0))? && refused(new().threads(1025))?);
    ensure!(refused(Builder::new(&MODULE, c""))?);
    ensure!(list()?.len() == before);
    // These are what is only just possible.
    let least = new().mailbox::<u32>(1).scheduling(Scheduling::Fifo(1));
    ensure!(is_over(
        least.restart(Restart::always().limit(0, 0).backoff(0, 0))
    )?);
    ensure!(is_over(new().scheduling(Scheduling::Fifo(99)))?);
    ensure!(list()?.len() == before);
    Ok(())
}

fn is_over<T: Send + 'static>(builder: Builder<'_, T>) -> Result<bool> {
    Ok(builder.spawn(|_| Ok(()))?.record().wait()? == End::Returned)
}

/// They are there for as long as `supervisor.sh` needs to look at them, in their second
/// generation.
fn scheduling_is_kept() -> Result {
    let spawn = |name, scheduling| -> Result<Handle> {
        let child = Builder::new(&MODULE, name)
            .scheduling(scheduling)
            .nice(3)
            .spawn(stay)?;
        child.restart()?;
        Ok(child)
    };
    let _batch = spawn(c"as-batch", Scheduling::Batch)?;
    let _idle = spawn(c"as-idle", Scheduling::Idle)?;
    let fifo = spawn(c"as-fifo", Scheduling::Fifo(7))?;
    // `supervisor.sh` looks at them meanwhile, and may have to look at many others first.
    ensure!(eventually(|| fifo.record().in_state_ns() > 5_000_000_000));
    Ok(())
}
