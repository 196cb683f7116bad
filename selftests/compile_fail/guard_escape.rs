// SPDX-License-Identifier: GPL-2.0

//! What a guard lends ends with the guard.

use childkernel::sync::{rcu, RcuList, RwSemaphore, SpinLock};

#[cfg(right)]
pub fn lookup(list: &RcuList<u32>) -> Option<u32> {
    let guard = rcu::read_lock();
    let found = list.iter(&guard).next().copied();
    drop(guard);
    found
}

#[cfg(not(right))]
pub fn lookup(list: &RcuList<u32>) -> Option<u32> {
    let guard = rcu::read_lock();
    let found = list.iter(&guard).next();
    drop(guard); //~ E0505
    found.copied()
}

#[cfg(not(right))]
pub fn escapes(lock: &SpinLock<u32>) -> &u32 {
    let guard = lock.lock();
    &*guard //~ E0515
}

#[cfg(not(right))]
pub fn downgraded(sem: &RwSemaphore<u32>) {
    let mut writing = sem.write();
    let reading = writing.downgrade();
    *writing += 1; //~ E0382
    drop(reading);
}
