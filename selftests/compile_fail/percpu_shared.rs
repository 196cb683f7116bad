// SPDX-License-Identifier: GPL-2.0

//! What a CPU has for itself is shared all the same: with interrupts, and with who adds it up.

use childkernel::sync::{
    atomic::{Atomic, Relaxed},
    percpu::ThisCpu,
    preempt::preempt_disable,
    LocalLock, LocalLockIrq, PerCpu,
};
use core::cell::Cell;

#[cfg(right)]
pub fn counts(hits: &PerCpu<Atomic<u64>>, lock: &LocalLock<Atomic<u64>>) {
    hits.get_cpu().store(1, Relaxed);
    hits.get(&preempt_disable()).store(2, Relaxed);
    lock.lock().store(3, Relaxed);
}

#[cfg(not(right))]
pub fn exclusive(hits: &PerCpu<u64>, lock: &LocalLock<u64>) {
    *hits.get_cpu() += 1; //~ E0594
    *hits.get(&preempt_disable()) += 1; //~ E0594
    *lock.lock() += 1; //~ E0594
}

#[cfg(not(right))]
pub fn unshared(_: &PerCpu<Cell<u64>>) {} //~ E0277
#[cfg(not(right))]
pub fn unshared_here(lock: &LocalLock<Cell<u64>>) {} //~ E0277
#[cfg(not(right))]
pub fn unshared_irq(lock: &LocalLockIrq<Cell<u64>>) {} //~ E0277

/// It is this CPU's for as long as the token says so.
#[cfg(not(right))]
pub fn outlives_token(hits: &PerCpu<u64>) -> u64 {
    let here = preempt_disable();
    let mine = hits.get(&here);
    drop(here); //~ E0505
    *mine
}

#[cfg(not(right))]
pub fn outlives_guard(hits: &PerCpu<u64>) -> &u64 {
    let mine: ThisCpu<'_, u64> = hits.get_cpu();
    &*mine //~ E0515
}

#[cfg(not(right))]
pub fn outlives_lock(lock: &LocalLock<u64>) -> &u64 {
    let mine = lock.lock();
    &*mine //~ E0515
}

/// Not any value says where it runs.
#[cfg(not(right))]
pub fn no_token(hits: &PerCpu<u64>) -> u64 {
    *hits.get(&()) //~ E0277
}
