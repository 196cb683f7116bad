// SPDX-License-Identifier: GPL-2.0

//! Locks: whoever is inside is alone, or with others that read.
//!
//! The lock stands beside what it protects, so that a twin can forget it.
#![deny(unsafe_code)]

use super::{
    actor::Actor,
    outcome::Wrong,
    witness::Witness,
    Contexts::{Hardirq, Process, Softirq},
    Entry,
    Mistake::{self, Early, Kept, Relock, Shared, Unlocked},
    Setup, Subject,
};
use crate::{
    new_percpu_rwsem, new_raw_spinlock, new_raw_spinlock_irq, new_rwlock, new_rwsem, new_semaphore,
    new_spinlock_bh,
    sync::{
        atomic::{Bit, BitArray},
        new_mutex, new_spinlock, new_spinlock_irq,
        preempt::{preempt_disable, PreemptDisabled},
        resilient::{self, ResilientGuard},
        rwlock, rwsem, Mutex, MutexExt, PerCpuRwSemaphore, RawSpinLock, RawSpinLockIrq,
        ResilientSpinLock, ResilientSpinLockIrq, RwLock, RwLockBh, RwLockIrq, RwSemaphore,
        Semaphore, SpinLock, SpinLockBh, SpinLockIrq,
    },
};
use kernel::{prelude::*, sync::Arc};

/// A lock. What it returns holds it.
pub(super) trait Excludes: Send + Sync + 'static {
    /// Whether who is inside may sleep.
    const SLEEPS: bool;
    type Read<'a>;
    type Write<'a>;

    /// Waits. `EDEADLK` if that would be for ever, and `ETIMEDOUT` if it was long enough.
    fn write(&self) -> Result<Self::Write<'_>>;
    /// Takes it if that needs no wait.
    fn try_write(&self) -> Option<Self::Write<'_>>;
    fn read(&self) -> Result<Self::Read<'_>>;
    fn try_read(&self) -> Option<Self::Read<'_>>;
}

/// Locks that guard, and how they are taken to write and to read, waiting and not.
macro_rules! excludes {
    ($(
        $lock:ty, $sleeps:literal:
        $write:ty = |$w:ident| $wait_write:expr, $try_write:expr;
        $read:ty = |$r:ident| $wait_read:expr, $try_read:expr;
    )*) => {
        $(
            impl Excludes for $lock {
                const SLEEPS: bool = $sleeps;
                type Write<'a> = $write;
                type Read<'a> = $read;

                fn write(&self) -> Result<Self::Write<'_>> {
                    let $w = self;
                    $wait_write
                }
                fn try_write(&self) -> Option<Self::Write<'_>> {
                    let $w = self;
                    $try_write
                }
                fn read(&self) -> Result<Self::Read<'_>> {
                    let $r = self;
                    $wait_read
                }
                fn try_read(&self) -> Option<Self::Read<'_>> {
                    let $r = self;
                    $try_read
                }
            }
        )*
    };
}

type Guard<'a, L> = <L as crate::sync::Lockable>::Guard<'a>;

/// Those with one way in.
macro_rules! exclusive {
    ($($lock:ty, $sleeps:literal;)*) => {
        excludes! {
            $($lock, $sleeps:
                Guard<'a, Self> = |lock| Ok(lock.lock()), lock.try_lock();
                Guard<'a, Self> = |lock| Ok(lock.lock()), lock.try_lock();
            )*
        }
    };
}

exclusive! {
    SpinLock<()>, false;
    SpinLockBh<()>, false;
    SpinLockIrq<()>, false;
    RawSpinLock<()>, false;
    RawSpinLockIrq<()>, false;
}

excludes! {
    Mutex<()>, true:
        Guard<'a, Self> = |lock| Ok(lock.lock()), lock.try_lock();
        Guard<'a, Self> = |lock| lock.lock_interruptible(), lock.try_lock();
    Semaphore, true:
        Guard<'a, Self> = |lock| Ok(lock.down()), lock.try_down();
        Guard<'a, Self> = |lock| lock.down_interruptible(), lock.try_down();
    RwSemaphore<()>, true:
        rwsem::WriteGuard<'a, ()> = |lock| Ok(lock.write()), lock.try_write();
        rwsem::ReadGuard<'a, ()> = |lock| lock.read_interruptible(), lock.try_read();
    // Writers can not try.
    PerCpuRwSemaphore<()>, true:
        rwsem::PerCpuWriteGuard<'a, ()> = |lock| Ok(lock.write()), Some(lock.write());
        rwsem::PerCpuReadGuard<'a, ()> = |lock| Ok(lock.read()), lock.try_read();
    RwLock<()>, false:
        rwlock::WriteGuard<'a, (), rwlock::Plain> = |lock| Ok(lock.write()), lock.try_write();
        rwlock::ReadGuard<'a, (), rwlock::Plain> = |lock| Ok(lock.read()), lock.try_read();
    RwLockBh<()>, false:
        rwlock::WriteGuard<'a, (), rwlock::Bh> = |lock| Ok(lock.write()), lock.try_write();
        rwlock::ReadGuard<'a, (), rwlock::Bh> = |lock| Ok(lock.read()), lock.try_read();
    RwLockIrq<()>, false:
        rwlock::WriteGuard<'a, (), rwlock::Irq> = |lock| Ok(lock.write()), lock.try_write();
        rwlock::ReadGuard<'a, (), rwlock::Irq> = |lock| Ok(lock.read()), lock.try_read();
    // There is no trying: each wait is bounded.
    ResilientSpinLock<()>, false:
        ResilientGuard<'a, (), resilient::Plain> = |lock| lock.lock(), lock.lock().ok();
        ResilientGuard<'a, (), resilient::Plain> = |lock| lock.lock(), lock.lock().ok();
    ResilientSpinLockIrq<()>, false:
        ResilientGuard<'a, (), resilient::Irq> = |lock| lock.lock(), lock.lock().ok();
        ResilientGuard<'a, (), resilient::Irq> = |lock| lock.lock(), lock.lock().ok();
    BitLock, false:
        BitGuard<'a> = |lock| Ok(lock.lock()), lock.try_lock();
        BitGuard<'a> = |lock| Ok(lock.lock()), lock.try_lock();
}

/// A bit as a lock: `bit_spin_lock()`.
struct BitLock(BitArray<1>);

const BIT: Bit<1> = Bit::at::<0>();

/// Holds a [`BitLock`].
struct BitGuard<'a> {
    lock: &'a BitLock,
    _here: PreemptDisabled,
}

impl BitLock {
    fn lock(&self) -> BitGuard<'_> {
        loop {
            if let Some(guard) = self.try_lock() {
                return guard;
            }
            core::hint::spin_loop();
        }
    }

    fn try_lock(&self) -> Option<BitGuard<'_>> {
        let here = preempt_disable();
        (!self.0.test_and_set_lock(BIT)).then(|| BitGuard {
            lock: self,
            _here: here,
        })
    }
}

impl Drop for BitGuard<'_> {
    fn drop(&mut self) {
        self.lock.0.clear_unlock(BIT);
    }
}

/// Takes a lock, by its own wait or by looking again and again.
fn take<'l, L: Excludes, G>(
    actor: &mut Actor<'_>,
    lock: &'l L,
    witness: &Witness,
    wait: fn(&'l L) -> Result<G>,
    attempt: fn(&'l L) -> Option<G>,
) -> Option<G> {
    actor.wait(|actor| {
        if !actor.looks() {
            match wait(lock) {
                Ok(guard) => return Some(guard),
                Err(error) if error == EDEADLK => {
                    actor.wrong(Wrong::Deadlock);
                    return None;
                }
                // A stop.
                Err(error) if error == EINTR => return None,
                // Others were there for long.
                Err(_) => (),
            }
        }
        actor.look(Wrong::Kept, || witness.progress(), || attempt(lock))
    })
}

/// A lock, and what it protects.
#[pin_data]
struct Locked<L: Excludes> {
    #[pin]
    lock: L,
    witness: Witness,
}

impl<L: Excludes> Locked<L> {
    fn make<E>(lock: impl PinInit<L, E>) -> Result<Arc<dyn Subject>>
    where
        Error: From<E>,
    {
        let subject = Arc::<Self>::pin_init::<Error>(
            try_pin_init!(Self {
                lock <- lock,
                witness: Witness::new(),
            }? Error),
            GFP_KERNEL,
        )?;
        Ok(subject)
    }

    fn read(&self, actor: &mut Actor<'_>) {
        let Some(guard) = take(actor, &self.lock, &self.witness, L::read, L::try_read) else {
            return;
        };
        self.witness.read(actor, L::SLEEPS);
        drop(guard);
    }

    fn write(&self, actor: &mut Actor<'_>) {
        let witness = &self.witness;
        if actor.errs(Unlocked) {
            return witness.write(actor, true);
        }
        if actor.errs(Shared) {
            let guard = take(actor, &self.lock, witness, L::read, L::try_read);
            if guard.is_some() {
                witness.write(actor, L::SLEEPS);
            }
            return;
        }
        let Some(guard) = take(actor, &self.lock, witness, L::write, L::try_write) else {
            return;
        };
        if actor.errs(Early) {
            drop(guard);
            return witness.write(actor, true);
        }
        if actor.errs(Relock) {
            let known = witness.value();
            drop(guard);
            actor.rest(true);
            let guard = take(actor, &self.lock, witness, L::write, L::try_write);
            if guard.is_some() {
                witness.write_after(actor, L::SLEEPS, Some(known));
            }
            return;
        }
        witness.write(actor, L::SLEEPS);
        if actor.may_sleep() && actor.errs(Kept) {
            actor.keep();
        }
        drop(guard);
    }
}

impl<L: Excludes> Subject for Locked<L> {
    fn act(&self, actor: &mut Actor<'_>) {
        if actor.reads() {
            self.read(actor);
        } else {
            self.write(actor);
        }
    }

    fn settle(&self, actor: &mut Actor<'_>) {
        self.witness.settle(actor);
    }
}

const EXCLUSIVE: &[Mistake] = &[Unlocked, Early, Relock, Kept];
const READ_WRITE: &[Mistake] = &[Unlocked, Early, Relock, Shared, Kept];

/// A name, in which contexts, whether it spins, the twins, and how it is made.
macro_rules! entries {
    ($($name:ident, $contexts:ident, $spins:literal, $twins:expr, $lock:ty: $init:expr;)*) => {
        /// All of them.
        pub(super) static ENTRIES: &[Entry] = &[$(
            Entry {
                name: stringify!($name),
                contexts: $contexts,
                spins: $spins,
                twins: $twins,
                make: |_: &Setup| Locked::<$lock>::make($init),
            },
        )*];
    };
}

entries! {
    spinlock, Process, true, EXCLUSIVE, SpinLock<()>: new_spinlock!((), "torture_spinlock");
    spinlock_bh, Softirq, true, EXCLUSIVE, SpinLockBh<()>:
        new_spinlock_bh!((), "torture_spinlock_bh");
    spinlock_irq, Hardirq, true, EXCLUSIVE, SpinLockIrq<()>:
        new_spinlock_irq!((), "torture_spinlock_irq");
    raw_spinlock, Process, true, EXCLUSIVE, RawSpinLock<()>:
        new_raw_spinlock!((), "torture_raw_spinlock");
    raw_spinlock_irq, Hardirq, true, EXCLUSIVE, RawSpinLockIrq<()>:
        new_raw_spinlock_irq!((), "torture_raw_spinlock_irq");
    resilient, Process, true, EXCLUSIVE, ResilientSpinLock<()>: ResilientSpinLock::new(());
    resilient_irq, Hardirq, true, EXCLUSIVE, ResilientSpinLockIrq<()>:
        ResilientSpinLockIrq::new(());
    bitlock, Process, true, EXCLUSIVE, BitLock: Ok::<_, Error>(BitLock(BitArray::new()));
    rwlock, Process, true, READ_WRITE, RwLock<()>: new_rwlock!((), "torture_rwlock");
    rwlock_bh, Softirq, true, READ_WRITE, RwLockBh<()>: new_rwlock!((), "torture_rwlock_bh");
    rwlock_irq, Hardirq, true, READ_WRITE, RwLockIrq<()>: new_rwlock!((), "torture_rwlock_irq");
    mutex, Process, false, EXCLUSIVE, Mutex<()>: new_mutex!((), "torture_mutex");
    semaphore, Process, false, EXCLUSIVE, Semaphore: new_semaphore!(1, "torture_semaphore");
    rwsem, Process, false, READ_WRITE, RwSemaphore<()>: new_rwsem!((), "torture_rwsem");
    percpu_rwsem, Process, false, READ_WRITE, PerCpuRwSemaphore<()>:
        new_percpu_rwsem!((), "torture_percpu_rwsem");
}
