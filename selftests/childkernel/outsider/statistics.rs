// SPDX-License-Identifier: GPL-2.0

//! Statistics, also for a lock that the library does not know.

use super::{eventually, is_over};
use childkernel::{
    child::{Builder, State},
    stats::{self, Counted, LockStats, Mode},
    sync::{
        atomic::{Acquire, Atomic, Release},
        new_spinlock,
        order::Sleeping,
        Lockable, SpinLock,
    },
};
use kernel::{
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
