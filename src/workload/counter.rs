// SPDX-License-Identifier: GPL-2.0

//! `counter`: children add to one number.
//!
//! What must hold: in the end the number is the sum of what each child says it has added.
#![deny(unsafe_code)]

use super::{Load, Twin, Worker};
use crate::{
    stats::{Counted, Lockable},
    sync::atomic::{Atomic, Relaxed},
};
use core::ops::DerefMut;
use kernel::{
    fmt,
    prelude::*,
    sync::{new_mutex, new_spinlock, Arc, Mutex, SpinLock},
};

/// Something to add to.
trait Number: Send + Sync {
    /// Adds 1, spending the worker's time for the critical section in between.
    fn add(&self, worker: &Worker<'_, '_>);
    /// Returns the number.
    fn value(&self) -> u64;
}

impl<L> Number for Counted<L>
where
    L: Lockable + Send + Sync,
    for<'a> L::Guard<'a>: DerefMut<Target = u64>,
{
    fn add(&self, worker: &Worker<'_, '_>) {
        let mut number = self.lock();
        let old = **number;
        worker.hold();
        **number = old.wrapping_add(1);
    }

    fn value(&self) -> u64 {
        // Not counted, so that the lock's acquisitions are the children's.
        *self.inner().acquire()
    }
}

/// Adds by compare-and-swap, without a lock.
impl Number for Atomic<u64> {
    fn add(&self, worker: &Worker<'_, '_>) {
        let mut old = self.load(Relaxed);
        worker.hold();
        while let Err(now) = self.cmpxchg(old, old.wrapping_add(1), Relaxed) {
            old = now;
        }
    }

    fn value(&self) -> u64 {
        self.load(Relaxed)
    }
}

/// The broken twin: nothing keeps another child out between reading and writing.
struct Unlocked(Atomic<u64>);

impl Number for Unlocked {
    fn add(&self, worker: &Worker<'_, '_>) {
        let old = self.0.load(Relaxed);
        worker.widen();
        self.0.store(old.wrapping_add(1), Relaxed);
    }

    fn value(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[pin_data]
struct Counter<N> {
    #[pin]
    number: N,
    expected: Atomic<u64>,
}

impl<N: Number> Load for Counter<N> {
    fn work(&self, worker: &mut Worker<'_, '_>) -> Result {
        let mut own = 0u64;
        while !worker.done() {
            self.number.add(worker);
            own = own.wrapping_add(1);
            worker.ctx.add_ops(1);
            worker.think();
        }
        self.expected.fetch_add(own, Relaxed);
        Ok(())
    }

    fn finish(&self) -> u64 {
        u64::from(self.number.value() != self.expected.load(Relaxed))
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "value {} of {}",
            self.number.value(),
            self.expected.load(Relaxed)
        ))
    }
}

fn counter<N: Number + 'static>(number: impl PinInit<N, Error>) -> Result<Arc<dyn Load>> {
    let counter: Arc<Counter<N>> = Arc::pin_init(
        try_pin_init!(Counter {
            number <- number,
            expected: Atomic::new(0),
        }),
        GFP_KERNEL,
    )?;
    Ok(counter)
}

fn unlocked() -> Result<Arc<dyn Load>> {
    counter(Ok(Unlocked(Atomic::new(0))))
}

/// Under a spinlock.
pub(super) fn spinlock(twin: Option<Twin>) -> Result<Arc<dyn Load>> {
    match twin {
        Some(_) => unlocked(),
        None => counter(Counted::<SpinLock<u64>>::new(
            c"counter/spinlock",
            new_spinlock!(0, "childkernel_counter_spinlock"),
        )),
    }
}

/// Under a mutex.
pub(super) fn mutex(twin: Option<Twin>) -> Result<Arc<dyn Load>> {
    match twin {
        Some(_) => unlocked(),
        None => counter(Counted::<Mutex<u64>>::new(
            c"counter/mutex",
            new_mutex!(0, "childkernel_counter_mutex"),
        )),
    }
}

/// By a CAS loop.
pub(super) fn atomic(twin: Option<Twin>) -> Result<Arc<dyn Load>> {
    match twin {
        Some(_) => unlocked(),
        None => counter(Ok(Atomic::<u64>::new(0))),
    }
}
