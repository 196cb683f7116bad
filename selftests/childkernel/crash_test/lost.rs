// SPDX-License-Identifier: GPL-2.0

//! What is not contained: each of these costs the machine, or a part of it, in a way that is known.
//!
//! They are run one by one, each in a machine of its own, by `scripts/test-crash.sh`. One that
//! returns has found that nothing was lost, or says what was.

use super::{
    cell::Kind,
    eventually,
    harness::a_while,
    spawn, spawn_on,
    timers::{Hard, Interrupt, Soft},
};
use childkernel::{
    child::State,
    new_rcu_list, new_spinlock_bh,
    sync::{
        atomic::{Acquire, Atomic, Release},
        new_mutex, new_spinlock,
        preempt::{local_bh_disable, preempt_disable},
        rcu_list::Node,
        Mutex, RcuList, SpinLock, SpinLockBh,
    },
};
use core::mem::forget;
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta},
};

list_cases!("lost":
    lost_spinlock_wanted,
    lost_spinlock_bh,
    lost_bh_panic,
    lost_bh_null,
    lost_softirq,
    lost_hardirq,
    lost_spin_preempt_off,
    lost_spin_irq_off,
    lost_mutex_wanted,
    lost_deferred,
    lost_not,
);

/// Long enough for any detector.
fn wait_for_the_end() -> Result {
    fsleep(Delta::from_millis(50_000));
    Ok(())
}

/// A child that runs `body` on the second CPU, so that the first can tell.
fn there(name: &CStr, body: fn()) -> Result {
    let child = spawn_on(name, 1, move |_| {
        body();
        Ok(())
    })?;
    // Dropping it would wait for it.
    forget(child);
    wait_for_the_end()
}

/// Who takes a spinlock whose holder has died spins for ever.
fn lost_spinlock_wanted() -> Result {
    let lock: Arc<SpinLock<u32>> = Arc::pin_init(new_spinlock!(0, "lost_spinlock"), GFP_KERNEL)?;
    let theirs = lock.clone();
    let died = spawn(c"crash", move |_| {
        let _guard = theirs.lock();
        Kind::Panic.fail()
    })?;
    ensure!(eventually(|| died.record().state() == State::Crashed));
    let wanted = spawn_on(c"spins", 1, move |_| {
        *lock.lock() += 1;
        Ok(())
    })?;
    forget(wanted);
    wait_for_the_end()
}

/// An oops while bottom halves are disabled counts as one in an interrupt.
fn lost_spinlock_bh() -> Result {
    let lock: Arc<SpinLockBh<u32>> =
        Arc::pin_init(new_spinlock_bh!(0, "lost_spinlock_bh"), GFP_KERNEL)?;
    let died = spawn(c"crash", move |_| {
        let _guard = lock.lock();
        Kind::Bug.fail()
    })?;
    forget(died);
    wait_for_the_end()
}

fn lost_bh_panic() -> Result {
    there(c"crash", || {
        let _off = local_bh_disable();
        let _ = Kind::Panic.fail();
    })
}

fn lost_bh_null() -> Result {
    there(c"crash", || {
        let _off = local_bh_disable();
        let _ = Kind::Null.fail();
    })
}

fn in_timer<I: Interrupt>() -> Result {
    let timer = I::every(Delta::from_millis(5), || {
        if I::is_here() {
            let _ = Kind::Null.fail();
        }
    })?;
    wait_for_the_end()?;
    drop(timer);
    Ok(())
}

fn lost_softirq() -> Result {
    in_timer::<Soft>()
}

fn lost_hardirq() -> Result {
    in_timer::<Hard>()
}

fn spin() {
    loop {
        core::hint::spin_loop();
    }
}

fn lost_spin_preempt_off() -> Result {
    there(c"spins", || {
        let _off = preempt_disable();
        spin();
    })
}

fn lost_spin_irq_off() -> Result {
    there(c"spins", || {
        let _off = kernel::interrupt::local_interrupt_disable();
        spin();
    })
}

/// Who waits for a mutex in a way that nothing ends is never woken. The machine goes on, but that
/// child does not end: it is given up, and keeps its module.
fn lost_mutex_wanted() -> Result {
    let lock: Arc<Mutex<u32>> = Arc::pin_init(new_mutex!(0, "lost_mutex"), GFP_KERNEL)?;
    let begun = Arc::new(Atomic::<bool>::new(false), GFP_KERNEL)?;
    let (theirs, begins) = (lock.clone(), begun.clone());
    let died = spawn(c"crash", move |_| {
        let _guard = theirs.lock();
        Kind::Panic.fail()
    })?;
    ensure!(eventually(|| died.record().state() == State::Crashed));
    let waits = spawn(c"waits", move |_| {
        begins.store(true, Release);
        *lock.lock() += 1;
        Ok(())
    })?;
    ensure!(eventually(|| begun.load(Acquire)));
    a_while();
    waits.stop();
    ensure!(waits.record().state() == State::Quarantined);
    Ok(())
}

/// Dies when it is dropped, or says that it was.
struct Deferred(Option<Arc<Atomic<bool>>>);

impl Drop for Deferred {
    fn drop(&mut self) {
        match &self.0 {
            Some(dropped) => dropped.store(true, Release),
            None => {
                let _ = Kind::Null.fail();
            }
        }
    }
}

/// A destructor that dies in deferred reclaim. Others are called as before; but whoever waits for all
/// of it, as each module does that goes, waits for ever.
fn lost_deferred() -> Result {
    let list: Arc<RcuList<Deferred>> = Arc::pin_init(new_rcu_list!("lost_deferred"), GFP_KERNEL)?;
    let defer = |what| -> Result {
        let node = Node::new(Deferred(what), GFP_KERNEL)?;
        list.lock().push_back(node);
        if let Some(removed) = list.lock().remove(|_| true) {
            removed.defer();
        }
        Ok(())
    };
    defer(None)?;
    // It has died when this is over.
    a_while();
    for _ in 0..10 {
        let dropped = Arc::new(Atomic::<bool>::new(false), GFP_KERNEL)?;
        defer(Some(dropped.clone()))?;
        ensure!(eventually(|| dropped.load(Acquire)));
    }
    Ok(())
}

/// A crash with nothing held, which costs the machine if it is told so: `panic_on_oops`,
/// `oops_limit`.
fn lost_not() -> Result {
    let died = spawn(c"crash", |_| Kind::Panic.fail())?;
    ensure!(eventually(|| died.record().state() == State::Crashed));
    Ok(())
}
