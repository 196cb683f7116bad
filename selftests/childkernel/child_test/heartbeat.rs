// SPDX-License-Identifier: GPL-2.0

//! Children that give no sign of life: seen as stuck, given up, replaced, and gone at last.
//!
//! They wait for a flag and ask nothing meanwhile, so each case can let them end.

use super::{
    a_while, eventually,
    lose::lose,
    spawn,
    supervise::{comes_to, flag, stay, told, was_told, watched, Told},
    HOUR_MS, MODULE,
};
use childkernel::{
    child::{find, list, restart::Policy, Builder, End, Handle, Restart, State, QUARANTINE_MAX},
    sync::atomic::{Acquire, Atomic, Full, Relaxed},
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta},
};

cases!(child_heartbeat:
    heartbeat_lost,
    heartbeat_of_a_spinner,
    heartbeat_comes_back,
    heartbeat_of_who_waits,
    heartbeat_of_one_of_three,
    heartbeat_while_ending,
    heartbeat_policies,
    heartbeat_replaced,
    heartbeat_ends_in_backoff,
    heartbeat_stop_when_stuck,
    heartbeat_restart_when_stuck,
    heartbeat_quarantine_is_full,
    heartbeat_dropped_in_quarantine,
    heartbeat_left_behind,
    heartbeat_let_go,
    heartbeat_forgotten,
);

/// Healthy children ask often enough for it, as slow as the machine may be.
const SHORT: u32 = 150;

/// What each generation takes from its arena.
const PIECE: usize = 100;

/// Gives no sign of life, and asks for nothing.
fn be_silent(until: &Atomic<bool>) {
    while !until.load(Relaxed) {
        fsleep(Delta::from_millis(2));
    }
}

/// One whose first generation is silent until `go`. Those that follow live on.
fn silent<'a>(name: &'a CStr, restart: Restart, told: &Told) -> Builder<'a> {
    watched(name, restart, told)
        .heartbeat(SHORT)
        .memory(1 << 12)
}

fn spawn_silent(builder: Builder<'_>, go: &Arc<Atomic<bool>>) -> Result<Handle> {
    let go = go.clone();
    builder.spawn(move |ctx| {
        ctx.arena().slice(PIECE, 0u8, GFP_KERNEL)?.leak();
        if ctx.generation() == 1 {
            ctx.add_ops(1);
            be_silent(&go);
            return Ok(());
        }
        stay(ctx)
    })
}

/// One that is stopped before it had a CPU for the first time would just end.
fn has_begun(child: &Handle) -> bool {
    eventually(|| child.record().ops() > 0)
}

/// Whether so many generations have something in the arena.
fn hold_memory(child: &Handle, generations: usize) -> bool {
    eventually(|| child.record().memory().current() / PIECE == generations)
}

/// Stuck, then in quarantine, and everybody else goes on; at last it ends, and may run again.
fn heartbeat_lost() -> Result {
    let (go, told) = (flag()?, told()?);
    let sibling = spawn(c"sibling", |ctx| {
        while !ctx.should_stop() {
            ctx.add_ops(1);
            ctx.sleep(2);
        }
        Ok(())
    })?;
    let child = spawn_silent(silent(c"silent", Restart::NEVER, &told), &go)?;
    let record = child.record();
    let given_up = comes_to(&child, State::Quarantined);
    let ways = record.transitions();
    let shown = list()?.iter().any(|r| r.id() == record.id());
    let end = record.wait();
    let silence = record.silence_ns();
    let memory = record.memory().current();
    // It has no effect, and does not wait.
    child.stop();
    let stays = record.state() == State::Quarantined && record.memory().current() == memory;
    let before = sibling.record().ops();
    let lives = eventually(|| sibling.record().ops() > before + 5);
    let new = spawn(c"new", |_| Ok(()))?.record().wait();
    go.store(true, Relaxed);
    ensure!(given_up && shown && stays && lives);
    // Running, stuck, quarantined.
    ensure!(ways == 3 && end == Ok(End::Stuck) && new == Ok(End::Returned));
    ensure!(silence > 2 * u64::from(SHORT) * 1_000_000 && record.heartbeat_ms() == SHORT);
    ensure!(memory > 0);
    ensure!(comes_to(&child, State::Stopped) && record.transitions() == 4);
    ensure!(record.memory().current() == 0);
    // Its end was that it did not end.
    ensure!(record.end() == End::Stuck && was_told(&told, &[End::Stuck]));
    child.restart()?;
    ensure!(record.generation() == 2 && comes_to(&child, State::Running));
    child.stop();
    ensure!(record.state() == State::Stopped);
    Ok(())
}

/// It takes a CPU for itself, as far as others let it.
fn heartbeat_of_a_spinner() -> Result {
    let go = flag()?;
    let theirs = go.clone();
    let child = Builder::new(&MODULE, c"spinner")
        .heartbeat(SHORT)
        .nice(19)
        .spawn(move |_| {
            while !theirs.load(Relaxed) {
                core::hint::spin_loop();
            }
            Ok(())
        })?;
    let given_up = comes_to(&child, State::Quarantined);
    go.store(true, Relaxed);
    ensure!(given_up && child.record().transitions() == 3);
    ensure!(comes_to(&child, State::Stopped));
    Ok(())
}

/// One that was slow is no worse for it.
fn heartbeat_comes_back() -> Result {
    let go = flag()?;
    let theirs = go.clone();
    let child = Builder::new(&MODULE, c"slow")
        .heartbeat(1500)
        .spawn(move |ctx| {
            be_silent(&theirs);
            stay(ctx)
        })?;
    let stuck = comes_to(&child, State::Stuck);
    go.store(true, Relaxed);
    ensure!(stuck && comes_to(&child, State::Running));
    ensure!(child.record().transitions() == 3 && child.record().generation() == 1);
    child.stop();
    ensure!(child.record().state() == State::Stopped && child.record().end() == End::Returned);
    Ok(())
}

/// Who waits by its context needs to give none, for as long as it takes; nor who has returned.
fn heartbeat_of_who_waits() -> Result {
    let child = Builder::new(&MODULE, c"waits")
        .heartbeat(2 * SHORT)
        .threads(4)
        .mailbox::<u32>(4)
        .spawn(|ctx| {
            match ctx.index() {
                0 => {
                    let _ = ctx.recv();
                }
                1 => ctx.sleep(HOUR_MS),
                // A wait within a wait does not end it.
                2 => ctx.idle(|| {
                    ctx.sleep(1);
                    fsleep(Delta::from_millis(1000));
                }),
                _ => {}
            }
            Ok(())
        })?;
    fsleep(Delta::from_millis(1200));
    ensure!(child.record().transitions() == 1 && child.record().state() == State::Running);
    child.stop();
    ensure!(child.record().state() == State::Stopped);
    Ok(())
}

/// Each thread has to give them.
fn heartbeat_of_one_of_three() -> Result {
    let go = flag()?;
    let theirs = go.clone();
    let child = Builder::new(&MODULE, c"one-of-three")
        .heartbeat(SHORT)
        .threads(3)
        .spawn(move |ctx| {
            if ctx.index() == 1 {
                be_silent(&theirs);
            }
            stay(ctx)
        })?;
    let given_up = comes_to(&child, State::Quarantined);
    go.store(true, Relaxed);
    ensure!(given_up && comes_to(&child, State::Stopped));
    Ok(())
}

/// One that was told to end, and is long busy with it, is not given up.
fn heartbeat_while_ending() -> Result {
    let child = Builder::new(&MODULE, c"busy-ending")
        .heartbeat(SHORT)
        .spawn(|ctx| {
            ctx.add_ops(1);
            stay(ctx)?;
            for _ in 0..30 {
                fsleep(Delta::from_millis(30));
                ctx.beat();
            }
            Ok(())
        })?;
    ensure!(has_begun(&child));
    child.stop();
    ensure!(child.record().state() == State::Stopped && child.record().end() == End::Returned);
    Ok(())
}

/// To be stuck is as bad as a crash.
fn heartbeat_policies() -> Result {
    for policy in [
        Policy::Never,
        Policy::OnError,
        Policy::OnCrash,
        Policy::Always,
    ] {
        let goes_on = policy >= Policy::OnCrash;
        let (go, told) = (flag()?, told()?);
        let child = spawn_silent(silent(c"policy", Restart::by(policy), &told), &go)?;
        let is = if goes_on {
            eventually(|| child.record().restarts() == 1)
        } else {
            child.record().wait() == Ok(End::Stuck)
                && child.record().state() == State::Quarantined
                && child.record().generation() == 1
        };
        let seen = was_told(&told, &[End::Stuck]);
        go.store(true, Relaxed);
        ensure!(is && seen);
        let state = if goes_on {
            State::Running
        } else {
            State::Stopped
        };
        ensure!(comes_to(&child, state) && hold_memory(&child, usize::from(goes_on)));
    }
    Ok(())
}

/// The next generation runs beside the one in quarantine, and goes on when that ends.
fn heartbeat_replaced() -> Result {
    let (go, told) = (flag()?, told()?);
    let child = spawn_silent(silent(c"replaced", Restart::on_crash(), &told), &go)?;
    let record = child.record();
    let replaced = eventually(|| record.generation() == 2) && comes_to(&child, State::Running);
    let two = hold_memory(&child, 2);
    // Running, stuck, quarantined, backoff, spawning, running.
    let ways = record.transitions();
    go.store(true, Relaxed);
    ensure!(replaced && two && ways == 6);
    ensure!(hold_memory(&child, 1));
    ensure!(record.state() == State::Running && record.transitions() == 6);
    child.stop();
    ensure!(record.state() == State::Stopped && record.memory().current() == 0);
    ensure!(was_told(&told, &[End::Stuck, End::Returned]));
    Ok(())
}

/// That it ends at last, just when another is about to be started, is no reason not to.
fn heartbeat_ends_in_backoff() -> Result {
    let (go, told) = (flag()?, told()?);
    let builder = silent(c"in-backoff", Restart::on_crash(), &told)
        .restart(Restart::on_crash().backoff(700, 700));
    let child = spawn_silent(builder, &go)?;
    let waits = comes_to(&child, State::Backoff);
    go.store(true, Relaxed);
    ensure!(waits);
    ensure!(eventually(|| child.record().memory().current() == 0));
    ensure!(eventually(|| child.record().restarts() == 1));
    ensure!(eventually(|| child.record().transitions() == 6));
    ensure!(child.record().state() == State::Running);
    Ok(())
}

/// A stop is over when it is given up.
fn heartbeat_stop_when_stuck() -> Result {
    let (go, told) = (flag()?, told()?);
    let builder = silent(c"stopped-stuck", Restart::always(), &told).heartbeat(500);
    let child = spawn_silent(builder, &go)?;
    let stuck = comes_to(&child, State::Stuck);
    child.stop();
    let state = child.record().state();
    let end = child.record().wait();
    go.store(true, Relaxed);
    ensure!(stuck && state == State::Quarantined && end == Ok(End::Stuck));
    ensure!(comes_to(&child, State::Stopped));
    // Running, stuck, stopping, quarantined, stopped: it was not to run again.
    ensure!(child.record().transitions() == 5 && child.record().generation() == 1);
    Ok(())
}

fn heartbeat_restart_when_stuck() -> Result {
    let (go, told) = (flag()?, told()?);
    let child = spawn_silent(silent(c"again", Restart::NEVER, &told), &go)?;
    ensure!(has_begun(&child));
    // It asks it to stop first, and does not wait for ever.
    let started = child.restart();
    let generation = child.record().generation();
    let is = comes_to(&child, State::Running);
    go.store(true, Relaxed);
    ensure!(started.is_ok() && generation == 2 && is);
    ensure!(hold_memory(&child, 1) && child.record().state() == State::Running);
    Ok(())
}

/// When so many are in quarantine, none of them is replaced any more.
fn heartbeat_quarantine_is_full() -> Result {
    let (go, last, told) = (flag()?, flag()?, told()?);
    let mut children = KVec::new();
    for _ in 0..QUARANTINE_MAX {
        let builder = silent(c"one-of-many", Restart::NEVER, &told);
        children.push(spawn_silent(builder, &go)?, GFP_KERNEL)?;
    }
    let all = children.iter().all(|c| comes_to(c, State::Quarantined));
    // As many as there may be can still be replaced.
    let full = children
        .first()
        .is_some_and(|child| child.restart().is_ok());
    let over = spawn_silent(silent(c"one-over", Restart::always(), &told), &last)?;
    let failed = comes_to(&over, State::Failed);
    let ways = over.record().transitions();
    let refused = over.restart();
    let refused_too = children.get(1).map(|child| child.restart());
    let generation = over.record().generation();
    // One leaves, there is room.
    last.store(true, Relaxed);
    let left = eventually(|| over.record().memory().current() == 0);
    let state = over.record().state();
    let started = over.restart();
    go.store(true, Relaxed);
    ensure!(all && full && failed && ways == 4);
    ensure!(refused == Err(EBUSY) && refused_too == Some(Err(EBUSY)) && generation == 1);
    ensure!(left && state == State::Failed && started.is_ok());
    ensure!(comes_to(&over, State::Running) && over.record().generation() == 2);
    ensure!(children.iter().skip(1).all(|c| comes_to(c, State::Stopped)));
    ensure!(children.first().is_some_and(|c| hold_memory(c, 1)));
    Ok(())
}

/// Counts its drops.
struct Counted(Arc<Atomic<u32>>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Full);
    }
}

/// Its handle is gone, but it stays listed, and so does what it has, until it has ended.
fn heartbeat_dropped_in_quarantine() -> Result {
    let (go, drops) = (flag()?, Arc::new(Atomic::<u32>::new(0), GFP_KERNEL)?);
    let (theirs, counted) = (go.clone(), Counted(drops.clone()));
    let child = Builder::new(&MODULE, c"dropped")
        .heartbeat(SHORT)
        .spawn(move |ctx| {
            ctx.add_ops(1);
            be_silent(&theirs);
            let _ = &counted;
            Ok(())
        })?;
    ensure!(has_begun(&child));
    let (identity, record) = (child.record().identity(), child.shared_record());
    // Dropping gives it up.
    drop(child);
    a_while();
    let listed = find(identity).is_ok();
    let state = record.state();
    let early = drops.load(Acquire);
    go.store(true, Relaxed);
    ensure!(listed && state == State::Quarantined && early == 0);
    ensure!(eventually(|| find(identity).err() == Some(ESRCH)));
    ensure!(drops.load(Acquire) == 1 && record.state() == State::Stopped);
    Ok(())
}

/// What `heartbeat_left_behind` leaves waits for it.
static LET_GO: Atomic<bool> = Atomic::new(false);
const LEFT: &CStr = c"left-behind";

fn is_left() -> Result<bool> {
    let children = list()?;
    Ok(children.iter().any(|r| r.name() == "left-behind"))
}

/// A case that ends before its child: see `supervisor.sh`, which looks at the module meanwhile.
fn heartbeat_left_behind() -> Result {
    LET_GO.store(false, Relaxed);
    let child = Builder::new(&MODULE, LEFT).heartbeat(SHORT).spawn(|ctx| {
        ctx.add_ops(1);
        be_silent(&LET_GO);
        Ok(())
    })?;
    ensure!(has_begun(&child));
    drop(child);
    ensure!(is_left()?);
    Ok(())
}

/// And one that ends it.
fn heartbeat_let_go() -> Result {
    ensure!(is_left()?);
    LET_GO.store(true, Relaxed);
    ensure!(eventually(|| is_left() == Ok(false)));
    Ok(())
}

/// A child that ends slowly, and that this module will have forgotten when it goes.
fn heartbeat_forgotten() -> Result {
    let child = Builder::new(&MODULE, c"forgotten")
        .heartbeat(SHORT)
        .spawn(|ctx| {
            ctx.add_ops(1);
            stay(ctx)?;
            fsleep(Delta::from_millis(1500));
            Ok(())
        })?;
    ensure!(has_begun(&child));
    lose(child)
}
