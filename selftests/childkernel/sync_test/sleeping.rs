// SPDX-License-Identifier: GPL-2.0

//! Locks that sleep.

use super::{
    a_while, eventually, is_done, lasts, spawn, stop_ends_only_after, stop_gives,
    timers::{Hard, Interrupt},
    HOUR_MS,
};
use childkernel::{
    child::{Context, Handle},
    new_percpu_rwsem, new_rwsem, new_semaphore,
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        new_mutex,
        semaphore::Permit,
        Mutex, MutexExt, PerCpuRwSemaphore, RwSemaphore, Semaphore,
    },
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{Delta, Jiffies},
};

cases!(sync_sleeping:
    mutex_try,
    mutex_stop,
    mutex_killable,
    mutex_killable_stop,
    semaphore_admits_n,
    semaphore_try,
    semaphore_timeout,
    semaphore_stop,
    semaphore_killable_stop,
    semaphore_timeout_stop,
    semaphore_up_from_interrupt,
    rwsem_shares,
    rwsem_downgrade,
    rwsem_stop,
    rwsem_killable_stop,
    percpu_rwsem_shares,
);

/// Held, it is not taken, by others nor by this thread.
fn mutex_try() -> Result {
    let mutex: Arc<Mutex<u64>> = Arc::pin_init(new_mutex!(0, "test_mutex"), GFP_KERNEL)?;
    let held = mutex.try_lock().ok_or(EINVAL)?;
    ensure!(mutex.try_lock().is_none());
    let other = mutex.clone();
    let child = spawn(c"other", move |_| match other.try_lock() {
        Some(_) => Err(EINVAL),
        None => Ok(()),
    })?;
    ensure!(is_done(&child));
    drop(held);
    ensure!(mutex.try_lock().is_some());
    Ok(())
}

/// A child that waits interruptibly is ended by a stop; the mutex is whole afterwards.
fn mutex_stop() -> Result {
    let mutex: Arc<Mutex<u64>> = Arc::pin_init(new_mutex!(0, "test_mutex"), GFP_KERNEL)?;
    ensure!(mutex.lock_interruptible().is_ok());
    let held = mutex.lock();
    let other = mutex.clone();
    let waiter = spawn(c"waiter", move |_| {
        *other.lock_interruptible()? += 1;
        Ok(())
    })?;
    let ended = stop_gives(&waiter, EINTR);
    drop(held);
    ensure!(ended);
    ensure!(*mutex.lock() == 0);
    Ok(())
}

/// A child that adds one under the mutex, which it waits for.
fn killable_adder(mutex: &Arc<Mutex<u64>>) -> Result<Handle> {
    let mutex = mutex.clone();
    spawn(c"waiter", move |_| {
        *mutex.lock_killable()? += 1;
        Ok(())
    })
}

/// A killable wait in a kernel thread ends when the mutex is free.
fn mutex_killable() -> Result {
    let mutex: Arc<Mutex<u64>> = Arc::pin_init(new_mutex!(0, "test_mutex"), GFP_KERNEL)?;
    let held = mutex.lock();
    let waiter = killable_adder(&mutex)?;
    a_while();
    let before = *held;
    drop(held);
    ensure!(is_done(&waiter));
    ensure!(before == 0 && *mutex.lock() == 1);
    Ok(())
}

/// A stop does not end a wait that only a fatal signal ends.
fn mutex_killable_stop() -> Result {
    let mutex: Arc<Mutex<u64>> = Arc::pin_init(new_mutex!(0, "test_mutex"), GFP_KERNEL)?;
    let held = mutex.lock();
    let waiter = killable_adder(&mutex)?;
    ensure!(stop_ends_only_after(waiter, || drop(held))?);
    ensure!(*mutex.lock() == 1);
    Ok(())
}

fn semaphore(permits: u32) -> Result<Arc<Semaphore>> {
    Arc::pin_init(new_semaphore!(permits, "test_semaphore"), GFP_KERNEL)
}

/// A child that takes a permit for good, which it waits for in this way.
fn taker(sem: &Arc<Semaphore>, down: fn(&Semaphore) -> Result<Permit<'_>>) -> Result<Handle> {
    let sem = sem.clone();
    spawn(c"waiter", move |_| {
        down(&sem)?.keep();
        Ok(())
    })
}

/// Three of six are inside at once, and never a fourth.
fn semaphore_admits_n() -> Result {
    struct Room {
        sem: Arc<Semaphore>,
        inside: Atomic<u32>,
        most: Atomic<u32>,
    }
    let room = Arc::new(
        Room {
            sem: semaphore(3)?,
            inside: Atomic::new(0),
            most: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    let mut children = KVec::new();
    for _ in 0..6 {
        let room = room.clone();
        let child = spawn(c"guest", move |ctx| {
            for _ in 0..20 {
                let permit = room.sem.down_interruptible()?;
                let now = room.inside.fetch_add(1, Relaxed) + 1;
                if now > room.most.load(Relaxed) {
                    room.most.store(now, Relaxed);
                }
                ctx.sleep(2);
                room.inside.fetch_sub(1, Relaxed);
                drop(permit);
            }
            Ok(())
        })?;
        children.push(child, GFP_KERNEL)?;
    }
    for child in &children {
        ensure!(is_done(child));
    }
    ensure!(room.most.load(Relaxed) == 3);
    ensure!(room.inside.load(Relaxed) == 0);
    Ok(())
}

fn semaphore_try() -> Result {
    let sem = semaphore(1)?;
    let permit = sem.try_down().ok_or(EINVAL)?;
    ensure!(sem.try_down().is_none());
    drop(permit);
    // As a count: nothing is given back by itself.
    sem.try_down().ok_or(EINVAL)?.keep();
    ensure!(sem.try_down().is_none());
    sem.up();
    sem.up();
    let (a, b) = (sem.try_down(), sem.try_down());
    ensure!(a.is_some() && b.is_some());
    ensure!(sem.try_down().is_none());
    Ok(())
}

fn semaphore_timeout() -> Result {
    let sem = semaphore(1)?;
    drop(sem.down_timeout(Context::jiffies(HOUR_MS))?);
    let permit = sem.down();
    // A jiffy less may be, as the first is a part of one.
    lasts(20, || {
        ensure!(sem.down_timeout(Context::jiffies(30)).err() == Some(ETIME));
        Ok(())
    })?;
    drop(permit);
    ensure!(sem.try_down().is_some());
    Ok(())
}

fn semaphore_stop() -> Result {
    let sem = semaphore(0)?;
    let waiter = taker(&sem, |sem| sem.down_interruptible())?;
    ensure!(stop_gives(&waiter, EINTR));
    sem.up();
    ensure!(sem.try_down().is_some());
    Ok(())
}

fn semaphore_killable_stop() -> Result {
    let sem = semaphore(0)?;
    let waiter = taker(&sem, |sem| sem.down_killable())?;
    ensure!(stop_ends_only_after(waiter, || sem.up())?);
    ensure!(sem.try_down().is_none());
    Ok(())
}

fn semaphore_timeout_stop() -> Result {
    let sem = semaphore(0)?;
    // As good as no limit.
    let waiter = taker(&sem, |sem| sem.down_timeout(Jiffies::MAX))?;
    ensure!(stop_ends_only_after(waiter, || sem.up())?);
    ensure!(sem.try_down().is_none());
    Ok(())
}

fn semaphore_up_from_interrupt() -> Result {
    let sem = semaphore(0)?;
    let theirs = sem.clone();
    ensure!(sem.try_down().is_none());
    let timer = Hard::once(Delta::from_millis(10), move || theirs.up())?;
    let got = sem.down_timeout(Context::jiffies(20_000)).map(drop);
    drop(timer);
    ensure!(got.is_ok());
    Ok(())
}

fn rwsem() -> Result<Arc<RwSemaphore<u64>>> {
    Arc::pin_init(new_rwsem!(0, "test_rwsem"), GFP_KERNEL)
}

/// Readers are inside together, writers alone.
fn rwsem_shares() -> Result {
    let sem = rwsem()?;
    let seen = Arc::new(Atomic::<u64>::new(u64::MAX), GFP_KERNEL)?;
    let reading = sem.read();
    let (other, flag) = (sem.clone(), seen.clone());
    let reader = spawn(c"reader", move |_| {
        flag.store(*other.read_interruptible()?, Release);
        Ok(())
    })?;
    // It gets in though this one reads.
    let together = is_done(&reader) && seen.load(Acquire) == 0;
    let tries = sem.try_read().is_some() && sem.try_write().is_none();
    let other = sem.clone();
    let writer = spawn(c"writer", move |_| {
        *other.write_killable()? += 1;
        Ok(())
    })?;
    a_while();
    let kept_out = *reading == 0;
    drop(reading);
    ensure!(together && tries && kept_out);
    ensure!(is_done(&writer));

    let mut writing = sem.write();
    let alone = sem.try_read().is_none() && sem.try_write().is_none();
    *writing += 1;
    drop(writing);
    ensure!(alone);
    ensure!(*sem.read_killable()? == 2);
    ensure!(sem.try_write().is_some());
    Ok(())
}

/// From writing to reading: readers come in at once, a writer that waits does not.
fn rwsem_downgrade() -> Result {
    let sem = rwsem()?;
    let mut writing = sem.write();
    *writing = 1;

    let (other, seen) = (sem.clone(), Arc::new(Atomic::<u64>::new(0), GFP_KERNEL)?);
    let flag = seen.clone();
    let reader = spawn(c"reader", move |_| {
        flag.store(*other.read(), Release);
        Ok(())
    })?;
    a_while();
    let kept_out = seen.load(Acquire) == 0;
    let other = sem.clone();
    let writer = spawn(c"writer", move |_| {
        *other.write() = 2;
        Ok(())
    })?;
    a_while();
    let reading = writing.downgrade();
    let came_in = eventually(|| seen.load(Acquire) == 1);
    a_while();
    let value = *reading;
    drop(reading);
    ensure!(kept_out && came_in && value == 1);
    ensure!(is_done(&reader) && is_done(&writer));
    ensure!(*sem.read() == 2);
    Ok(())
}

fn rwsem_stop() -> Result {
    let sem = rwsem()?;
    let writing = sem.write();
    let other = sem.clone();
    let reader = spawn(c"reader", move |_| {
        let _ = *other.read_interruptible()?;
        Ok(())
    })?;
    let ended = stop_gives(&reader, EINTR);
    drop(writing);
    ensure!(ended);
    ensure!(sem.try_write().is_some());
    Ok(())
}

/// Neither kind of killable wait is ended by a stop.
fn rwsem_killable_stop() -> Result {
    let sem = rwsem()?;
    let writing = sem.write();
    let other = sem.clone();
    let reader = spawn(c"reader", move |_| {
        let _ = *other.read_killable()?;
        Ok(())
    })?;
    ensure!(stop_ends_only_after(reader, || drop(writing))?);

    let reading = sem.read();
    let other = sem.clone();
    let writer = spawn(c"writer", move |_| {
        *other.write_killable()? += 1;
        Ok(())
    })?;
    ensure!(stop_ends_only_after(writer, || drop(reading))?);
    ensure!(*sem.read() == 1);
    Ok(())
}

fn percpu_rwsem_shares() -> Result {
    let sem: Arc<PerCpuRwSemaphore<u64>> =
        Arc::pin_init(new_percpu_rwsem!(0, "test_percpu_rwsem"), GFP_KERNEL)?;
    let reading = sem.read();
    let second = sem.try_read().is_some();
    let other = sem.clone();
    let writer = spawn(c"writer", move |_| {
        *other.write() += 1;
        Ok(())
    })?;
    a_while();
    let before = *reading;
    drop(reading);
    ensure!(second && before == 0);
    ensure!(is_done(&writer));

    let mut writing = sem.write();
    *writing += 1;
    let out = sem.try_read().is_none();
    drop(writing);
    ensure!(out);
    ensure!(*sem.read() == 2);
    Ok(())
}
