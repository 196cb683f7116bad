// SPDX-License-Identifier: GPL-2.0

//! Sequence locks in interrupts: those that try, and those that write.

use super::{
    eventually,
    seqlock::{next, number, reader, Record},
    timers::{Hard, HardUnlessRt, Interrupt, Soft, Timer},
    tokens::is_free,
};
use childkernel::{
    new_seqlock,
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        seqlock::{SeqLockIn, Variant},
        SeqLock, SeqLockBh, SeqLockIrq,
    },
};
use core::cell::Cell;
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::udelay, Delta},
};

cases!(sync_seqlock_irq:
    seqlock_try_in_interrupt,
    seqlock_bh_from_softirq,
    seqlock_irq_from_hardirq,
);

/// What a try of each gave, and whether it was where it should be.
fn tried(lock: &SeqLock<Record>, there: bool) -> u64 {
    read(lock, there) | u64::from(lock.try_write().is_none()) << 3
}

/// The same of one that only reads, which is allowed everywhere.
fn read(lock: &SeqLock<Record>, there: bool) -> u64 {
    let read = lock.try_read(10).is_none();
    1 | u64::from(there) << 1 | u64::from(read) << 2
}

/// A timer that tries once, and what it has seen then.
fn trier<I: Interrupt>(
    lock: &Arc<SeqLock<Record>>,
    tries: fn(&SeqLock<Record>, bool) -> u64,
) -> Result<(Arc<Timer<I>>, Arc<Atomic<u64>>)> {
    let seen = Arc::new(Atomic::new(0), GFP_KERNEL)?;
    let (lock, theirs) = (lock.clone(), seen.clone());
    let timer = I::timer(Delta::from_micros(300), move || {
        theirs.store(tries(&lock, I::is_here()), Release);
        false
    })?;
    Ok((timer, seen))
}

/// An interrupt that came to the CPU of a writer, in its section, waits for nothing.
fn seqlock_try_in_interrupt() -> Result {
    let lock: Arc<SeqLock<Record>> =
        Arc::pin_init(new_seqlock!([0; 4], "test_seqlock"), GFP_KERNEL)?;
    let (hard, in_hard) = trier::<HardUnlessRt>(&lock, tried)?;
    let (soft, in_soft) = trier::<Soft>(&lock, tried)?;
    let (peek, has_read) = trier::<Hard>(&lock, read)?;
    let seen = [in_hard, in_soft, has_read];
    let writing = lock.write();
    // A writer does not leave its CPU, so all come here; on a busy host after seconds.
    let timers = (
        HardUnlessRt::start(&hard),
        Soft::start(&soft),
        Hard::start(&peek),
    );
    for _ in 0..100_000 {
        if seen.iter().all(|seen| seen.load(Acquire) != 0) {
            break;
        }
        udelay(Delta::from_micros(50));
    }
    drop(writing);
    drop(timers);
    ensure!(seen.each_ref().map(|seen| seen.load(Relaxed)) == [0b1111, 0b1111, 0b111]);
    ensure!(lock.try_read(1) == Some([0; 4]));
    ensure!(lock.try_write().is_some());
    Ok(())
}

/// Interrupts, a thread and a reader write and read: no write is lost, no copy torn.
fn from_interrupt<I: Interrupt, V: Variant + 'static>(lock: Arc<SeqLockIn<Record, V>>) -> Result {
    let reads = Arc::new(Atomic::<u64>::new(0), GFP_KERNEL)?;
    let reader = reader(&lock, &reads)?;
    let written = Arc::new(Atomic::<u64>::new(0), GFP_KERNEL)?;
    let (theirs, count) = (lock.clone(), written.clone());
    let timer = I::every(Delta::from_micros(500), move || {
        theirs.write().update(next);
        if number(theirs.read()).is_some() {
            count.fetch_add(1, Release);
        }
    })?;
    let own = Cell::new(0u64);
    let enough = eventually(|| {
        for _ in 0..1000 {
            lock.write().update(next);
        }
        own.set(own.get() + 1000);
        written.load(Acquire) >= 100 && reads.load(Relaxed) >= 1000
    });
    drop(timer);
    reader.stop();
    ensure!(enough);
    ensure!(reader.record().error().is_none());
    ensure!(number(lock.read()) == Some(own.get() + written.load(Acquire)));
    ensure!(is_free());
    Ok(())
}

fn seqlock_irq_from_hardirq() -> Result {
    let lock: Arc<SeqLockIrq<Record>> =
        Arc::pin_init(new_seqlock!([0; 4], "test_seqlock"), GFP_KERNEL)?;
    from_interrupt::<HardUnlessRt, _>(lock)
}

fn seqlock_bh_from_softirq() -> Result {
    let lock: Arc<SeqLockBh<Record>> =
        Arc::pin_init(new_seqlock!([0; 4], "test_seqlock"), GFP_KERNEL)?;
    from_interrupt::<Soft, _>(lock)
}
