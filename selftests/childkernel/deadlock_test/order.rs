// SPDX-License-Identifier: GPL-2.0

//! Locks taken in a wrong order, or twice.

use super::{a_while, spawn};
use childkernel::{
    new_rwlock, new_rwsem,
    stats::Counted,
    sync::{
        new_mutex, new_spinlock,
        rcu::{self, Node, Rcu},
        Mutex, MutexExt, RwLock, RwSemaphore, SpinLock,
    },
};
use kernel::{prelude::*, sync::Arc};

list_cases!("deadlock":
    deadlock_self,
    deadlock_same_class,
    deadlock_two_readers,
    deadlock_abba_spinlock,
    deadlock_abba_mutex,
    deadlock_abba_readers,
    deadlock_abba_mixed,
    deadlock_abba_counted,
    deadlock_three,
    deadlock_flush,
);

type Spin = Arc<SpinLock<u32>>;
type Sleeping = Arc<Mutex<u32>>;

/// Takes a mutex that it has, and waits until it is told to stop. That wakes it, and then it may
/// even get it (see `sync/mutex.rs`), so there is nothing in it.
fn deadlock_self() -> Result {
    let lock: Arc<Mutex<()>> = Arc::pin_init(new_mutex!((), "deadlock_self"), GFP_KERNEL)?;
    let child = spawn(c"twice", move |_| {
        let _first = lock.lock();
        let _second = lock.lock_interruptible();
        Ok(())
    })?;
    a_while();
    child.stop();
    Ok(())
}

fn same_class() -> Result<Spin> {
    Arc::pin_init(new_spinlock!(0, "deadlock_same_class"), GFP_KERNEL)
}

/// Takes two locks that were made in one place: what has an order there no one can know.
fn deadlock_same_class() -> Result {
    let (a, b) = (same_class()?, same_class()?);
    let _a = a.lock();
    *b.lock() += 1;
    Ok(())
}

/// Reads twice: a writer that comes in between waits for the first, and has the second wait.
fn deadlock_two_readers() -> Result {
    let lock: Arc<RwSemaphore<u32>> =
        Arc::pin_init(new_rwsem!(0, "deadlock_two_readers"), GFP_KERNEL)?;
    let _first = lock.read();
    let _second = lock.read();
    Ok(())
}

fn deadlock_abba_spinlock() -> Result {
    let a: Spin = Arc::pin_init(new_spinlock!(0, "deadlock_a"), GFP_KERNEL)?;
    let b: Spin = Arc::pin_init(new_spinlock!(0, "deadlock_b"), GFP_KERNEL)?;
    {
        let _a = a.lock();
        *b.lock() += 1;
    }
    let _b = b.lock();
    *a.lock() += 1;
    Ok(())
}

fn deadlock_abba_mutex() -> Result {
    let a: Sleeping = Arc::pin_init(new_mutex!(0, "deadlock_a"), GFP_KERNEL)?;
    let b: Sleeping = Arc::pin_init(new_mutex!(0, "deadlock_b"), GFP_KERNEL)?;
    {
        let _a = a.lock();
        *b.lock() += 1;
    }
    let _b = b.lock();
    *a.lock() += 1;
    Ok(())
}

/// Readers wait for writers that wait for readers.
fn deadlock_abba_readers() -> Result {
    let a: Arc<RwLock<u32>> = Arc::pin_init(new_rwlock!(0, "deadlock_a"), GFP_KERNEL)?;
    let b: Arc<RwLock<u32>> = Arc::pin_init(new_rwlock!(0, "deadlock_b"), GFP_KERNEL)?;
    {
        let _a = a.write();
        let _b = b.read();
    }
    let _b = b.write();
    let _a = a.read();
    Ok(())
}

fn deadlock_abba_mixed() -> Result {
    let a: Sleeping = Arc::pin_init(new_mutex!(0, "deadlock_a"), GFP_KERNEL)?;
    let b: Arc<RwSemaphore<u32>> = Arc::pin_init(new_rwsem!(0, "deadlock_b"), GFP_KERNEL)?;
    {
        let _a = a.lock();
        let _b = b.read();
    }
    let _b = b.write();
    *a.lock() += 1;
    Ok(())
}

/// With statistics, and nobody else near, so that neither is ever waited for.
fn deadlock_abba_counted() -> Result {
    let a = Counted::new(c"deadlock/a", new_spinlock!(0, "deadlock_a"));
    let a: Pin<KBox<Counted<SpinLock<u32>>>> = KBox::pin_init(a, GFP_KERNEL)?;
    let b = Counted::new(c"deadlock/b", new_spinlock!(0, "deadlock_b"));
    let b: Pin<KBox<Counted<SpinLock<u32>>>> = KBox::pin_init(b, GFP_KERNEL)?;
    {
        let _a = a.lock();
        **b.lock() += 1;
    }
    let _b = b.lock();
    **a.lock() += 1;
    Ok(())
}

/// A before B, B before C, C before A.
fn deadlock_three() -> Result {
    let a: Spin = Arc::pin_init(new_spinlock!(0, "deadlock_a"), GFP_KERNEL)?;
    let b: Spin = Arc::pin_init(new_spinlock!(0, "deadlock_b"), GFP_KERNEL)?;
    let c: Spin = Arc::pin_init(new_spinlock!(0, "deadlock_c"), GFP_KERNEL)?;
    for (first, second) in [(&a, &b), (&b, &c), (&c, &a)] {
        let _first = first.lock();
        *second.lock() += 1;
    }
    Ok(())
}

/// Waits for deferred reclaim with what a destructor there takes, though none is on its way.
fn deadlock_flush() -> Result {
    struct Takes(Sleeping);
    impl Drop for Takes {
        fn drop(&mut self) {
            *self.0.lock() += 1;
        }
    }
    let lock: Sleeping = Arc::pin_init(new_mutex!(0, "deadlock_flush"), GFP_KERNEL)?;
    let pointer = Rcu::new(Node::new(Takes(lock.clone()), GFP_KERNEL)?);
    pointer.take().ok_or(EINVAL)?.defer();
    rcu::flush();
    let _held = lock.lock();
    rcu::flush();
    Ok(())
}
