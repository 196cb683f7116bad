// SPDX-License-Identifier: GPL-2.0

//! Where nothing may wait: attempts in hard and soft interrupts and with preemption off.
//!
//! An attempt there fails if the lock is held, even by the very task that was interrupted, and
//! succeeds if it is free.

use super::{
    attempt::{fails_beside_holder, fails_over_holder, keeps_off, keeps_off_unless_rt},
    timers::{Hard, Interrupt, Soft},
};
use childkernel::{
    new_completion, new_percpu_rwsem, new_raw_spinlock, new_raw_spinlock_irq, new_rwlock,
    new_rwsem, new_semaphore, new_spinlock_bh,
    sync::{
        atomic::{Acquire, Atomic, Release},
        new_mutex, new_spinlock, new_spinlock_irq,
        preempt::preempt_disable,
        rwlock::{RwLockIn, Variant},
        Completion, Mutex, PerCpuRwSemaphore, RawSpinLock, RawSpinLockIrq, ResilientSpinLock,
        ResilientSpinLockIrq, RwLock, RwLockBh, RwLockIrq, RwSemaphore, Semaphore, SpinLock,
        SpinLockBh, SpinLockIrq,
    },
};
use kernel::{prelude::*, sync::Arc};

cases!(sync_interrupts:
    spinlock_try_in_interrupt,
    spinlock_irq_try_in_interrupt,
    spinlock_bh_try_in_softirq,
    raw_spinlock_try_in_interrupt,
    raw_spinlock_irq_try_in_interrupt,
    rwlock_try_in_interrupt,
    rwlock_irq_try_in_interrupt,
    rwlock_bh_try_in_softirq,
    semaphore_try_in_interrupt,
    completion_try_in_interrupt,
    resilient_in_interrupt,
    locks_try_without_preemption,
    irq_locks_keep_interrupts_off,
    bh_locks_keep_softirqs_off,
);

/// What the two parts of a case want of a lock: an attempt, and to hold it.
macro_rules! both {
    ($lock:expr, $try_it:ident, $hold:ident) => {{
        let (ours, theirs) = ($lock.clone(), $lock.clone());
        (
            move || ours.$try_it().is_some(),
            move |inside: &mut dyn FnMut()| {
                let guard = theirs.$hold();
                inside();
                drop(guard);
            },
        )
    }};
}

fn spinlock_try_in_interrupt() -> Result {
    let lock: Arc<SpinLock<()>> = Arc::pin_init(new_spinlock!((), "test_spin"), GFP_KERNEL)?;
    let (try_it, with_held) = both!(lock, try_lock, lock);
    fails_over_holder(try_it, with_held)
}

fn raw_spinlock_try_in_interrupt() -> Result {
    let lock: Arc<RawSpinLock<()>> = Arc::pin_init(new_raw_spinlock!((), "test_raw"), GFP_KERNEL)?;
    let (try_it, with_held) = both!(lock, try_lock, lock);
    fails_over_holder(try_it, with_held)
}

fn spinlock_irq_try_in_interrupt() -> Result {
    let lock: Arc<SpinLockIrq<()>> =
        Arc::pin_init(new_spinlock_irq!((), "test_spin_irq"), GFP_KERNEL)?;
    let (try_it, with_held) = both!(lock, try_lock, lock);
    fails_beside_holder::<Hard>("spinlock_irq_try_in_interrupt", try_it, with_held)?;
    let (try_it, with_held) = both!(lock, try_lock, lock);
    fails_beside_holder::<Soft>("spinlock_irq_try_in_interrupt", try_it, with_held)
}

fn raw_spinlock_irq_try_in_interrupt() -> Result {
    let lock: Arc<RawSpinLockIrq<()>> =
        Arc::pin_init(new_raw_spinlock_irq!((), "test_raw_irq"), GFP_KERNEL)?;
    let (try_it, with_held) = both!(lock, try_lock, lock);
    fails_beside_holder::<Hard>("raw_spinlock_irq_try_in_interrupt", try_it, with_held)?;
    let (try_it, with_held) = both!(lock, try_lock, lock);
    fails_beside_holder::<Soft>("raw_spinlock_irq_try_in_interrupt", try_it, with_held)
}

fn spinlock_bh_try_in_softirq() -> Result {
    let lock: Arc<SpinLockBh<()>> =
        Arc::pin_init(new_spinlock_bh!((), "test_spin_bh"), GFP_KERNEL)?;
    let (try_it, with_held) = both!(lock, try_lock, lock);
    fails_beside_holder::<Soft>("spinlock_bh_try_in_softirq", try_it, with_held)
}

/// Readers go past a reader, so what keeps them out is a writer.
fn rwlock_try_in_interrupt() -> Result {
    let lock: Arc<RwLock<()>> = Arc::pin_init(new_rwlock!((), "test_rw"), GFP_KERNEL)?;
    let (try_it, with_held) = both!(lock, try_read, write);
    fails_over_holder(try_it, with_held)?;
    let (try_it, with_held) = both!(lock, try_write, read);
    fails_over_holder(try_it, with_held)
}

/// The attempts of a lock that is one kind of interrupt's.
fn rwlock_beside<I: Interrupt, V: Variant + 'static>(
    case: &str,
    lock: Arc<RwLockIn<(), V>>,
) -> Result {
    let (try_it, with_held) = both!(lock, try_read, write);
    fails_beside_holder::<I>(case, try_it, with_held)?;
    let (try_it, with_held) = both!(lock, try_write, read);
    fails_beside_holder::<I>(case, try_it, with_held)
}

fn rwlock_irq_try_in_interrupt() -> Result {
    let lock: Arc<RwLockIrq<()>> = Arc::pin_init(new_rwlock!((), "test_rw_irq"), GFP_KERNEL)?;
    rwlock_beside::<Hard, _>("rwlock_irq_try_in_interrupt", lock.clone())?;
    rwlock_beside::<Soft, _>("rwlock_irq_try_in_interrupt", lock)
}

fn rwlock_bh_try_in_softirq() -> Result {
    let lock: Arc<RwLockBh<()>> = Arc::pin_init(new_rwlock!((), "test_rw_bh"), GFP_KERNEL)?;
    rwlock_beside::<Soft, _>("rwlock_bh_try_in_softirq", lock)
}

fn semaphore_try_in_interrupt() -> Result {
    let sem: Arc<Semaphore> = Arc::pin_init(new_semaphore!(1, "test_semaphore"), GFP_KERNEL)?;
    let (try_it, with_held) = both!(sem, try_down, down);
    fails_over_holder(try_it, with_held)
}

/// Each attempt that succeeds completes it again.
fn completion_try_in_interrupt() -> Result {
    let done: Arc<Completion> = Arc::pin_init(new_completion!("test_completion"), GFP_KERNEL)?;
    done.complete();
    let (ours, theirs) = (done.clone(), done.clone());
    let try_it = move || {
        let got = ours.try_wait();
        if got {
            ours.complete();
        }
        got
    };
    fails_over_holder(try_it, move |inside| {
        theirs.wait();
        inside();
        theirs.complete();
    })?;
    ensure!(done.try_wait() && !done.try_wait());
    Ok(())
}

/// An interrupt that wants what it has interrupted is told so.
fn resilient_in_interrupt() -> Result {
    let lock: Arc<ResilientSpinLock<()>> = Arc::pin_init(ResilientSpinLock::new(()), GFP_KERNEL)?;
    let error = Arc::new(Atomic::<i32>::new(0), GFP_KERNEL)?;
    let (ours, theirs, seen) = (lock.clone(), lock.clone(), error.clone());
    let try_it = move || match ours.lock() {
        Ok(_) => true,
        Err(error) => {
            seen.store(error.to_errno(), Release);
            false
        }
    };
    fails_over_holder(try_it, move |inside| {
        let guard = theirs.lock();
        inside();
        drop(guard);
    })?;
    ensure!(error.load(Acquire) == EDEADLK.to_errno());
    ensure!(lock.lock().is_ok());
    Ok(())
}

/// Ends a case unless an attempt fails while it is held, and succeeds when it is free, where
/// nothing may sleep.
macro_rules! ensure_atomic {
    ($lock:expr, $try_it:ident, $hold:ident) => {
        let guard = $lock.$hold();
        let here = preempt_disable();
        let failed = $lock.$try_it().is_none();
        drop(here);
        drop(guard);
        let here = preempt_disable();
        let got = $lock.$try_it().is_some();
        drop(here);
        ensure!(failed && got);
    };
}

/// Those that sleep have attempts as well, for tasks that must not just now.
fn locks_try_without_preemption() -> Result {
    let mutex: Arc<Mutex<()>> = Arc::pin_init(new_mutex!((), "test_mutex"), GFP_KERNEL)?;
    ensure_atomic!(mutex, try_lock, lock);
    let sem: Arc<Semaphore> = Arc::pin_init(new_semaphore!(1, "test_semaphore"), GFP_KERNEL)?;
    ensure_atomic!(sem, try_down, down);
    let rwsem: Arc<RwSemaphore<()>> = Arc::pin_init(new_rwsem!((), "test_rwsem"), GFP_KERNEL)?;
    ensure_atomic!(rwsem, try_read, write);
    ensure_atomic!(rwsem, try_write, read);
    let percpu: Arc<PerCpuRwSemaphore<()>> =
        Arc::pin_init(new_percpu_rwsem!((), "test_percpu"), GFP_KERNEL)?;
    ensure_atomic!(percpu, try_read, write);
    let spin: Arc<SpinLock<()>> = Arc::pin_init(new_spinlock!((), "test_spin"), GFP_KERNEL)?;
    ensure_atomic!(spin, try_lock, lock);
    let rwlock: Arc<RwLock<()>> = Arc::pin_init(new_rwlock!((), "test_rw"), GFP_KERNEL)?;
    ensure_atomic!(rwlock, try_read, write);
    ensure_atomic!(rwlock, try_write, read);
    Ok(())
}

/// The second half of what [`both!`] makes.
macro_rules! holding {
    ($lock:expr, $hold:ident) => {
        |inside: &mut dyn FnMut()| {
            let guard = $lock.$hold();
            inside();
            drop(guard);
        }
    };
}

fn irq_locks_keep_interrupts_off() -> Result {
    let spin: Arc<SpinLockIrq<()>> =
        Arc::pin_init(new_spinlock_irq!((), "test_spin_irq"), GFP_KERNEL)?;
    keeps_off_unless_rt(holding!(spin, lock))?;
    let raw: Arc<RawSpinLockIrq<()>> =
        Arc::pin_init(new_raw_spinlock_irq!((), "test_raw_irq"), GFP_KERNEL)?;
    keeps_off::<Hard>(holding!(raw, lock))?;
    let rwlock: Arc<RwLockIrq<()>> = Arc::pin_init(new_rwlock!((), "test_rw_irq"), GFP_KERNEL)?;
    keeps_off_unless_rt(holding!(rwlock, read))?;
    keeps_off_unless_rt(holding!(rwlock, write))?;
    let resilient: Arc<ResilientSpinLockIrq<()>> =
        Arc::pin_init(ResilientSpinLockIrq::new(()), GFP_KERNEL)?;
    keeps_off::<Hard>(holding!(resilient, lock))
}

fn bh_locks_keep_softirqs_off() -> Result {
    let spin: Arc<SpinLockBh<()>> =
        Arc::pin_init(new_spinlock_bh!((), "test_spin_bh"), GFP_KERNEL)?;
    keeps_off::<Soft>(holding!(spin, lock))?;
    let rwlock: Arc<RwLockBh<()>> = Arc::pin_init(new_rwlock!((), "test_rw_bh"), GFP_KERNEL)?;
    keeps_off::<Soft>(holding!(rwlock, read))?;
    keeps_off::<Soft>(holding!(rwlock, write))
}
