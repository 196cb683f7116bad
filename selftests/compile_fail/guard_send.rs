// SPDX-License-Identifier: GPL-2.0

//! What was taken by one thread is not released by another, where C forbids that.

use childkernel::sync::{
    rcu, rcu_list, resilient::ResilientGuard, rwlock, rwsem, seqlock, spinlock, Mutex, MutexGuard,
    RwLock, RwSemaphore, SpinLock, SpinLockGuard,
};

pub fn send<T: Send>(_: T) {}

#[cfg(right)]
pub fn moved(spin: &SpinLock<u32>, mutex: &Mutex<u32>) {
    send(spin);
    send(mutex);
}

#[cfg(not(right))]
pub fn moved(spin: &SpinLock<u32>, mutex: &Mutex<u32>) {
    send(spin.lock()); //~ E0277
    send(mutex.lock()); //~ E0277
}

#[cfg(right)]
pub fn shared(lock: &RwLock<u32>, sem: &RwSemaphore<u32>) {
    send(lock);
    send(sem);
}

#[cfg(not(right))]
pub fn shared(lock: &RwLock<u32>, sem: &RwSemaphore<u32>) {
    send(lock.read()); //~ E0277
    send(lock.write()); //~ E0277
    send(sem.read()); //~ E0277
    send(sem.write()); //~ E0277
}

#[cfg(not(right))]
pub fn all<'a>(
    a: MutexGuard<'a, u32>,
    b: SpinLockGuard<'a, u32>,
    c: spinlock::SpinLockBhGuard<'a, u32>,
    d: spinlock::SpinLockIrqGuard<'a, u32>,
    e: spinlock::RawSpinLockGuard<'a, u32>,
    f: spinlock::RawSpinLockIrqGuard<'a, u32>,
    g: ResilientGuard<'a, u32>,
    h: rwlock::ReadGuard<'a, u32, rwlock::Irq>,
    i: rwsem::PerCpuReadGuard<'a, u32>,
    j: rwsem::PerCpuWriteGuard<'a, u32>,
    k: seqlock::WriteGuard<'a, u32, seqlock::Plain>,
    l: rcu::Guard,
    m: rcu_list::Writer<'a, u32, childkernel::sync::lock::spinlock::SpinLockBackend>,
) {
    send(a); //~ E0277
    send(b); //~ E0277
    send(c); //~ E0277
    send(d); //~ E0277
    send(e); //~ E0277
    send(f); //~ E0277
    send(g); //~ E0277
    send(h); //~ E0277
    send(i); //~ E0277
    send(j); //~ E0277
    send(k); //~ E0277
    send(l); //~ E0277
    send(m); //~ E0277
}
