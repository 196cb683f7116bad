// SPDX-License-Identifier: GPL-2.0

//! Sequence counts: the writers hold a lock of their own, and it is the right one.

use super::{
    eventually, is_done,
    readings::Readings,
    spawn,
    timers::{HardUnlessRt, Interrupt},
    tokens::is_free,
};
use childkernel::{
    new_raw_spinlock, new_rwlock, new_seqcount, new_spinlock_bh,
    sync::{
        atomic::{Atomic, Relaxed},
        new_mutex, new_spinlock, new_spinlock_irq,
        preempt::{irqs_disabled, preempt_count},
        seqcount::Outer,
        Mutex, MutexExt, RawSpinLock, RwLock, SeqCount, SpinLock, SpinLockBh, SpinLockIrq,
    },
};
use core::ops::DerefMut;
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::udelay, Delta},
};

cases!(sync_seqcount:
    seqcount_mutex,
    seqcount_spinlock,
    seqcount_spinlock_bh,
    seqcount_spinlock_irq,
    seqcount_raw_spinlock,
    seqcount_rwlock,
    seqcount_writer_inside,
    seqcount_storm_of_writers,
    seqcount_write_not_preempted,
    seqcount_read_in_interrupt,
    seqcount_other_guard,
    seqcount_interruptible,
);

/// A record of one number: large, so that a reader meets writers.
type Record = [u64; 32];

/// The lock protects the number, of which the record is shown to all.
type Shown<L> = Arc<SeqCount<Record, L>>;

/// A count with such a lock, each with lock classes of its own.
macro_rules! shown {
    ($outer:expr) => {
        Arc::pin_init(new_seqcount!([0; 32], $outer, "test_seqcount"), GFP_KERNEL)?
    };
}

/// The number of a record, if it is whole.
fn number(record: Record) -> Option<u64> {
    let [n, ..] = record;
    (record == [n; 32]).then_some(n)
}

/// Adds to the number, and shows it.
fn add<L: Outer<Data = u64> + 'static>(shown: &SeqCount<Record, L>)
where
    for<'a> L::Guard<'a>: DerefMut,
{
    let mut guard = shown.lock();
    *guard += 1;
    let n = *guard;
    guard.write().store([n; 32]);
}

/// Two write, one reads: no copy is torn or goes back, and nothing is lost.
fn holds<L: Outer<Data = u64> + Send + Sync + 'static>(shown: Shown<L>) -> Result
where
    for<'a> L::Guard<'a>: DerefMut,
{
    let writes = Arc::new(Atomic::<u64>::new(0), GFP_KERNEL)?;
    let writer = || {
        let (shown, writes) = (shown.clone(), writes.clone());
        spawn(c"writer", move |ctx| {
            while !ctx.should_stop() {
                add(&*shown);
                writes.fetch_add(1, Relaxed);
                // Or a reader may have to wait for its luck for seconds.
                udelay(Delta::from_micros(5));
            }
            Ok(())
        })
    };
    let writers = [writer()?, writer()?];
    let readings = Readings::new(300)?;
    let enough = readings.reach(1, || {
        readings.note(number(shown.read()));
        readings.note(number(shown.read_or_lock(1)));
        if let Some(record) = readings.tried(shown.try_read(1)) {
            readings.note(number(record));
        }
    });
    for writer in &writers {
        writer.stop();
    }
    ensure!(enough);
    ensure!(readings.are_right());
    ensure!(number(shown.read()) == Some(writes.load(Relaxed)));
    ensure!(*shown.lock() == writes.load(Relaxed));

    // Held, it is not taken by trying; but it is read.
    let held = shown.lock();
    let (locked, read) = (shown.try_lock().is_none(), shown.try_read(1));
    let same = read == Some(held.load());
    drop(held);
    ensure!(locked && same);
    ensure!(shown.try_lock().is_some());
    ensure!(is_free());
    Ok(())
}

fn seqcount_mutex() -> Result {
    holds::<Mutex<u64>>(shown!(new_mutex!(0, "test_mutex")))
}

fn seqcount_spinlock() -> Result {
    holds::<SpinLock<u64>>(shown!(new_spinlock!(0, "test_spin")))
}

fn seqcount_spinlock_bh() -> Result {
    holds::<SpinLockBh<u64>>(shown!(new_spinlock_bh!(0, "test_spin_bh")))
}

fn seqcount_spinlock_irq() -> Result {
    holds::<SpinLockIrq<u64>>(shown!(new_spinlock_irq!(0, "test_spin_irq")))
}

fn seqcount_raw_spinlock() -> Result {
    holds::<RawSpinLock<u64>>(shown!(new_raw_spinlock!(0, "test_raw")))
}

fn seqcount_rwlock() -> Result {
    holds::<RwLock<u64>>(shown!(new_rwlock!(0, "test_rw")))
}

/// A reader that tries gives up on a writer that is inside, and stores are seen when it is out.
fn seqcount_writer_inside() -> Result {
    let shown: Shown<Mutex<u64>> = shown!(new_mutex!(0, "test_mutex"));
    let mut guard = shown.lock();
    let mut writing = guard.write();
    writing.store([7; 32]);
    let given_up = shown.try_read(1000).is_none();
    writing.update(|[n, ..]| [n + 1; 32]);
    let mine = writing.load();
    drop(writing);
    let out = shown.try_read(1);
    drop(guard);
    ensure!(given_up && mine == [8; 32] && out == Some(mine));
    Ok(())
}

/// Where writers are nearly always inside, a reader gets through by their lock.
fn seqcount_storm_of_writers() -> Result {
    let shown: Shown<SpinLock<u64>> = shown!(new_spinlock!(0, "test_spin"));
    let writer = || {
        let shown = shown.clone();
        spawn(c"writer", move |ctx| {
            while !ctx.should_stop() {
                let mut guard = shown.lock();
                let mut writing = guard.write();
                let [n, ..] = writing.load();
                writing.store(core::array::from_fn(|i| n + i as u64));
                udelay(Delta::from_micros(20));
                writing.store([n + 1; 32]);
                drop(writing);
                drop(guard);
                udelay(Delta::from_micros(10));
            }
            Ok(())
        })
    };
    let writers = [writer()?, writer()?];
    let readings = Readings::new(20)?;
    let enough = readings.reach(100, || {
        readings.tried(shown.try_read(1));
        readings.note(number(shown.read_or_lock(1)));
    });
    for writer in &writers {
        writer.stop();
    }
    ensure!(enough);
    ensure!(readings.are_right());
    Ok(())
}

/// A mutex leaves preemption on, the write side does not: a reader that preempted it would spin
/// for ever. On `PREEMPT_RT`, where such a reader takes the lock, nothing is switched off.
fn seqcount_write_not_preempted() -> Result {
    const RT: bool = cfg!(CONFIG_PREEMPT_RT);

    let shown: Shown<Mutex<u64>> = shown!(new_mutex!(0, "test_mutex"));
    let mut guard = shown.lock();
    let before = preempt_count();
    let writing = guard.write();
    let inside = preempt_count();
    drop(writing);
    let after = preempt_count();
    drop(guard);
    ensure!(before == 0 && inside == u32::from(!RT) && after == 0);

    // A spinlock has done so already.
    let shown: Shown<SpinLockIrq<u64>> = shown!(new_spinlock_irq!(0, "test_spin_irq"));
    let mut guard = shown.lock();
    let before = preempt_count();
    let writing = guard.write();
    let inside = preempt_count();
    let off = irqs_disabled();
    drop(writing);
    let still = irqs_disabled();
    drop(guard);
    ensure!(before == inside && off != RT && still != RT);
    ensure!(is_free());
    Ok(())
}

/// Under a lock that keeps interrupts off, readers in these never meet the writer they came to.
fn seqcount_read_in_interrupt() -> Result {
    let shown: Shown<SpinLockIrq<u64>> = shown!(new_spinlock_irq!(0, "test_spin_irq"));
    let seen = Arc::new([const { Atomic::<u64>::new(0) }; 2], GFP_KERNEL)?;
    let (theirs, counts) = (shown.clone(), seen.clone());
    let timer = HardUnlessRt::every(Delta::from_micros(500), move || {
        let [whole, torn] = &*counts;
        match number(theirs.read()) {
            Some(_) => whole.add(1, Relaxed),
            None => torn.add(1, Relaxed),
        }
    })?;
    let [whole, torn] = &*seen;
    let enough = eventually(|| {
        for _ in 0..1000 {
            add(&*shown);
        }
        whole.load(Relaxed) >= 100
    });
    drop(timer);
    ensure!(enough);
    ensure!(torn.load(Relaxed) == 0);
    ensure!(is_free());
    Ok(())
}

/// The guard of another lock of the same kind does not open the write side, and is let go.
fn seqcount_other_guard() -> Result {
    let shown: Shown<Mutex<u64>> = shown!(new_mutex!(1, "test_mutex"));
    let other: Shown<Mutex<u64>> = shown!(new_mutex!(2, "test_other"));
    let alone: Arc<Mutex<u64>> = Arc::pin_init(new_mutex!(3, "test_alone"), GFP_KERNEL)?;

    ensure!(shown.adopt(other.outer().lock()).err() == Some(EINVAL));
    ensure!(shown.adopt(alone.lock()).err() == Some(EINVAL));
    ensure!(other.try_lock().is_some() && alone.try_lock().is_some());

    let mut guard = shown.adopt(shown.outer().lock())?;
    let held = shown.try_lock().is_none() && *guard == 1;
    guard.write().store([9; 32]);
    drop(guard);
    ensure!(held && shown.read() == [9; 32]);

    let shown: Shown<RwLock<u64>> = shown!(new_rwlock!(1, "test_rw"));
    let other: Shown<RwLock<u64>> = shown!(new_rwlock!(2, "test_other"));
    ensure!(shown.adopt(other.outer().write()).err() == Some(EINVAL));
    ensure!(other.try_lock().is_some());
    shown.adopt(shown.outer().write())?.write().store([9; 32]);
    ensure!(*shown.outer().read() == 1 && shown.read() == [9; 32]);
    ensure!(is_free());
    Ok(())
}

/// The writers' lock may be taken as it can be without a count.
fn seqcount_interruptible() -> Result {
    let shown: Shown<Mutex<u64>> = shown!(new_mutex!(0, "test_mutex"));
    let theirs = shown.clone();
    let writer = spawn(c"writer", move |_| {
        let mut guard = theirs.adopt(theirs.outer().lock_interruptible()?)?;
        *guard = 3;
        guard.write().store([3; 32]);
        Ok(())
    })?;
    ensure!(is_done(&writer));
    ensure!(*shown.lock() == 3 && shown.read() == [3; 32]);
    Ok(())
}
