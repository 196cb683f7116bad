// SPDX-License-Identifier: GPL-2.0

//! Locks that spin.

use super::{
    cpus::{has_two, needs_two_cpus},
    eventually, is_done, spawn, MODULE,
};
use childkernel::{
    child::Builder,
    new_raw_spinlock, new_raw_spinlock_irq, new_rwlock, new_spinlock_bh,
    sync::{
        atomic::{Acquire, Atomic, Full, Relaxed, Release},
        lock::{Backend, Lock},
        new_spinlock, new_spinlock_irq,
        rwlock::{RwLockIn, Variant},
        RawSpinLock, RawSpinLockIrq, ResilientSpinLock, ResilientSpinLockIrq, RwLock, RwLockBh,
        RwLockIrq, SpinLock, SpinLockBh, SpinLockIrq,
    },
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::udelay, Delta},
};

cases!(sync_spinning:
    spinlock_try,
    spinlock_irq_try,
    spinlock_bh_try,
    raw_spinlock_try,
    raw_spinlock_irq_try,
    rwlock_shares,
    rwlock_bh_shares,
    rwlock_irq_shares,
    resilient_self_deadlock,
    resilient_deadlock,
    resilient_dead_holder,
);

/// A lock that is held is not taken by trying, and is whole afterwards.
fn try_fails<B: Backend>(lock: Arc<Lock<u64, B>>) -> Result {
    let mut guard = lock.lock();
    *guard += 1;
    let failed = lock.try_lock().is_none();
    drop(guard);
    ensure!(failed);
    ensure!(lock.try_lock().map(|guard| *guard) == Some(1));
    ensure!(*lock.lock() == 1);
    Ok(())
}

/// Two readers are inside at the same time; a writer keeps both out.
fn shares<V: Variant + 'static>(lock: Arc<RwLockIn<u64, V>>) -> Result {
    let inside = Arc::new(Atomic::<u32>::new(0), GFP_KERNEL)?;

    let (other, count) = (lock.clone(), inside.clone());
    let reader = spawn(c"reader", move |ctx| {
        while !ctx.should_stop() {
            let guard = other.read();
            count.store(1, Release);
            // Long enough to be met by the one below, short enough for interrupts to be off.
            udelay(Delta::from_micros(200));
            count.store(0, Release);
            drop(guard);
            udelay(Delta::from_micros(20));
        }
        Ok(())
    })?;
    // One CPU never has two inside that must not be preempted there.
    let met = !has_two()?
        || eventually(|| {
            let guard = lock.read();
            let met = (0..400).any(|_| {
                udelay(Delta::from_micros(1));
                inside.load(Acquire) == 1
            });
            drop(guard);
            met
        });
    // While this one writes nobody else is inside.
    let mut alone = true;
    for _ in 0..200 {
        let mut guard = lock.write();
        *guard += 1;
        udelay(Delta::from_micros(5));
        alone &= inside.load(Acquire) == 0;
        drop(guard);
    }
    reader.stop();
    ensure!(met);
    ensure!(alone);
    ensure!(*lock.read() == 200);

    let reading = lock.read();
    let second = lock.try_read().is_some();
    let writer = lock.try_write().is_none();
    drop(reading);
    ensure!(second && writer);
    ensure!(lock.try_write().is_some());
    Ok(())
}

fn resilient_self_deadlock() -> Result {
    let lock = KBox::pin_init(ResilientSpinLock::new(1u64), GFP_KERNEL)?;
    let held = lock.lock()?;
    let again = lock.lock().err();
    drop(held);
    ensure!(again == Some(EDEADLK));
    ensure!(*lock.lock()? == 1);

    let lock = KBox::pin_init(ResilientSpinLockIrq::new(1u64), GFP_KERNEL)?;
    let held = lock.lock()?;
    let again = lock.lock().err();
    drop(held);
    ensure!(again == Some(EDEADLK));
    ensure!(*lock.lock()? == 1);
    Ok(())
}

/// Each of two has one and wants the other: who notices is told so, and both are whole afterwards.
fn resilient_deadlock() -> Result {
    let cpus = needs_two_cpus("resilient_deadlock")?;
    struct Two {
        locks: [Pin<KBox<ResilientSpinLock<u64>>>; 2],
        holding: Atomic<u32>,
        deadlocks: Atomic<u32>,
        others: Atomic<u32>,
    }
    let lock = || KBox::pin_init(ResilientSpinLock::new(0u64), GFP_KERNEL);
    let two = Arc::new(
        Two {
            locks: [lock()?, lock()?],
            holding: Atomic::new(0),
            deadlocks: Atomic::new(0),
            others: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    let mut children = KVec::new();
    for (cpu, (mine, other)) in cpus.into_iter().zip([(0, 1), (1, 0)]) {
        let two = two.clone();
        // Each on its own: behind the first one's lock the second would not get to run.
        let cpus = [cpu];
        let hugger = Builder::new(&MODULE, c"hugger").cpus(&cpus);
        let child = hugger.spawn(move |_| {
            let (mine, other) = (
                two.locks.get(mine).ok_or(EINVAL)?,
                two.locks.get(other).ok_or(EINVAL)?,
            );
            let mut first = mine.lock()?;
            *first += 1;
            two.holding.fetch_add(1, Full);
            // Until both have one, 2 s at most.
            for _ in 0..200_000 {
                if two.holding.load(Acquire) == 2 {
                    break;
                }
                udelay(Delta::from_micros(10));
            }
            match other.lock().map(|mut second| *second += 1) {
                Ok(()) => {}
                Err(EDEADLK) => drop(two.deadlocks.fetch_add(1, Full)),
                Err(_) => drop(two.others.fetch_add(1, Full)),
            }
            Ok(())
        })?;
        children.push(child, GFP_KERNEL)?;
    }
    for child in &children {
        ensure!(is_done(child));
    }
    ensure!(two.deadlocks.load(Acquire) >= 1);
    ensure!(two.others.load(Acquire) == 0);
    for lock in &two.locks {
        ensure!(*lock.lock()? >= 1);
    }
    Ok(())
}

/// Who waits for a holder that does not let go is told so, and the lock is whole afterwards.
fn resilient_dead_holder() -> Result {
    needs_two_cpus("resilient_dead_holder")?;
    let lock = Arc::pin_init(ResilientSpinLock::new(0u64), GFP_KERNEL)?;
    let held = Arc::new(Atomic::<u32>::new(0), GFP_KERNEL)?;

    let (other, flag) = (lock.clone(), held.clone());
    let holder = spawn(c"holder", move |_| {
        let mut guard = other.lock()?;
        *guard += 1;
        flag.store(1, Release);
        // Until the other one has given up: after a second, but it looks at the clock once in
        // 65,536 turns, each of which may take an emulator 10 us. 10 s at most.
        for _ in 0..10_000 {
            if flag.load(Relaxed) == 2 {
                break;
            }
            udelay(Delta::from_millis(1));
        }
        Ok(())
    })?;
    ensure!(eventually(|| held.load(Acquire) == 1));
    let waited = lock.lock().err();
    held.store(2, Release);
    ensure!(waited == Some(ETIMEDOUT));
    ensure!(is_done(&holder));
    ensure!(*lock.lock()? == 1);
    Ok(())
}

fn spinlock_try() -> Result {
    try_fails(Arc::<SpinLock<u64>>::pin_init(
        new_spinlock!(0, "test_spin"),
        GFP_KERNEL,
    )?)
}

fn spinlock_irq_try() -> Result {
    try_fails(Arc::<SpinLockIrq<u64>>::pin_init(
        new_spinlock_irq!(0, "test_spin_irq"),
        GFP_KERNEL,
    )?)
}

fn spinlock_bh_try() -> Result {
    try_fails(Arc::<SpinLockBh<u64>>::pin_init(
        new_spinlock_bh!(0, "test_spin_bh"),
        GFP_KERNEL,
    )?)
}

fn raw_spinlock_try() -> Result {
    try_fails(Arc::<RawSpinLock<u64>>::pin_init(
        new_raw_spinlock!(0, "test_raw"),
        GFP_KERNEL,
    )?)
}

fn raw_spinlock_irq_try() -> Result {
    try_fails(Arc::<RawSpinLockIrq<u64>>::pin_init(
        new_raw_spinlock_irq!(0, "test_raw_irq"),
        GFP_KERNEL,
    )?)
}

fn rwlock_shares() -> Result {
    shares(Arc::<RwLock<u64>>::pin_init(
        new_rwlock!(0, "test_rw"),
        GFP_KERNEL,
    )?)
}

fn rwlock_bh_shares() -> Result {
    shares(Arc::<RwLockBh<u64>>::pin_init(
        new_rwlock!(0, "test_rw_bh"),
        GFP_KERNEL,
    )?)
}

fn rwlock_irq_shares() -> Result {
    shares(Arc::<RwLockIrq<u64>>::pin_init(
        new_rwlock!(0, "test_rw_irq"),
        GFP_KERNEL,
    )?)
}
