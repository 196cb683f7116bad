// SPDX-License-Identifier: GPL-2.0

//! Locks taken where an interrupt may wait for what it has interrupted: each wrong cell of the table
//! "data shared between" of `sync.rs` that has a lock at all.

use super::{
    eventually,
    timers::{Hard, HardUnlessRt, Interrupt, Soft},
};
use childkernel::{
    new_raw_spinlock, new_rwlock, new_seqlock,
    stats::Counted,
    sync::{
        atomic::{Acquire, Atomic, Release},
        new_mutex, new_spinlock, new_spinlock_irq, Mutex, RawSpinLock, RwLock, SeqLock, SpinLock,
        SpinLockIrq,
    },
};
use kernel::{
    prelude::*,
    sync::{rcu, Arc},
    time::{delay::fsleep, Delta},
    workqueue,
};

list_cases!("deadlock":
    deadlock_process_softirq,
    deadlock_process_bh_work,
    deadlock_process_hardirq,
    deadlock_softirq_hardirq,
    deadlock_bh_work_hardirq,
    deadlock_reader_softirq,
    deadlock_seqlock_softirq,
    deadlock_irq_order,
    deadlock_sleeping_in_spinlock,
    deadlock_counted_in_spinlock,
    deadlock_spinlock_in_raw,
    deadlock_spinlock_in_hardirq,
    deadlock_sleeping_in_rcu,
);

/// Something that takes a lock, and gives it back.
type Use = Arc<dyn Fn() + Send + Sync>;

fn spinlock(name: &'static CStr) -> Result<Use> {
    let lock: Arc<SpinLock<u32>> = Arc::pin_init(
        SpinLock::new(0, name, kernel::static_lock_class!()),
        GFP_KERNEL,
    )?;
    Ok(Arc::new(move || *lock.lock() += 1, GFP_KERNEL)?)
}

/// Has it called once in an interrupt, and waits until that is over.
fn in_interrupt<I: Interrupt>(call: &Use) -> Result {
    let done = Arc::new(Atomic::<bool>::new(false), GFP_KERNEL)?;
    let (call, says) = (call.clone(), done.clone());
    let _timer = I::once(Delta::from_millis(1), move || {
        call();
        says.store(true, Release);
    })?;
    ensure!(eventually(|| done.load(Acquire)));
    Ok(())
}

/// The same in the work of a bottom-half workqueue.
fn in_bh_work(call: &Use) -> Result {
    let done = Arc::new(Atomic::<bool>::new(false), GFP_KERNEL)?;
    let (call, says) = (call.clone(), done.clone());
    workqueue::system_bh().try_spawn(GFP_KERNEL, move || {
        call();
        says.store(true, Release);
    })?;
    ensure!(eventually(|| done.load(Acquire)));
    Ok(())
}

fn deadlock_process_softirq() -> Result {
    let call = spinlock(c"deadlock_process_softirq")?;
    in_interrupt::<Soft>(&call)?;
    call();
    Ok(())
}

fn deadlock_process_bh_work() -> Result {
    let call = spinlock(c"deadlock_process_bh_work")?;
    in_bh_work(&call)?;
    call();
    Ok(())
}

fn deadlock_process_hardirq() -> Result {
    let call = spinlock(c"deadlock_process_hardirq")?;
    in_interrupt::<HardUnlessRt>(&call)?;
    call();
    Ok(())
}

fn deadlock_softirq_hardirq() -> Result {
    let call = spinlock(c"deadlock_softirq_hardirq")?;
    in_interrupt::<HardUnlessRt>(&call)?;
    in_interrupt::<Soft>(&call)
}

fn deadlock_bh_work_hardirq() -> Result {
    let call = spinlock(c"deadlock_bh_work_hardirq")?;
    in_interrupt::<HardUnlessRt>(&call)?;
    in_bh_work(&call)
}

/// A reader in an interrupt waits for the writer that it has interrupted.
fn deadlock_reader_softirq() -> Result {
    let lock: Arc<RwLock<u32>> =
        Arc::pin_init(new_rwlock!(0, "deadlock_reader_softirq"), GFP_KERNEL)?;
    let theirs = lock.clone();
    let reads: Use = Arc::new(move || drop(theirs.read()), GFP_KERNEL)?;
    in_interrupt::<Soft>(&reads)?;
    *lock.write() += 1;
    Ok(())
}

/// So does one that tries again and again.
fn deadlock_seqlock_softirq() -> Result {
    let lock: Arc<SeqLock<u64>> =
        Arc::pin_init(new_seqlock!(0, "deadlock_seqlock_softirq"), GFP_KERNEL)?;
    let theirs = lock.clone();
    let reads: Use = Arc::new(
        move || {
            theirs.read();
        },
        GFP_KERNEL,
    )?;
    in_interrupt::<Soft>(&reads)?;
    lock.write().store(1);
    Ok(())
}

/// An interrupt wants A and waits for who has A and wants B, which somebody has whom an interrupt
/// keeps from giving it back.
fn deadlock_irq_order() -> Result {
    let a: Arc<SpinLockIrq<u32>> =
        Arc::pin_init(new_spinlock_irq!(0, "deadlock_irq_safe"), GFP_KERNEL)?;
    let b: Arc<SpinLock<u32>> = Arc::pin_init(new_spinlock!(0, "deadlock_irq_unsafe"), GFP_KERNEL)?;
    let theirs = a.clone();
    let call: Use = Arc::new(move || *theirs.lock() += 1, GFP_KERNEL)?;
    in_interrupt::<HardUnlessRt>(&call)?;
    *b.lock() += 1;
    let _a = a.lock();
    *b.lock() += 1;
    Ok(())
}

fn deadlock_sleeping_in_spinlock() -> Result {
    let outer: Arc<SpinLock<u32>> = Arc::pin_init(new_spinlock!(0, "deadlock_outer"), GFP_KERNEL)?;
    let inner: Arc<Mutex<u32>> = Arc::pin_init(new_mutex!(0, "deadlock_inner"), GFP_KERNEL)?;
    let _outer = outer.lock();
    *inner.lock() += 1;
    Ok(())
}

/// With statistics, and nobody has it.
fn deadlock_counted_in_spinlock() -> Result {
    let outer: Arc<SpinLock<u32>> = Arc::pin_init(new_spinlock!(0, "deadlock_outer"), GFP_KERNEL)?;
    let inner = Counted::new(c"deadlock/inner", new_mutex!(0, "deadlock_inner"));
    let inner: Pin<KBox<Counted<Mutex<u32>>>> = KBox::pin_init(inner, GFP_KERNEL)?;
    let outer = outer.lock();
    **inner.lock() += 1;
    // The statistics are taken off their list, which sleeps too.
    drop(outer);
    Ok(())
}

/// What sleeps on `PREEMPT_RT`, inside of what does not.
fn deadlock_spinlock_in_raw() -> Result {
    let outer: Arc<RawSpinLock<u32>> =
        Arc::pin_init(new_raw_spinlock!(0, "deadlock_outer"), GFP_KERNEL)?;
    let call = spinlock(c"deadlock_inner")?;
    let _outer = outer.lock();
    call();
    Ok(())
}

fn deadlock_spinlock_in_hardirq() -> Result {
    in_interrupt::<Hard>(&spinlock(c"deadlock_spinlock_in_hardirq")?)
}

fn deadlock_sleeping_in_rcu() -> Result {
    let _guard = rcu::read_lock();
    fsleep(Delta::from_millis(1));
    Ok(())
}
