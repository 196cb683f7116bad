// SPDX-License-Identifier: GPL-2.0

//! Statistics, also for a lock that the library does not know.

use super::{eventually, is_over, ROUNDS};
use childkernel::{
    child::{Builder, State},
    new_local_lock, new_semaphore,
    stats::{self, Counted, LockStats, Mode, SAMPLE},
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        new_condvar, new_mutex, new_spinlock,
        order::Sleeping,
        CondVar, LocalLock, Lockable, Mutex, ResilientSpinLock, Semaphore, SpinLock,
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

/// Who waits for others to change what a lock protects does not hold it meanwhile.
pub(crate) fn waits_inside(module: &'static ThisModule) -> Result {
    let turns: Arc<Counted<Mutex<u64>>> = Arc::pin_init(
        Counted::new(c"outsider/turns", new_mutex!(0, "outsider_turns")),
        GFP_KERNEL,
    )?;
    let taken: Arc<CondVar> = Arc::pin_init(new_condvar!("outsider_taken"), GFP_KERNEL)?;
    let before = stats::mode();
    stats::set_mode(Mode::Times);
    // The first one is timed.
    let mut mine = turns.lock();
    let (theirs, says) = (turns.clone(), taken.clone());
    let other = Builder::new(module, c"other").spawn(move |_| {
        **theirs.lock() += 1;
        says.notify_one();
        Ok(())
    });
    let mut within = 0;
    while other.is_ok() && **mine == 0 {
        mine.wait_by(|guard| {
            within = turns.stats().times().1;
            taken.wait(guard);
        });
    }
    let back = turns.stats().times().1;
    drop(mine);
    let (waits, holds) = turns.stats().times();
    stats::set_mode(before);
    ensure!(is_over(&other?));
    // The other one may have had its turn as well, on another CPU.
    ensure!(within >= 1 && back >= within && holds == back + 1 && holds > waits);
    Ok(())
}

/// What was not taken was not held.
pub(crate) fn attempts_fail(_: &'static ThisModule) -> Result {
    let lock: Pin<KBox<Counted<ResilientSpinLock<u64>>>> = KBox::pin_init(
        Counted::new(c"outsider/attempts", ResilientSpinLock::new(0)),
        GFP_KERNEL,
    )?;
    let before = stats::mode();
    let mut counts = [(0, 0); 2];
    for (mode, count) in [Mode::Contended, Mode::Times].into_iter().zip(&mut counts) {
        stats::set_mode(mode);
        let held = lock.lock();
        let failed = (0..2 * SAMPLE).filter(|_| lock.lock().is_err()).count() as u64;
        let none = lock.try_lock().is_none();
        drop(held);
        let stats = lock.stats();
        *count = (stats.acquisitions(), stats.contentions());
        stats::set_mode(before);
        ensure!(failed == 2 * SAMPLE && none);
    }
    ensure!(counts == [(1, 2 * SAMPLE), (2, 4 * SAMPLE)]);
    let (waits, holds) = lock.stats().times();
    ensure!(waits == holds && holds <= 1);
    Ok(())
}

/// A lock that nobody waits for.
pub(crate) fn alone_on_its_cpu(_: &'static ThisModule) -> Result {
    let lock: LocalLock<Atomic<u64>> = new_local_lock!(|_| Atomic::new(0), "outsider_local")?;
    let lock: Pin<KBox<Counted<LocalLock<Atomic<u64>>>>> =
        KBox::pin_init(Counted::new(c"outsider/local", lock), GFP_KERNEL)?;
    for _ in 0..ROUNDS {
        lock.lock().fetch_add(1, Relaxed);
    }
    let counted = (lock.stats().acquisitions(), lock.stats().contentions());
    ensure!(counted == (ROUNDS, 0));
    ensure!(lock.inner().sum(|n| n.load(Relaxed)) == ROUNDS);
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
