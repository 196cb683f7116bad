// SPDX-License-Identifier: GPL-2.0

//! Locks of the library: under each, a number that several children add to.

use super::{is_over, ROUNDS};
use childkernel::{
    child::{Builder, State},
    new_seqlock,
    stats::Counted,
    sync::{new_mutex, new_spinlock, Lockable, Mutex, SeqLock, SpinLock},
};
use kernel::{prelude::*, sync::Arc, ThisModule};

/// Two children add to one number under `lock`.
pub(crate) fn add_up<L>(module: &'static ThisModule, lock: Arc<Counted<L>>) -> Result
where
    L: Lockable + Send + Sync + 'static,
    for<'a> L::Guard<'a>: core::ops::DerefMut<Target = u64>,
{
    let mut children = KVec::new();
    for name in [c"adder/0", c"adder/1"] {
        let lock = lock.clone();
        let child = Builder::new(module, name).spawn(move |ctx| {
            for _ in 0..ROUNDS {
                **lock.lock() += 1;
                ctx.add_ops(1);
            }
            Ok(())
        })?;
        children.push(child, GFP_KERNEL)?;
    }
    for child in &children {
        ensure!(is_over(child));
        ensure!(child.record().ops() == ROUNDS);
        ensure!(child.record().owner() == "outsider");
    }
    ensure!(*lock.inner().acquire() == 2 * ROUNDS);
    ensure!(lock.stats().acquisitions() == 2 * ROUNDS);
    ensure!(lock.stats().contentions() <= 2 * ROUNDS);
    ensure!(lock.stats().kind() == L::KIND);
    Ok(())
}

pub(crate) fn spinlock(module: &'static ThisModule) -> Result {
    let lock: Arc<Counted<SpinLock<u64>>> = Arc::pin_init(
        Counted::new(c"outsider/spinlock", new_spinlock!(0, "outsider_spinlock")),
        GFP_KERNEL,
    )?;
    ensure!(lock.stats().name() == "outsider/spinlock");
    add_up(module, lock)
}

pub(crate) fn mutex(module: &'static ThisModule) -> Result {
    let lock: Arc<Counted<Mutex<u64>>> = Arc::pin_init(
        Counted::new(c"outsider/mutex", new_mutex!(0, "outsider_mutex")),
        GFP_KERNEL,
    )?;
    add_up(module, lock)
}

/// A payload whose last word is not whole.
pub(crate) fn payload(n: u32) -> [u32; 3] {
    [n, n.wrapping_mul(3), !n]
}

pub(crate) fn seqlock(module: &'static ThisModule) -> Result {
    let lock: Arc<SeqLock<[u32; 3]>> = Arc::pin_init(
        new_seqlock!(payload(0), "outsider_record"), //
        GFP_KERNEL,
    )?;
    ensure!(lock.read() == payload(0));

    let mut guard = lock.write();
    ensure!(guard.load() == payload(0));
    // Not one of these may wait for a writer that waits for them.
    let read = lock.try_read(3);
    let write = lock.try_write().is_some();
    guard.store(payload(1));
    drop(guard);
    ensure!(read.is_none());
    ensure!(!write);
    ensure!(lock.try_read(1) == Some(payload(1)));
    ensure!(lock.try_write().is_some());

    let shared = lock.clone();
    let writer = Builder::new(module, c"seq-writer").spawn(move |ctx| {
        for n in 0..10_000 {
            shared.write().store(payload(n));
            ctx.add_ops(1);
        }
        Ok(())
    })?;
    let mut newest = 0;
    loop {
        let over = writer.record().state() == State::Stopped;
        let copy = lock.read();
        ensure!(copy == payload(copy[0]));
        // The first value that the writer stores is 0, after the 1 of above.
        ensure!(copy[0] >= newest || newest == 1);
        newest = copy[0];
        if over {
            break;
        }
    }
    ensure!(lock.read() == payload(9_999));
    Ok(())
}
