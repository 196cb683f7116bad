// SPDX-License-Identifier: GPL-2.0

//! Local locks.

use super::{
    percpu::{on_each_cpu, step},
    timers::{Hard, HardUnlessRt, Interrupt, Soft},
    tokens::is_free,
};
use childkernel::{
    new_local_lock,
    sync::{
        atomic::{Atomic, Relaxed},
        local_lock::{LocalLockIn, Variant},
        preempt::{in_softirq, irqs_disabled, preempt_count},
        LocalLock, LocalLockBh, LocalLockIrq,
    },
};
use kernel::{
    cpu::{nr_cpu_ids, CpuId},
    prelude::*,
    sync::Arc,
};

cases!(sync_local_lock:
    local_lock_agrees,
    local_lock_bh_agrees,
    local_lock_irq_agrees,
    local_lock_any_order,
);

/// Two numbers that are the same whenever nobody is at them.
struct Two {
    a: Atomic<u64>,
    b: Atomic<u64>,
}

fn two(_: CpuId) -> Two {
    Two {
        a: Atomic::new(0),
        b: Atomic::new(0),
    }
}

struct Locked<V: Variant> {
    lock: LocalLockIn<Two, V>,
    steps: Atomic<u64>,
    disagreed: Atomic<u64>,
}

impl<V: Variant> Locked<V> {
    fn step(&self) {
        let two = self.lock.lock();
        let differ = two.a.load(Relaxed) != two.b.load(Relaxed);
        step(&two.a);
        step(&two.b);
        drop(two);
        self.disagreed.add(u64::from(differ), Relaxed);
        self.steps.add(1, Relaxed);
    }
}

/// Threads and, if they may, interrupts of one CPU find the two numbers the same.
fn agrees<I: Interrupt, V: Variant + 'static>(
    lock: LocalLockIn<Two, V>,
    interrupts_too: bool,
) -> Result {
    let locked = Arc::new(
        Locked {
            lock,
            steps: Atomic::new(0),
            disagreed: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    let ticks = Arc::new(Atomic::<u64>::new(0), GFP_KERNEL)?;
    let (same, again, count) = (locked.clone(), locked.clone(), ticks.clone());
    ensure!(on_each_cpu::<I>(
        move || same.step(),
        move || {
            if interrupts_too {
                again.step();
            }
            count.add(1, Relaxed);
        },
    )?);
    ensure!(ticks.load(Relaxed) > 0);
    ensure!(locked.disagreed.load(Relaxed) == 0);
    let steps = locked.steps.load(Relaxed);
    ensure!(locked.lock.sum(|two| two.a.load(Relaxed)) == steps);
    ensure!(locked.lock.sum(|two| two.b.load(Relaxed)) == steps);
    let mut sum = 0;
    for cpu in (0..nr_cpu_ids()).filter_map(CpuId::from_u32) {
        sum += locked.lock.peek(cpu).map_or(0, |two| two.a.load(Relaxed));
    }
    ensure!(sum == steps);
    Ok(())
}

fn local_lock_agrees() -> Result {
    let lock: LocalLock<Two> = new_local_lock!(two, "test_local")?;
    agrees::<Hard, _>(lock, false)
}

fn local_lock_bh_agrees() -> Result {
    let lock: LocalLockBh<Two> = new_local_lock!(two, "test_local_bh")?;
    agrees::<Soft, _>(lock, true)
}

fn local_lock_irq_agrees() -> Result {
    let lock: LocalLockIrq<Two> = new_local_lock!(two, "test_local_irq")?;
    agrees::<HardUnlessRt, _>(lock, !cfg!(CONFIG_PREEMPT_RT))
}

/// Each holds off what its name says, and what they hold off comes back with the last, whatever the
/// order.
fn local_lock_any_order() -> Result {
    let plain: LocalLock<u32> = new_local_lock!(|cpu| cpu.as_u32(), "test_local")?;
    let bh: LocalLockBh<u32> = new_local_lock!(|cpu| cpu.as_u32(), "test_local_bh")?;
    let irq: LocalLockIrq<u32> = new_local_lock!(|cpu| cpu.as_u32(), "test_local_irq")?;
    let irq2: LocalLockIrq<u32> = new_local_lock!(|cpu| cpu.as_u32(), "test_local_irq2")?;
    if cfg!(CONFIG_PREEMPT_RT) {
        // They hold off each other only.
        return Ok(());
    }

    ensure!(is_free());
    let guard = plain.lock();
    let (count, on) = (preempt_count(), !irqs_disabled() && !in_softirq());
    drop(guard);
    ensure!(count == 1 && on);
    ensure!(is_free());

    let guard = bh.lock();
    let (off, on) = (in_softirq(), !irqs_disabled());
    drop(guard);
    ensure!(off && on);
    ensure!(is_free());

    let first = irq.lock();
    let second = irq2.lock();
    let both = irqs_disabled();
    drop(first);
    let one = irqs_disabled();
    drop(second);
    ensure!(both && one);
    ensure!(is_free());

    let (a, b, c) = (plain.lock(), bh.lock(), irq.lock());
    let same = *a == *b && *b == *c && *c == CpuId::current().as_u32();
    drop(a);
    let two = irqs_disabled() && in_softirq();
    drop(b);
    let one = irqs_disabled() && !in_softirq();
    drop(c);
    ensure!(same && two && one);
    ensure!(is_free());
    Ok(())
}
