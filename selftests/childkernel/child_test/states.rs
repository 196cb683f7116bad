// SPDX-License-Identifier: GPL-2.0

//! States and identities.

use super::{eventually, skip, spawn, MODULE};
use childkernel::{
    child::{find, Builder, Handle, State},
    new_completion,
    sync::{
        atomic::{Atomic, Relaxed},
        Completion,
    },
};
use kernel::{bindings, prelude::*, sync::Arc};

cases!(child_states:
    states_table,
    states_of_a_life,
    states_after_an_error,
    states_stop_ends_a_wait,
    states_left_with_the_owner_held,
    identity_of_a_generation,
);

const ALL: [State; 9] = [
    State::Spawning,
    State::Running,
    State::Stopping,
    State::Stopped,
    State::Crashed,
    State::Backoff,
    State::Failed,
    State::Stuck,
    State::Quarantined,
];

/// From the state of the row to that of the column, both in the order of `ALL`.
const TABLE: [&[u8; 9]; 9] = [
    b".x.x.....", // spawning
    b"..xxx..x.", // running
    b"...xx...x", // stopping
    b"x....xx..", // stopped
    b"x....xx.x", // crashed
    b"x..x.....", // backoff
    b"x........", // failed
    b".xxxx...x", // stuck
    b"x..x.xx..", // quarantined
];

/// What may follow what, and what may not.
fn states_table() -> Result {
    for (from, row) in ALL.into_iter().zip(TABLE) {
        for (to, cell) in ALL.into_iter().zip(row) {
            let may = from.may_become(to);
            if may != (*cell == b'x') {
                pr_err!("{from:?} may become {to:?}: {may}\n");
                return Err(EINVAL);
            }
        }
        ensure!(ALL.into_iter().filter(|s| s.name() == from.name()).count() == 1);
    }
    Ok(())
}

fn is(child: &Handle, state: State, transitions: u64) -> bool {
    eventually(|| child.record().state() == state) && child.record().transitions() == transitions
}

/// Each change of state is made once, and counted; one that is none is not.
fn states_of_a_life() -> Result {
    let go = Arc::new(Atomic::<bool>::new(false), GFP_KERNEL)?;
    let theirs = go.clone();
    let child = spawn(c"states", move |ctx| {
        while !ctx.should_stop() && !theirs.load(Relaxed) {
            ctx.sleep(5);
        }
        Ok(())
    })?;
    // Spawning to running.
    ensure!(is(&child, State::Running, 1));
    child.stop();
    // To stopping, to stopped.
    ensure!(is(&child, State::Stopped, 3));
    child.stop();
    ensure!(is(&child, State::Stopped, 3));
    child.restart()?;
    // To spawning, to running.
    ensure!(is(&child, State::Running, 5));
    ensure!(child.record().generation() == 2);
    // By itself: to stopped at once.
    go.store(true, Relaxed);
    ensure!(is(&child, State::Stopped, 6));
    child.restart()?;
    child.stop();
    let before = child.record().in_state_ns();
    ensure!(eventually(|| child.record().in_state_ns() > before));
    Ok(())
}

/// An error ends a child as a return does, and stays until it is started again.
fn states_after_an_error() -> Result {
    let child = spawn(c"fails", |_| Err(EIO))?;
    ensure!(is(&child, State::Stopped, 2));
    ensure!(child.record().error() == Some(EIO));
    child.restart()?;
    ensure!(is(&child, State::Stopped, 5));
    ensure!(child.record().error() == Some(EIO) && child.record().generation() == 2);
    Ok(())
}

/// The error of a wait that a stop has ended is shown, though it is no failure: see `parts.sh`.
fn states_stop_ends_a_wait() -> Result {
    let never: Arc<Completion> = Arc::pin_init(new_completion!("test_never"), GFP_KERNEL)?;
    // One that was stopped before it first ran would not wait.
    let begun = Arc::new(Atomic::<bool>::new(false), GFP_KERNEL)?;
    let theirs = begun.clone();
    let child = spawn(c"waits", move |_| {
        theirs.store(true, Relaxed);
        never.wait_interruptible()
    })?;
    ensure!(eventually(|| begun.load(Relaxed)));
    ensure!(is(&child, State::Running, 1));
    child.stop();
    ensure!(is(&child, State::Stopped, 3));
    ensure!(child.record().error() == Some(ERESTARTSYS));
    Ok(())
}

/// What was meant for one generation does not reach the next, nor another child.
fn identity_of_a_generation() -> Result {
    let body = |ctx: &mut childkernel::child::Context<'_>| {
        while !ctx.should_stop() {
            ctx.sleep(5);
        }
        Ok(())
    };
    let child = spawn(c"first", body)?;
    let first = child.record().identity();
    ensure!(first.generation() == 1 && first.id() == child.record().id());
    ensure!(find(first)?.id() == first.id());
    child.restart()?;
    ensure!(find(first).err() == Some(ESTALE));
    let second = child.record().identity();
    ensure!(find(second).is_ok() && second != first);
    drop(child);
    ensure!(find(second).err() == Some(ESRCH));
    let other = spawn(c"other", body)?;
    ensure!(other.record().identity() != first && find(first).err() == Some(ESRCH));
    Ok(())
}

/// What a generation has left is dropped outside of all locks, by code of its owner's, which is held
/// meanwhile: whoever stops the child need not be the owner.
fn states_left_with_the_owner_held() -> Result {
    /// How many hold this module.
    fn holders() -> i32 {
        // SAFETY: It is this module, and not built in.
        unsafe { bindings::module_refcount(MODULE.as_ptr()) }
    }

    struct Left(Arc<Atomic<i32>>);

    impl Drop for Left {
        fn drop(&mut self) {
            self.0.store(holders(), Relaxed);
        }
    }

    if MODULE.as_ptr().is_null() {
        return skip(
            "states_left_with_the_owner_held",
            "what is built in does not go",
        );
    }
    let held = Arc::new(Atomic::<i32>::new(-1), GFP_KERNEL)?;
    let theirs = held.clone();
    let child = Builder::new(&MODULE, c"leaves").spawn_with(
        move || Ok(Left(theirs.clone())),
        |ctx, _| {
            ctx.add_ops(1);
            while !ctx.should_stop() {
                ctx.sleep(5);
            }
            Ok(())
        },
    )?;
    // What was in quarantine before may be let go of meanwhile.
    for _ in 0..20 {
        // One that is stopped before it first runs has nothing to leave.
        let record = child.record();
        ensure!(eventually(|| record.ops() == u64::from(record.generation())));
        let before = holders();
        child.stop();
        let after = holders();
        if before == after {
            ensure!(held.load(Relaxed) == before + 1);
            return Ok(());
        }
        child.restart()?;
    }
    Err(EBUSY)
}
