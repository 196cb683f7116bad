// SPDX-License-Identifier: GPL-2.0

//! A sequence count is written by who holds its lock, inside the write side, and is plain data.

use childkernel::sync::{Mutex, MutexGuard, RwLock, SeqCount, SpinLock};
use kernel::prelude::*;

pub type Clock = SeqCount<u64, Mutex<u32>>;

#[cfg(right)]
pub fn all(clock: &Clock, _: &SeqCount<[u8; 5], RwLock<bool>>) {
    let mut guard = clock.lock();
    let mut writing = guard.write();
    writing.store(1);
    drop(writing);
    *guard += 1;
}

/// The lock is not released, nor what it protects used, inside the write side.
#[cfg(not(right))]
pub fn released(clock: &Clock) {
    let mut guard = clock.lock();
    let mut writing = guard.write();
    drop(guard); //~ E0505
    writing.store(1);
}

#[cfg(not(right))]
pub fn used(clock: &Clock) {
    let mut guard = clock.lock();
    let mut writing = guard.write();
    *guard += 1; //~ E0499
    writing.store(1);
}

/// Not even if nothing is stored any more.
#[cfg(not(right))]
pub fn entered_twice(clock: &Clock) {
    let mut guard = clock.lock();
    let _one = guard.write();
    let _two = guard.write(); //~ E0499
}

#[cfg(not(right))]
pub fn without_write_side(clock: &Clock) {
    clock.lock().store(1); //~ E0599
}

/// What is lent is what the lock protects, not its guard, which could be exchanged.
#[cfg(not(right))]
pub fn exchanged(clock: &Clock, other: &Mutex<u32>) {
    let mut guard = clock.lock();
    let inside: &mut MutexGuard<'_, u32> = &mut guard; //~ E0308
    *inside = other.lock();
}

#[cfg(not(right))]
pub fn escapes(clock: &Clock) -> &u32 {
    let guard = clock.lock();
    &*guard //~ E0515
}

#[cfg(not(right))]
pub fn of_other_kind(clock: &Clock, other: &SpinLock<u32>) {
    drop(clock.adopt(other.lock())); //~ E0308
}

#[cfg(not(right))]
pub fn dropped(_: &SeqCount<KBox<u32>, Mutex<()>>) {} //~ E0277 E0277 E0277
#[cfg(not(right))]
pub fn points(_: &SeqCount<&'static u32, Mutex<()>>) {} //~ E0277 E0277
#[cfg(not(right))]
pub fn sleeps(_: &SeqCount<u32, childkernel::sync::RwSemaphore<()>>) {} //~ E0277
