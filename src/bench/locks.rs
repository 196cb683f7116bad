// SPDX-License-Identifier: GPL-2.0

//! Each primitive, uncontended, against the same in C.
//!
//! The operation is the same on both sides: take, add one to what is guarded or read it, release.
#![deny(unsafe_code)]

use super::{
    ffi as c,
    pair::{inc, next, pairs, plain, rust, rust_filled, step, Irqs, Pair, Rival},
};
use crate::{
    new_completion, new_local_lock, new_percpu_rwsem, new_raw_spinlock, new_raw_spinlock_irq,
    new_rcu_list, new_rwlock, new_rwsem, new_semaphore, new_seqcount, new_seqlock, new_spinlock_bh,
    sync::{
        atomic::{Acquire, Atomic, Bit, BitArray, FetchUpdate, Full, Relaxed, Release},
        barrier::{smp_mb, smp_mb_after_atomic, smp_mb_before_atomic, Read, Write},
        new_condvar, new_mutex, new_spinlock, new_spinlock_irq, new_srcu,
        preempt::{local_bh_disable, local_interrupt_disable, preempt_disable},
        rcu, rcu_list, rcu_pointer, Completion, CondVar, LocalLock, LocalLockBh, LocalLockIrq,
        Mutex, MutexExt, PerCpu, PerCpuCounters, PerCpuRwSemaphore, RawSpinLock, RawSpinLockIrq,
        Rcu, RcuList, ResilientSpinLock, ResilientSpinLockIrq, RwLock, RwLockBh, RwLockIrq,
        RwSemaphore, Semaphore, SeqCount, SeqLock, SeqLockBh, SeqLockIrq, SpinLock, SpinLockBh,
        SpinLockIrq, Srcu,
    },
};
use kernel::{prelude::*, time::Jiffies};

/// As many as the list of the C side has.
const LIST_LENGTH: u64 = 16;

/// A limit that is not reached, in jiffies.
const LIMIT: Jiffies = 100;

const BIT: Bit<1> = Bit::at::<0>();

/// What locks are made of, and guards that keep only this CPU to itself.
pub(super) static ATOMICS: &[Pair] = pairs! {
    "atomic_add", "add", Off, Rival::C(c::ATOMIC_ADD);
    Atomic<u64> = plain(Atomic::new(0)), |n, _left| { n.add(1, Relaxed); 0 };

    "atomic_cas", "compare and swap until it is done", Off, Rival::C(c::ATOMIC_CAS);
    Atomic<u64> = plain(Atomic::new(0)), |n, _left| {
        n.fetch_update(|n| Some(next(n)), Relaxed).map_or(0, |_| 0)
    };

    "acquire_release", "load acquire, add, store release", Off, Rival::C(c::ACQUIRE_RELEASE);
    Atomic<u64> = plain(Atomic::new(0)), |n, _left| { n.store(next(n.load(Acquire)), Release); 0 };

    "smp_mb", "full barrier", Off, Rival::C(c::SMP_MB);
    () = plain(()), |_none, _left| { smp_mb(Full); 0 };

    "smp_rmb_wmb", "read barrier, write barrier", Off, Rival::C(c::SMP_RMB_WMB);
    () = plain(()), |_none, _left| { smp_mb(Read); smp_mb(Write); 0 };

    "before_after_atomic", "barrier, set a bit, barrier", Off, Rival::C(c::BEFORE_AFTER_ATOMIC);
    BitArray<1> = plain(BitArray::new()), |bits, _left| {
        smp_mb_before_atomic();
        bits.set(BIT);
        smp_mb_after_atomic();
        0
    };

    "bit_set_clear", "set, clear", Off, Rival::C(c::BIT_SET_CLEAR);
    BitArray<1> = plain(BitArray::new()), |bits, _left| {
        bits.set(BIT);
        bits.clear(BIT);
        0
    };

    "bit_test_and_change", "test and change", Off, Rival::C(c::BIT_TEST_AND_CHANGE);
    BitArray<1> = plain(BitArray::new()), |bits, _left| u64::from(bits.test_and_change(BIT));

    "bitlock", "test and set, add, clear", Off, Rival::C(c::BITLOCK);
    (BitArray<1>, Atomic<u64>) = plain((BitArray::new(), Atomic::new(0))), |it, _left| {
        while it.0.test_and_set_lock(BIT) {
            core::hint::spin_loop();
        }
        step(&it.1);
        it.0.clear_unlock(BIT);
        0
    };

    "preempt", "preemption off, on", Off, Rival::C(c::PREEMPT);
    () = plain(()), |_none, _left| { drop(preempt_disable()); 0 };

    "bh", "bottom halves off, on", On, Rival::C(c::BH);
    () = plain(()), |_none, _left| { drop(local_bh_disable()); 0 };

    "interrupts", "interrupts counted off, on", Off, Rival::C(c::INTERRUPTS);
    () = plain(()), |_none, _left| { drop(local_interrupt_disable()); 0 };

    "percpu_add", "add on this CPU", Off, Rival::C(c::PERCPU_ADD);
    PerCpuCounters<1> = PerCpuCounters::new(), |n, _left| { n.add(0, 1); 0 };

    "percpu_get", "preemption off, add to this CPU's number, on", Off, Rival::C(c::PERCPU_GET);
    PerCpu<Atomic<u64>> = PerCpu::new(|_| Atomic::new(0)), |n, _left| {
        step(n.get(&preempt_disable()))
    };

    "local_lock", "lock, add, unlock", Off, Rival::C(c::LOCAL_LOCK);
    LocalLock<Atomic<u64>> = new_local_lock!(|_| Atomic::new(0), "bench_local_lock"),
    |n, _left| step(&n.lock());

    "local_lock_bh", "lock, add, unlock", On, Rival::C(c::LOCAL_LOCK_BH);
    LocalLockBh<Atomic<u64>> = new_local_lock!(|_| Atomic::new(0), "bench_local_lock_bh"),
    |n, _left| step(&n.lock());

    "local_lock_irq", "lock, add, unlock", Off, Rival::C(c::LOCAL_LOCK_IRQ);
    LocalLockIrq<Atomic<u64>> = new_local_lock!(|_| Atomic::new(0), "bench_local_lock_irq"),
    |n, _left| step(&n.lock());
};

/// Locks that spin.
pub(super) static SPINNING: &[Pair] = pairs! {
    "spinlock", "lock, add, unlock", Off, Rival::C(c::SPINLOCK);
    SpinLock<u64> = new_spinlock!(0, "bench_spinlock"), |n, _left| inc(&mut n.lock());

    "spinlock_try", "try, add, unlock", Off, Rival::C(c::SPINLOCK_TRY);
    SpinLock<u64> = new_spinlock!(0, "bench_spinlock_try"),
    |n, _left| n.try_lock().map_or(0, |mut n| inc(&mut n));

    "spinlock_bh", "lock, add, unlock", On, Rival::C(c::SPINLOCK_BH);
    SpinLockBh<u64> = new_spinlock_bh!(0, "bench_spinlock_bh"), |n, _left| inc(&mut n.lock());

    "spinlock_irq", "lock, add, unlock", Off, Rival::C(c::SPINLOCK_IRQ);
    SpinLockIrq<u64> = new_spinlock_irq!(0, "bench_spinlock_irq"), |n, _left| inc(&mut n.lock());

    "spinlock_irq", "counted off, against flags that are saved", Off,
    Rival::OtherC("irqsave", c::SPINLOCK_IRQSAVE);
    SpinLockIrq<u64> = new_spinlock_irq!(0, "bench_spinlock_irqsave"),
    |n, _left| inc(&mut n.lock());

    "raw_spinlock", "lock, add, unlock", Off, Rival::C(c::RAW_SPINLOCK);
    RawSpinLock<u64> = new_raw_spinlock!(0, "bench_raw_spinlock"), |n, _left| inc(&mut n.lock());

    "raw_spinlock_try", "try, add, unlock", Off, Rival::C(c::RAW_SPINLOCK_TRY);
    RawSpinLock<u64> = new_raw_spinlock!(0, "bench_raw_spinlock_try"),
    |n, _left| n.try_lock().map_or(0, |mut n| inc(&mut n));

    "raw_spinlock_irq", "lock, add, unlock", Off, Rival::C(c::RAW_SPINLOCK_IRQ);
    RawSpinLockIrq<u64> = new_raw_spinlock_irq!(0, "bench_raw_spinlock_irq"),
    |n, _left| inc(&mut n.lock());

    "resilient", "lock, add, unlock", Off, Rival::C(c::RESILIENT);
    ResilientSpinLock<u64> = ResilientSpinLock::new(0),
    |n, _left| n.lock().map_or(0, |mut n| inc(&mut n));

    "resilient_irq", "lock, add, unlock", Off, Rival::C(c::RESILIENT_IRQ);
    ResilientSpinLockIrq<u64> = ResilientSpinLockIrq::new(0),
    |n, _left| n.lock().map_or(0, |mut n| inc(&mut n));

    "rwlock_read", "lock, read, unlock", Off, Rival::C(c::RWLOCK_READ);
    RwLock<u64> = new_rwlock!(0, "bench_rwlock_read"), |n, _left| *n.read();

    "rwlock_write", "lock, add, unlock", Off, Rival::C(c::RWLOCK_WRITE);
    RwLock<u64> = new_rwlock!(0, "bench_rwlock_write"), |n, _left| inc(&mut n.write());

    "rwlock_try_read", "try, read, unlock", Off, Rival::C(c::RWLOCK_TRY_READ);
    RwLock<u64> = new_rwlock!(0, "bench_rwlock_try_read"), |n, _left| n.try_read().map_or(0, |n| *n);

    "rwlock_try_write", "try, add, unlock", Off, Rival::C(c::RWLOCK_TRY_WRITE);
    RwLock<u64> = new_rwlock!(0, "bench_rwlock_try_write"),
    |n, _left| n.try_write().map_or(0, |mut n| inc(&mut n));

    "rwlock_bh_read", "lock, read, unlock", On, Rival::C(c::RWLOCK_BH_READ);
    RwLockBh<u64> = new_rwlock!(0, "bench_rwlock_bh_read"), |n, _left| *n.read();

    "rwlock_bh_write", "lock, add, unlock", On, Rival::C(c::RWLOCK_BH_WRITE);
    RwLockBh<u64> = new_rwlock!(0, "bench_rwlock_bh_write"), |n, _left| inc(&mut n.write());

    "rwlock_irq_read", "lock, read, unlock", Off, Rival::C(c::RWLOCK_IRQ_READ);
    RwLockIrq<u64> = new_rwlock!(0, "bench_rwlock_irq_read"), |n, _left| *n.read();

    "rwlock_irq_write", "lock, add, unlock", Off, Rival::C(c::RWLOCK_IRQ_WRITE);
    RwLockIrq<u64> = new_rwlock!(0, "bench_rwlock_irq_write"), |n, _left| inc(&mut n.write());
};

/// Locks that sleep, and what is waited for, when nobody has to wait.
pub(super) static SLEEPING: &[Pair] = pairs! {
    "mutex", "lock, add, unlock", On, Rival::C(c::MUTEX);
    Mutex<u64> = new_mutex!(0, "bench_mutex"), |n, _left| inc(&mut n.lock());

    "mutex_try", "try, add, unlock", On, Rival::C(c::MUTEX_TRY);
    Mutex<u64> = new_mutex!(0, "bench_mutex_try"),
    |n, _left| n.try_lock().map_or(0, |mut n| inc(&mut n));

    "mutex_interruptible", "lock, add, unlock", On, Rival::C(c::MUTEX_INTERRUPTIBLE);
    Mutex<u64> = new_mutex!(0, "bench_mutex_interruptible"),
    |n, _left| n.lock_interruptible().map_or(0, |mut n| inc(&mut n));

    "mutex_killable", "lock, add, unlock", On, Rival::C(c::MUTEX_KILLABLE);
    Mutex<u64> = new_mutex!(0, "bench_mutex_killable"),
    |n, _left| n.lock_killable().map_or(0, |mut n| inc(&mut n));

    "semaphore", "down, up", On, Rival::C(c::SEMAPHORE);
    Semaphore = new_semaphore!(1, "bench_semaphore"), |s, _left| { drop(s.down()); 0 };

    "semaphore_try", "try, up", On, Rival::C(c::SEMAPHORE_TRY);
    Semaphore = new_semaphore!(1, "bench_semaphore_try"), |s, _left| { drop(s.try_down()); 0 };

    "semaphore_interruptible", "down, up", On, Rival::C(c::SEMAPHORE_INTERRUPTIBLE);
    Semaphore = new_semaphore!(1, "bench_semaphore_interruptible"), |s, _left| {
        drop(s.down_interruptible());
        0
    };

    "semaphore_timeout", "down with a limit, up", On, Rival::C(c::SEMAPHORE_TIMEOUT);
    Semaphore = new_semaphore!(1, "bench_semaphore_timeout"), |s, _left| {
        drop(s.down_timeout(LIMIT));
        0
    };

    "rwsem_read", "down, read, up", On, Rival::C(c::RWSEM_READ);
    RwSemaphore<u64> = new_rwsem!(0, "bench_rwsem_read"), |n, _left| *n.read();

    "rwsem_read_killable", "down, read, up", On, Rival::C(c::RWSEM_READ_KILLABLE);
    RwSemaphore<u64> = new_rwsem!(0, "bench_rwsem_read_killable"),
    |n, _left| n.read_killable().map_or(0, |n| *n);

    "rwsem_try_read", "try, read, up", On, Rival::C(c::RWSEM_TRY_READ);
    RwSemaphore<u64> = new_rwsem!(0, "bench_rwsem_try_read"),
    |n, _left| n.try_read().map_or(0, |n| *n);

    "rwsem_try_write", "try, add, up", On, Rival::C(c::RWSEM_TRY_WRITE);
    RwSemaphore<u64> = new_rwsem!(0, "bench_rwsem_try_write"),
    |n, _left| n.try_write().map_or(0, |mut n| inc(&mut n));

    "rwsem_write", "down, add, up", On, Rival::C(c::RWSEM_WRITE);
    RwSemaphore<u64> = new_rwsem!(0, "bench_rwsem_write"), |n, _left| inc(&mut n.write());

    "rwsem_downgrade", "down to write, add, downgrade, up", On, Rival::C(c::RWSEM_DOWNGRADE);
    RwSemaphore<u64> = new_rwsem!(0, "bench_rwsem_downgrade"), |n, _left| {
        let mut writing = n.write();
        inc(&mut writing);
        drop(writing.downgrade());
        0
    };

    "percpu_rwsem_read", "down, read, up", On, Rival::C(c::PERCPU_RWSEM_READ);
    PerCpuRwSemaphore<u64> = new_percpu_rwsem!(0, "bench_percpu_rwsem_read"), |n, _left| *n.read();

    "percpu_rwsem_try_read", "try, read, up", On, Rival::C(c::PERCPU_RWSEM_TRY_READ);
    PerCpuRwSemaphore<u64> = new_percpu_rwsem!(0, "bench_percpu_rwsem_try_read"),
    |n, _left| n.try_read().map_or(0, |n| *n);

    "completion_wait", "complete, wait", On, Rival::C(c::COMPLETION_WAIT);
    Completion = new_completion!("bench_completion_wait"), |it, _left| {
        it.complete();
        it.wait();
        0
    };

    "completion", "complete, try to wait", On, Rival::C(c::COMPLETION);
    Completion = new_completion!("bench_completion"), |it, _left| {
        it.complete();
        u64::from(it.try_wait())
    };

    "wake_nobody", "notify, when nobody waits", On, Rival::C(c::WAKE_NOBODY);
    CondVar = new_condvar!("bench_condvar"), |it, _left| { it.notify_one(); 0 };

    "wake_all_nobody", "notify all, when nobody waits", On, Rival::C(c::WAKE_ALL_NOBODY);
    CondVar = new_condvar!("bench_condvar_all"), |it, _left| { it.notify_all(); 0 };

    "srcu_read", "enter, leave", On, Rival::C(c::SRCU_READ);
    Srcu = new_srcu!("bench_srcu"), |it, _left| { drop(it.read_lock()); 0 };
};

/// Sequence locks and counts, and the read side of RCU.
pub(super) static SEQUENCES: &[Pair] = pairs! {
    "seqlock_read", "read a number", Off, Rival::C(c::SEQLOCK_READ);
    SeqLock<u64> = new_seqlock!(0, "bench_seqlock_read"), |n, _left| n.read();

    "seqlock_read_record", "read 8 words", Off, Rival::C(c::SEQLOCK_READ_RECORD);
    SeqLock<[u64; 8]> = new_seqlock!([0; 8], "bench_seqlock_read_record"),
    |record, _left| record.read().iter().fold(0, |sum: u64, n| sum.wrapping_add(*n));

    "seqlock_read_or_lock", "read a number, in three attempts or locked", Off,
    Rival::C(c::SEQLOCK_READ_OR_LOCK);
    SeqLock<u64> = new_seqlock!(0, "bench_seqlock_read_or_lock"), |n, _left| n.read_or_lock(3);

    "seqlock_read_locked", "lock, read, unlock", Off, Rival::C(c::SEQLOCK_READ_LOCKED);
    SeqLock<u64> = new_seqlock!(0, "bench_seqlock_read_locked"), |n, _left| *n.read_locked();

    "seqlock_write", "lock, add, unlock", Off, Rival::C(c::SEQLOCK_WRITE);
    SeqLock<u64> = new_seqlock!(0, "bench_seqlock_write"), |n, _left| {
        n.write().update(next);
        0
    };

    "seqlock_write_record", "lock, write 8 words, unlock", Off, Rival::C(c::SEQLOCK_WRITE_RECORD);
    SeqLock<[u64; 8]> = new_seqlock!([0; 8], "bench_seqlock_write_record"), |record, left| {
        record.write().store([left; 8]);
        0
    };

    "seqlock_bh_write", "lock, add, unlock", On, Rival::C(c::SEQLOCK_BH_WRITE);
    SeqLockBh<u64> = new_seqlock!(0, "bench_seqlock_bh_write"), |n, _left| {
        n.write().update(next);
        0
    };

    "seqlock_irq_write", "lock, add, unlock", Off, Rival::C(c::SEQLOCK_IRQ_WRITE);
    SeqLockIrq<u64> = new_seqlock!(0, "bench_seqlock_irq_write"), |n, _left| {
        n.write().update(next);
        0
    };

    "seqcount_read", "read a number", Off, Rival::C(c::SEQCOUNT_READ);
    SeqCount<u64, SpinLock<()>> = new_seqcount!(
        0,
        new_spinlock!((), "bench_seqcount_read_lock"),
        "bench_seqcount_read"
    ),
    |n, _left| n.read();

    "seqcount_write", "lock, add, unlock", Off, Rival::C(c::SEQCOUNT_WRITE);
    SeqCount<u64, SpinLock<()>> = new_seqcount!(
        0,
        new_spinlock!((), "bench_seqcount_write_lock"),
        "bench_seqcount_write"
    ),
    |n, _left| {
        n.lock().write().update(next);
        0
    };

    "seqcount_raw_write", "lock, add, unlock", Off, Rival::C(c::SEQCOUNT_RAW_WRITE);
    SeqCount<u64, RawSpinLock<()>> = new_seqcount!(
        0,
        new_raw_spinlock!((), "bench_seqcount_raw_lock"),
        "bench_seqcount_raw_write"
    ),
    |n, _left| {
        n.lock().write().update(next);
        0
    };

    "seqcount_rwlock_write", "lock, add, unlock", Off, Rival::C(c::SEQCOUNT_RWLOCK_WRITE);
    SeqCount<u64, RwLock<()>> = new_seqcount!(
        0,
        new_rwlock!((), "bench_seqcount_rwlock_lock"),
        "bench_seqcount_rwlock_write"
    ),
    |n, _left| {
        n.lock().write().update(next);
        0
    };

    "seqcount_mutex_read", "read a number", Off, Rival::C(c::SEQCOUNT_MUTEX_READ);
    SeqCount<u64, Mutex<()>> = new_seqcount!(
        0,
        new_mutex!((), "bench_seqcount_mutex_read_lock"),
        "bench_seqcount_mutex_read"
    ),
    |n, _left| n.read();

    "seqcount_mutex_write", "lock, add, unlock", On, Rival::C(c::SEQCOUNT_MUTEX_WRITE);
    SeqCount<u64, Mutex<()>> = new_seqcount!(
        0,
        new_mutex!((), "bench_seqcount_mutex_lock"),
        "bench_seqcount_mutex_write"
    ),
    |n, _left| {
        n.lock().write().update(next);
        0
    };

    "rcu_read", "enter, leave", Off, Rival::C(c::RCU_READ);
    () = plain(()), |_none, _left| { drop(rcu::read_lock()); 0 };
};

/// What is read under RCU: it has to be filled first.
pub(super) static PUBLISHED: &[Pair] = &[
    Pair {
        name: "rcu_pointer",
        what: "enter, read what it points to, leave",
        irqs: Irqs::Off,
        rival: Rival::C(c::RCU_POINTER),
        rust: || {
            let node = rcu_pointer::Node::new(1u64, GFP_KERNEL)?;
            rust::<Rcu<u64>, _, _>(plain(Rcu::new(node)), |pointer, _| {
                pointer.read(&rcu::read_lock()).map_or(0, |n| *n)
            })
        },
    },
    Pair {
        name: "rcu_list_lookup",
        what: "enter, find the last of 16, leave",
        irqs: Irqs::Off,
        rival: Rival::C(c::RCU_LIST_LOOKUP),
        rust: || {
            rust_filled::<RcuList<u64>, _, _>(
                new_rcu_list!("bench_rcu_list"),
                |list| {
                    for key in 0..LIST_LENGTH {
                        let node = rcu_list::Node::new(key, GFP_KERNEL)?;
                        list.lock().push_back(node);
                    }
                    Ok(())
                },
                |list, _| {
                    let inside = rcu::read_lock();
                    let last = LIST_LENGTH.wrapping_sub(1);
                    list.iter(&inside)
                        .find(|key| **key == last)
                        .map_or(0, |key| *key)
                },
            )
        },
    },
];
