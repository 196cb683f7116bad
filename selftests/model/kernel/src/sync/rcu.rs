// SPDX-License-Identifier: GPL-2.0

//! RCU: a grace period waits until there is no read section. As in the kernel's, a read section
//! that a grace period does not wait for sees all that came before it.

use crate::run;
use core::marker::PhantomData;
use loom::{
    sync::atomic::{fence, Ordering},
    thread::yield_now,
};

/// A read section.
pub struct Guard(PhantomData<*mut ()>);

/// Begins a read section.
pub fn read_lock() -> Guard {
    run::readers().fetch_add(1, Ordering::Relaxed);
    fence(Ordering::SeqCst);
    Guard(PhantomData)
}

impl Drop for Guard {
    fn drop(&mut self) {
        run::readers().fetch_sub(1, Ordering::Release);
    }
}

/// Waits for a grace period.
pub fn synchronize_rcu() {
    fence(Ordering::SeqCst);
    let readers = run::readers();
    while readers.load(Ordering::Acquire) != 0 {
        yield_now();
    }
    fence(Ordering::SeqCst);
}

/// Waits for all that was deferred.
pub fn rcu_barrier() {
    while run::reclaim() {}
}
