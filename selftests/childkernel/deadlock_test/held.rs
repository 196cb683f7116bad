// SPDX-License-Identifier: GPL-2.0

//! Locks that are never given back.

use super::{eventually, spawn};
use childkernel::{
    child::State,
    sync::{new_mutex, Mutex},
};
use core::mem::forget;
use kernel::{prelude::*, sync::Arc};

list_cases!("deadlock":
    deadlock_ends_with_mutex,
    deadlock_frees_held,
);

/// A child that ends well, but for what it has.
fn deadlock_ends_with_mutex() -> Result {
    let lock: Arc<Mutex<u32>> = Arc::pin_init(new_mutex!(0, "deadlock_ends_with"), GFP_KERNEL)?;
    let child = spawn(c"holds", move |_| {
        forget(lock.lock());
        // The memory of what is held stays.
        forget(lock.clone());
        Ok(())
    })?;
    ensure!(eventually(|| child.record().state() == State::Stopped));
    Ok(())
}

/// Memory with a lock in it that somebody holds.
fn deadlock_frees_held() -> Result {
    let lock = KBox::pin_init(new_mutex!(0u32, "deadlock_frees_held"), GFP_KERNEL)?;
    let locked: &Mutex<u32> = &lock;
    forget(locked.lock());
    drop(lock);
    Ok(())
}
