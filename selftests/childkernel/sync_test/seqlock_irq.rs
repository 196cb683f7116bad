// SPDX-License-Identifier: GPL-2.0

//! Sequence locks in interrupts: those that try, and those that write.

use super::{
    eventually,
    seqlock::{next, number, reader, Record},
    tokens::is_free,
};
use childkernel::{
    new_seqlock,
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        preempt::{in_softirq, irqs_disabled},
        seqlock::{SeqLockIn, Variant},
        SeqLock, SeqLockBh, SeqLockIrq,
    },
};
use core::cell::Cell;
use kernel::{
    impl_has_hr_timer,
    prelude::*,
    sync::{Arc, ArcBorrow},
    time::{
        delay::udelay,
        hrtimer::{
            HrTimer, HrTimerCallback, HrTimerCallbackContext, HrTimerPointer, HrTimerRestart,
            RelativePinnedMode, RelativePinnedSoftMode,
        },
        Delta, Monotonic,
    },
};

cases!(sync_seqlock_irq:
    seqlock_try_in_interrupt,
    seqlock_bh_from_softirq,
    seqlock_irq_from_hardirq,
);

/// Makes a type whose timer does something with a sequence lock once or again and again.
macro_rules! timer {
    ($(#[$doc:meta])* $name:ident: $lock:ident, $mode:ident, |$this:ident| $run:block) => {
        $(#[$doc])*
        #[pin_data]
        struct $name {
            #[pin]
            timer: HrTimer<Self>,
            lock: Arc<$lock<Record>>,
            seen: Atomic<u64>,
        }

        impl $name {
            fn new(lock: &Arc<$lock<Record>>) -> Result<Arc<Self>> {
                let lock = lock.clone();
                Arc::pin_init(
                    pin_init!(Self {
                        timer <- HrTimer::new(),
                        lock,
                        seen: Atomic::new(0),
                    }),
                    GFP_KERNEL,
                )
            }
        }

        impl HrTimerCallback for $name {
            type Pointer<'a> = Arc<Self>;

            fn run(
                $this: ArcBorrow<'_, Self>,
                mut ctx: HrTimerCallbackContext<'_, Self>,
            ) -> HrTimerRestart {
                let again = $run;
                if again {
                    ctx.forward_now(Delta::from_micros(500));
                    HrTimerRestart::Restart
                } else {
                    HrTimerRestart::NoRestart
                }
            }
        }

        impl_has_hr_timer! {
            impl HasHrTimer<Self> for $name {
                mode: $mode<Monotonic>, field: self.timer
            }
        }
    };
}

/// What a try of each gave, and whether it was where it should be.
fn tried<V: Variant>(lock: &SeqLockIn<Record, V>, there: bool) -> u64 {
    let read = lock.try_read(10).is_none();
    let write = lock.try_write().is_none();
    1 | u64::from(there) << 1 | u64::from(read) << 2 | u64::from(write) << 3
}

timer!(HardTry: SeqLock, RelativePinnedMode, |this| {
    this.seen.store(tried(&this.lock, irqs_disabled()), Release);
    false
});
timer!(SoftTry: SeqLock, RelativePinnedSoftMode, |this| {
    this.seen.store(tried(&this.lock, in_softirq() && !irqs_disabled()), Release);
    false
});

/// An interrupt that came to the CPU of a writer, in its section, waits for nothing.
fn seqlock_try_in_interrupt() -> Result {
    let lock: Arc<SeqLock<Record>> =
        Arc::pin_init(new_seqlock!([0; 4], "test_seqlock"), GFP_KERNEL)?;
    let (hard, soft) = (HardTry::new(&lock)?, SoftTry::new(&lock)?);
    let writing = lock.write();
    // With preemption disabled both come here.
    let timers = (
        hard.clone().start(Delta::from_micros(300)),
        soft.clone().start(Delta::from_micros(300)),
    );
    for _ in 0..4000 {
        if hard.seen.load(Acquire) != 0 && soft.seen.load(Acquire) != 0 {
            break;
        }
        udelay(Delta::from_micros(50));
    }
    drop(writing);
    drop(timers);
    ensure!(hard.seen.load(Relaxed) == 0b1111);
    ensure!(soft.seen.load(Relaxed) == 0b1111);
    ensure!(lock.try_read(1) == Some([0; 4]));
    ensure!(lock.try_write().is_some());
    Ok(())
}

timer!(HardWriter: SeqLockIrq, RelativePinnedMode, |this| {
    write_in_interrupt(&this.lock, &this.seen)
});
timer!(SoftWriter: SeqLockBh, RelativePinnedSoftMode, |this| {
    write_in_interrupt(&this.lock, &this.seen)
});

/// Writes, reads, and counts what was written.
fn write_in_interrupt<V: Variant>(lock: &SeqLockIn<Record, V>, seen: &Atomic<u64>) -> bool {
    lock.write().update(next);
    if number(lock.read()).is_some() {
        seen.fetch_add(1, Release);
    }
    true
}

macro_rules! from_interrupt {
    ($lock:ident, $timer:ident) => {{
        let lock: Arc<$lock<Record>> =
            Arc::pin_init(new_seqlock!([0; 4], "test_seqlock"), GFP_KERNEL)?;
        let reads = Arc::new(Atomic::<u64>::new(0), GFP_KERNEL)?;
        let reader = reader(&lock, &reads)?;
        let timer = $timer::new(&lock)?;
        let own = Cell::new(0u64);
        let handle = timer.clone().start(Delta::from_micros(500));
        let enough = eventually(|| {
            for _ in 0..1000 {
                lock.write().update(next);
            }
            own.set(own.get() + 1000);
            timer.seen.load(Acquire) >= 100 && reads.load(Relaxed) >= 1000
        });
        drop(handle);
        reader.stop();
        ensure!(enough);
        ensure!(reader.record().error().is_none());
        ensure!(number(lock.read()) == Some(own.get() + timer.seen.load(Acquire)));
        ensure!(is_free());
        Ok(())
    }};
}

/// Interrupts, a thread and a reader: no write is lost, no copy torn.
fn seqlock_irq_from_hardirq() -> Result {
    from_interrupt!(SeqLockIrq, HardWriter)
}

fn seqlock_bh_from_softirq() -> Result {
    from_interrupt!(SeqLockBh, SoftWriter)
}
