// SPDX-License-Identifier: GPL-2.0

//! Sequence locks: no reader sees what was not written, no writer waits for one that reads.

use super::{
    cpus::{has_two, needs_two_cpus},
    eventually, is_done,
    readings::Readings,
    spawn,
    tokens::is_free,
};
use childkernel::{
    child::Handle,
    new_seqlock,
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        preempt::{in_softirq, irqs_disabled},
        seqlock::{Bh, Irq, Payload, Plain, SeqLockIn, Variant},
        SeqLock, SeqLockBh, SeqLockIrq,
    },
};
use core::cell::Cell;
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::udelay, Delta},
};

cases!(sync_seqlock:
    seqlock_not_torn,
    seqlock_storm_of_readers,
    seqlock_storm_of_writers,
    seqlock_bh_storm_of_writers,
    seqlock_irq_storm_of_writers,
    seqlock_dead_writer,
    seqlock_try_write,
    seqlock_locked_readers,
    seqlock_any_order,
);

/// A record of one number.
pub(super) type Record = [u64; 4];

pub(super) fn next([n, ..]: Record) -> Record {
    [n.wrapping_add(1); 4]
}

/// The number of a record, if it is whole.
pub(super) fn number(record: Record) -> Option<u64> {
    let [n, ..] = record;
    (record == [n; 4]).then_some(n)
}

/// Each of a class of its own, as each is used in another way.
macro_rules! seqlock {
    () => {
        Arc::pin_init(new_seqlock!([0; 4], "test_seqlock"), GFP_KERNEL)?
    };
}

/// The first is `n`; each is another one if `n` is.
fn bytes<const N: usize>(n: u8) -> [u8; N] {
    core::array::from_fn(|i| n.wrapping_mul((i as u8).wrapping_mul(2) | 1))
}

/// While a child writes without a pause, no copy is a mix of two values.
fn not_torn<T: Payload + PartialEq>(make: fn(u8) -> T) -> Result {
    let lock: Arc<SeqLock<T>> = Arc::pin_init(new_seqlock!(make(0), "test_torn"), GFP_KERNEL)?;
    let theirs = lock.clone();
    let writer = spawn(c"writer", move |ctx| {
        let mut n = 0u8;
        while !ctx.should_stop() {
            n = n.wrapping_add(1);
            theirs.write().store(make(n));
        }
        Ok(())
    })?;
    let readings = Readings::new(10)?;
    // All that is whole counts as the same number.
    let look = |copy: T| {
        let mut bytes = copy;
        let whole = bytes.as_mut_bytes().first().map(|n| make(*n)) == Some(copy);
        readings.note(whole.then_some(0));
    };
    let enough = readings.reach(0, || {
        look(lock.read());
        for _ in 0..3 {
            if let Some(copy) = readings.tried(lock.try_read(1)) {
                look(copy);
            }
        }
    });
    writer.stop();
    look(lock.read());
    ensure!(enough);
    ensure!(readings.are_right());
    Ok(())
}

/// Of all sizes: less than a word, a word, words and a rest, many words; aligned to 1 to 8.
fn seqlock_not_torn() -> Result {
    not_torn(|n| n)?;
    not_torn(|n| u16::from_ne_bytes(bytes(n)))?;
    not_torn(bytes::<3>)?;
    not_torn(bytes::<5>)?;
    not_torn(|n| u64::from_ne_bytes(bytes(n)))?;
    not_torn(|n| [bytes(n), bytes(n), bytes(n)].map(u32::from_ne_bytes))?;
    not_torn(bytes::<17>)?;
    not_torn(|n| [u64::from_ne_bytes(bytes(n)); 64])
}

/// Reads as long as it lives, and fails if that is torn or goes back.
pub(super) fn reader<V: Variant + 'static>(
    lock: &Arc<SeqLockIn<Record, V>>,
    reads: &Arc<Atomic<u64>>,
) -> Result<Handle> {
    let (lock, reads) = (lock.clone(), reads.clone());
    spawn(c"reader", move |ctx| {
        let mut newest = 0;
        while !ctx.should_stop() {
            let n = number(lock.read()).ok_or(EILSEQ)?;
            if n < newest {
                return Err(ESTALE);
            }
            newest = n;
            reads.fetch_add(1, Relaxed);
        }
        Ok(())
    })
}

/// Each of many writes ends, while three read without a pause.
fn seqlock_storm_of_readers() -> Result {
    let lock: Arc<SeqLock<Record>> = seqlock!();
    let reads = Arc::new(Atomic::<u64>::new(0), GFP_KERNEL)?;
    let readers = [
        reader(&lock, &reads)?,
        reader(&lock, &reads)?,
        reader(&lock, &reads)?,
    ];
    let begun = eventually(|| reads.load(Relaxed) >= 100);
    let (before, writes) = (reads.load(Relaxed), Cell::new(0u64));
    let stormy = eventually(|| {
        for _ in 0..5000 {
            lock.write().update(next);
        }
        writes.set(writes.get() + 5000);
        writes.get() >= 20_000 && reads.load(Relaxed) >= before + 1000
    });
    for reader in &readers {
        reader.stop();
        ensure!(reader.record().error().is_none());
    }
    ensure!(begun && stormy);
    ensure!(lock.read() == [writes.get(); 4]);
    Ok(())
}

/// Two write nearly always: a try fails, and a reader that then locks gets through.
fn storm_of_writers<V: Variant + 'static>(lock: Arc<SeqLockIn<Record, V>>) -> Result {
    let writes = Arc::new(Atomic::<u64>::new(0), GFP_KERNEL)?;
    let writer = || {
        let (lock, writes) = (lock.clone(), writes.clone());
        spawn(c"writer", move |ctx| {
            while !ctx.should_stop() {
                let mut guard = lock.write();
                let old = guard.load();
                guard.update(|[n, ..]| [n, 0, 0, n]);
                udelay(Delta::from_micros(20));
                guard.store(next(old));
                drop(guard);
                writes.fetch_add(1, Relaxed);
                udelay(Delta::from_micros(10));
            }
            Ok(())
        })
    };
    let writers = [writer()?, writer()?];
    let readings = Readings::new(20)?;
    let enough = readings.reach(100, || {
        readings.tried(lock.try_read(1));
        readings.note(number(lock.read_or_lock(1)));
    });
    for writer in &writers {
        writer.stop();
    }
    ensure!(enough);
    ensure!(readings.are_right());
    ensure!(number(lock.read()) == Some(writes.load(Relaxed)));
    ensure!(is_free());
    Ok(())
}

fn seqlock_storm_of_writers() -> Result {
    storm_of_writers::<Plain>(seqlock!())
}

fn seqlock_bh_storm_of_writers() -> Result {
    storm_of_writers::<Bh>(seqlock!())
}

fn seqlock_irq_storm_of_writers() -> Result {
    storm_of_writers::<Irq>(seqlock!())
}

/// One who tries to read gives up on a writer of another CPU that does not end in time.
fn gives_up_beside(lock: &Arc<SeqLock<Record>>) -> Result {
    let state = Arc::new(Atomic::<u32>::new(0), GFP_KERNEL)?;
    let (theirs, flag) = (lock.clone(), state.clone());
    let writer = spawn(c"writer", move |_| {
        let mut guard = theirs.write();
        guard.store([1, 1, 0, 0]);
        flag.store(1, Release);
        // Until the other one has given up, 8 s at most: a busy host may let it wait for some.
        for _ in 0..8000 {
            if flag.load(Relaxed) == 2 {
                break;
            }
            udelay(Delta::from_millis(1));
        }
        guard.store([1; 4]);
        Ok(())
    })?;
    let inside = eventually(|| state.load(Acquire) == 1);
    let given_up = lock.try_read(1000).is_none();
    let again = lock.try_write().is_none();
    state.store(2, Release);
    ensure!(inside && given_up && again);
    ensure!(is_done(&writer));
    Ok(())
}

/// One who tries to read gives up on a writer that does not end.
fn seqlock_dead_writer() -> Result {
    let lock: Arc<SeqLock<Record>> = seqlock!();
    if has_two()? {
        gives_up_beside(&lock)?;
    } else {
        let mut guard = lock.write();
        guard.store([1; 4]);
        let given_up = lock.try_read(1000).is_none();
        drop(guard);
        ensure!(given_up);
    }
    ensure!(lock.try_read(1) == Some([1; 4]));

    // And on one that never comes back. What locks does not look at the sequence.
    #[cfg(CONFIG_CHILDKERNEL_TWINS)]
    {
        lock.leave_odd();
        ensure!(lock.try_read(0).is_none());
        ensure!(lock.try_read(1000).is_none());
        ensure!(lock.read_or_lock(3) == [1; 4]);
        ensure!(*lock.read_locked() == [1; 4]);
    }
    Ok(())
}

/// Who tries to write does not wait for one that writes, nor for one that has locked to read.
fn try_write<V: Variant>(lock: Arc<SeqLockIn<Record, V>>) -> Result {
    let mut writing = lock.write();
    let loaded = writing.load();
    writing.store([1; 4]);
    let mine = writing.load();
    let (write, read) = (lock.try_write().is_none(), lock.try_read(10).is_none());
    drop(writing);
    ensure!(loaded == [0; 4] && mine == [1; 4] && write && read);
    ensure!(is_free());

    let reading = lock.read_locked();
    let value = *reading;
    let write = lock.try_write().is_none();
    let read = lock.try_read(1);
    drop(reading);
    ensure!(value == [1; 4] && write && read == Some(value));
    ensure!(is_free());

    let done = lock
        .try_write()
        .map(|mut guard| guard.update(next))
        .is_some();
    ensure!(done && lock.read() == [2; 4]);
    ensure!(is_free());
    Ok(())
}

fn seqlock_try_write() -> Result {
    try_write::<Plain>(seqlock!())?;
    try_write::<Bh>(seqlock!())?;
    try_write::<Irq>(seqlock!())
}

/// One that reads locked keeps others of its kind out, and no lockless ones.
fn seqlock_locked_readers() -> Result {
    needs_two_cpus("seqlock_locked_readers")?;
    let lock: Arc<SeqLock<Record>> = seqlock!();
    let state = Arc::new(Atomic::<u32>::new(0), GFP_KERNEL)?;
    let (theirs, flag) = (lock.clone(), state.clone());
    let other = spawn(c"reader", move |ctx| {
        while flag.load(Acquire) != 1 {
            if ctx.should_stop() {
                return Ok(());
            }
            core::hint::spin_loop();
        }
        let lockless = theirs.read();
        flag.store(2, Release);
        let locked = *theirs.read_locked();
        flag.store(3, Release);
        if lockless == locked {
            Ok(())
        } else {
            Err(EILSEQ)
        }
    })?;
    let guard = lock.read_locked();
    state.store(1, Release);
    // 2 s at most: it may have to be given another CPU.
    for _ in 0..2000 {
        if state.load(Acquire) == 2 {
            break;
        }
        udelay(Delta::from_millis(1));
    }
    udelay(Delta::from_millis(5));
    let met = state.load(Acquire);
    drop(guard);
    ensure!(met == 2);
    ensure!(is_done(&other));
    ensure!(state.load(Acquire) == 3);
    Ok(())
}

/// Guards that are dropped in either order leave interrupts and bottom halves as they were.
fn seqlock_any_order() -> Result {
    let a: Arc<SeqLockBh<Record>> = seqlock!();
    let b: Arc<SeqLockIrq<Record>> = seqlock!();
    let c: Arc<SeqLockIrq<Record>> = seqlock!();
    // What sleeps on `PREEMPT_RT` leaves them on there.
    let irqs_off = || irqs_disabled() != cfg!(CONFIG_PREEMPT_RT);
    for bh_first in [true, false] {
        let (bh, irq) = (a.write(), b.write());
        let off = in_softirq() && irqs_off();
        let left = if bh_first {
            drop(bh);
            let left = !in_softirq() && irqs_off();
            drop(irq);
            left
        } else {
            drop(irq);
            let left = in_softirq() && !irqs_disabled();
            drop(bh);
            left
        };
        ensure!(off && left);
        ensure!(is_free());
    }
    let (write, read) = (b.write(), c.read_locked());
    drop(write);
    let left = irqs_off();
    drop(read);
    ensure!(left);
    ensure!(is_free());
    let (read, write) = (a.read_locked(), c.try_write());
    let held = write.is_some();
    drop(read);
    let left = !in_softirq() && irqs_off();
    drop(write);
    ensure!(held && left);
    ensure!(is_free());
    Ok(())
}
