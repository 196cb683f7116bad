// SPDX-License-Identifier: GPL-2.0

//! What was taken by one thread is not released by another, where C forbids that.

use childkernel::sync::{
    local_lock, lock::spinlock::SpinLockBackend, percpu, rcu, rcu_list, resilient::ResilientGuard,
    rwlock, rwsem, seqcount, seqlock, spinlock, srcu, Mutex, MutexGuard, RwLock, RwSemaphore,
    Semaphore, SpinLock, SpinLockGuard,
};

pub fn send<T: Send>(_: T) {}

#[cfg(right)]
pub fn moved(spin: &SpinLock<u32>, mutex: &Mutex<u32>, semaphore: &Semaphore) {
    send(spin);
    send(mutex);
    // A semaphore has no owner: whoever has a permit gives it back.
    send(semaphore.down());
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
    m: rcu_list::Writer<'a, u32, SpinLockBackend>,
    n: rcu_list::Cursor<'a, u32>,
    o: rcu_list::Iter<'a, u32>,
    p: seqlock::ReadGuard<'a, u32, seqlock::Bh>,
    q: seqcount::SeqGuard<'a, u32, SpinLock<u32>>,
    r: seqcount::WriteGuard<'a, 'a, u32, SpinLock<u32>>,
    s: seqcount::SeqGuard<'a, u32, RwLock<u32>>,
    t: local_lock::LocalLockGuard<'a, u32, local_lock::Plain>,
    u: local_lock::LocalLockGuard<'a, u32, local_lock::Irq>,
    v: percpu::ThisCpu<'a, u32>,
    w: srcu::Guard<'a>,
    x: ResilientGuard<'a, u32, childkernel::sync::resilient::Irq>,
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
    send(n); //~ E0277
    send(o); //~ E0277
    send(p); //~ E0277
    send(q); //~ E0277
    send(r); //~ E0277
    send(s); //~ E0277
    send(t); //~ E0277
    send(u); //~ E0277
    send(v); //~ E0277
    send(w); //~ E0277
    send(x); //~ E0277
}
