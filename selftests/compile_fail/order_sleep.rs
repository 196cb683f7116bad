// SPDX-License-Identifier: GPL-2.0

//! Locks that sleep, where nothing may.

use childkernel::sync::{
    lock_levels, Mutex, Ordered, Outermost, RawSpinLock, RwSemaphore, Semaphore, SpinLock, Token,
};

lock_levels! {
    pub Spin,
    pub Sleep,
    pub Raw,
    pub Inside,
}

pub struct Data {
    spin: Ordered<Spin, SpinLock<u32>>,
    mutex: Ordered<Sleep, Mutex<u32>>,
    rwsem: Ordered<Sleep, RwSemaphore<u32>>,
    semaphore: Ordered<Sleep, Semaphore>,
    raw: Ordered<Raw, RawSpinLock<u32>>,
    inside: Ordered<Inside, SpinLock<u32>>,
}

#[cfg(right)]
pub fn all(data: &Data, token: &mut Token<'_, Outermost>) {
    drop(data.mutex.lock(token));
    drop(data.rwsem.lock_by(token, |rwsem| rwsem.read()));
    drop(data.semaphore.lock(token));
    drop(data.inside.lock(token));
    let (_guard, mut token) = data.spin.lock(token);
    drop(data.raw.lock(&mut token));
    drop(data.inside.lock(&mut token));
    let (_off, mut token) = token.bh_disable();
    drop(data.inside.lock(&mut token));
    let (_off, mut token) = token.interrupt_disable();
    drop(data.raw.lock(&mut token));
}

#[cfg(not(right))]
pub fn under_spinlock(data: &Data, token: &mut Token<'_, Outermost>) {
    let (_guard, mut token) = data.spin.lock(token);
    drop(data.mutex.lock(&mut token)); //~ E0277
    drop(data.rwsem.lock_by(&mut token, |rwsem| rwsem.read())); //~ E0277
    drop(data.semaphore.lock(&mut token)); //~ E0277
}

#[cfg(not(right))]
pub fn without_preemption(data: &Data, token: &mut Token<'_, Outermost>) {
    let (_off, mut token) = token.preempt_disable();
    drop(data.mutex.lock(&mut token)); //~ E0277
}

#[cfg(not(right))]
pub fn without_interrupts(data: &Data, token: &mut Token<'_, Outermost>) {
    let (_off, mut token) = token.interrupt_disable();
    drop(data.mutex.lock(&mut token)); //~ E0277
}

#[cfg(not(right))]
pub fn without_bottom_halves(data: &Data, token: &mut Token<'_, Outermost>) {
    let (_off, mut token) = token.bh_disable();
    drop(data.mutex.lock(&mut token)); //~ E0277
}

/// It spins here, and sleeps on `PREEMPT_RT`.
#[cfg(not(right))]
pub fn under_raw(data: &Data, token: &mut Token<'_, Outermost>) {
    let (_guard, mut token) = data.raw.lock(token);
    drop(data.inside.lock(&mut token)); //~ E0277
}

/// Sleeping is allowed again when the lock is released, not before.
#[cfg(not(right))]
pub fn too_early(data: &Data, token: &mut Token<'_, Outermost>) {
    let (guard, _) = data.spin.lock(token);
    drop(data.mutex.lock(token)); //~ E0499
    drop(guard);
}
