// SPDX-License-Identifier: GPL-2.0

//! Statistics, also for a lock that the library does not know.

use super::{eventually, is_over};
use childkernel::{
    child::{Builder, State},
    new_semaphore,
    stats::{self, Counted, LockStats, Mode, SAMPLE},
    sync::{
        atomic::{Acquire, Atomic, Release},
        new_mutex, new_spinlock,
        order::Sleeping,
        Lockable, Mutex, Semaphore, SpinLock,
    },
};
use kernel::{
    cpu::nr_cpu_ids,
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta},
    ThisModule,
};

pub(crate) fn modes(_: &'static ThisModule) -> Result {
    let lock: Pin<KBox<Counted<SpinLock<u64>>>> = KBox::pin_init(
        Counted::new(c"outsider/modes", new_spinlock!(0, "outsider_modes")),
        GFP_KERNEL,
    )?;
    let before = stats::mode();
    let mut counts = [0; 3];
    let modes = [Mode::Off, Mode::Contended, Mode::Times];
    for (mode, count) in modes.into_iter().zip(&mut counts) {
        stats::set_mode(mode);
        let is_set = stats::mode() == mode;
        **lock.lock() += 1;
        *count = lock.stats().acquisitions();
        stats::set_mode(before);
        ensure!(is_set);
    }
    ensure!(counts == [0, 1, 2]);
    ensure!(**lock.lock() == 3);
    Ok(())
}

/// Takes a lock while times are taken, and again while they are not. Returns how many times were
/// recorded after each had ended in the other mode, and the difference after many in this one.
fn across_modes<L: Lockable>(lock: &Counted<L>) -> [u64; 3] {
    let holds = || lock.stats().times().1;
    stats::set_mode(Mode::Times);
    // The first of all is timed.
    let held = lock.lock();
    stats::set_mode(Mode::Off);
    drop(held);
    let left_on = holds();
    // Begun later than the one that was timed, and no less without times.
    let held = lock.lock();
    stats::set_mode(Mode::Times);
    drop(held);
    let left_off = holds();
    // On whatever CPUs this is, one of them has its turn.
    for _ in 0..u64::from(nr_cpu_ids()) * SAMPLE {
        drop(lock.lock());
    }
    let (waits, holds) = lock.stats().times();
    // That the first one has waited was known before the mode was changed.
    [
        left_on,
        left_off,
        u64::from(holds > 0 && holds == waits - 1),
    ]
}

/// How long a lock is held is recorded for who holds it, or not at all.
pub(crate) fn modes_change(_: &'static ThisModule) -> Result {
    // One that has a single holder, and one that may have several.
    let mutex: Pin<KBox<Counted<Mutex<u64>>>> = KBox::pin_init(
        Counted::new(c"outsider/changes", new_mutex!(0, "outsider_changes")),
        GFP_KERNEL,
    )?;
    let semaphore: Pin<KBox<Counted<Semaphore>>> = KBox::pin_init(
        Counted::new(c"outsider/permits", new_semaphore!(2, "outsider_permits")),
        GFP_KERNEL,
    )?;
    let before = stats::mode();
    let one = across_modes(&mutex);
    let several = across_modes(&semaphore);
    stats::set_mode(Mode::Times);
    let (first, second) = (semaphore.lock(), semaphore.lock());
    drop(first);
    drop(second);
    let (waits, holds) = semaphore.stats().times();
    stats::set_mode(before);
    ensure!(one == [0, 0, 1]);
    ensure!(several == [0, 0, 1]);
    ensure!(waits - 1 == holds);
    Ok(())
}

/// A lock of our own: a flag that is taken by compare-and-swap.
pub(crate) struct Flag(pub(crate) Atomic<u32>);

pub(crate) struct FlagGuard<'a>(&'a Flag);

impl Drop for FlagGuard<'_> {
    fn drop(&mut self) {
        self.0 .0.store(0, Release);
    }
}

impl Lockable for Flag {
    const KIND: &'static str = "flag";
    type Wait = Sleeping;
    type Guard<'a> = FlagGuard<'a>;

    fn acquire(&self) -> FlagGuard<'_> {
        loop {
            if let Some(guard) = self.try_acquire() {
                return guard;
            }
            fsleep(Delta::from_millis(1));
        }
    }

    fn try_acquire(&self) -> Option<FlagGuard<'_>> {
        match self.0.cmpxchg(0, 1, Acquire) {
            Ok(_) => Some(FlagGuard(self)),
            Err(_) => None,
        }
    }
}

/// One acquisition of our own lock that has to wait, for certain.
pub(crate) fn contend(module: &'static ThisModule, flag: &Arc<Counted<Flag>>) -> Result {
    let counted = |stats: &LockStats| (stats.acquisitions(), stats.contentions());
    let guard = flag.lock();
    let shared = flag.clone();
    let child = Builder::new(module, c"contender").spawn(move |_| {
        drop(shared.lock());
        Ok(())
    })?;
    let waits = eventually(|| flag.stats().contentions() == 1);
    let state = child.record().state();
    drop(guard);
    ensure!(waits);
    ensure!(state == State::Running);
    ensure!(is_over(&child));
    ensure!(counted(flag.stats()) == (2, 1));
    ensure!(flag.stats().kind() == "flag");
    ensure!(stats::locks()?.iter().any(|l| l.name() == "outsider/flag"));
    Ok(())
}

/// Two locks of the same name, of which the second is taken twice.
pub(crate) fn same_names() -> Result<KVec<Pin<KBox<Counted<SpinLock<u64>>>>>> {
    let mut all = KVec::new();
    for n in 1..=2u64 {
        let lock = Counted::new(c"outsider/same", new_spinlock!(0, "outsider_same"));
        let lock: Pin<KBox<Counted<SpinLock<u64>>>> = KBox::pin_init(lock, GFP_KERNEL)?;
        for _ in 0..n {
            **lock.lock() += 1;
        }
        all.push(lock, GFP_KERNEL)?;
    }
    Ok(all)
}
