// SPDX-License-Identifier: GPL-2.0

//! Readers that are inside together share the data: it has to be `Sync`.

use childkernel::sync::{Mutex, PerCpuRwSemaphore, RcuList, RwLock, RwLockIrq, RwSemaphore};
use core::cell::Cell;

pub fn share<T: Sync>() {}

#[cfg(right)]
pub fn all() {
    // One at a time.
    share::<Mutex<Cell<u32>>>();
    share::<RwLock<u32>>();
    share::<RwLockIrq<u32>>();
    share::<RwSemaphore<u32>>();
    share::<PerCpuRwSemaphore<u32>>();
    share::<RcuList<u32>>();
}

#[cfg(not(right))]
pub fn all() {
    share::<RwLock<Cell<u32>>>(); //~ E0277
    share::<RwLockIrq<Cell<u32>>>(); //~ E0277
    share::<RwSemaphore<Cell<u32>>>(); //~ E0277
    share::<PerCpuRwSemaphore<Cell<u32>>>(); //~ E0277
}

#[cfg(not(right))]
pub fn list(_: &RcuList<Cell<u32>>) {} //~ E0277
