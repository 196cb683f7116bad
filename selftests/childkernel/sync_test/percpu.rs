// SPDX-License-Identifier: GPL-2.0

//! Per-CPU data.

use super::{
    is_done, spawn_on,
    timers::{Hard, Interrupt},
};
use childkernel::{
    new_local_lock, new_raw_spinlock_irq, new_spinlock_bh,
    sync::{
        atomic::{Atomic, Relaxed},
        new_spinlock,
        preempt::{local_interrupt_disable, preempt_count, preempt_disable},
        LocalLock, PerCpu, PerCpuCounters, RawSpinLockIrq, SpinLock, SpinLockBh,
    },
};
use kernel::{
    cpu::{nr_cpu_ids, CpuId},
    prelude::*,
    sync::Arc,
    time::{delay::udelay, Delta},
};

cases!(sync_percpu:
    percpu_one_each,
    percpu_failed_init,
    percpu_this_cpu,
    percpu_sum_exact,
    percpu_counters_exact,
);

/// Counts how many of it there are.
struct Counted {
    cpu: u32,
    alive: Arc<Atomic<u32>>,
}

impl Counted {
    fn new(cpu: CpuId, alive: &Arc<Atomic<u32>>) -> Self {
        alive.add(1, Relaxed);
        Self {
            cpu: cpu.as_u32(),
            alive: alive.clone(),
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Relaxed);
    }
}

/// Each possible CPU has a value that was made for it; all of them are dropped, once.
fn percpu_one_each() -> Result {
    let alive = Arc::new(Atomic::<u32>::new(0), GFP_KERNEL)?;
    let each = PerCpu::new(|cpu| Counted::new(cpu, &alive))?;
    let mut count = 0;
    let mut right = true;
    each.for_each(|cpu, value| {
        count += 1;
        right &= value.cpu == cpu.as_u32();
    });
    ensure!(right && count > 0);
    ensure!(alive.load(Relaxed) == count);
    let here = CpuId::current();
    ensure!(each
        .of(here)
        .is_some_and(|value| value.cpu == here.as_u32()));
    let ids = (0..nr_cpu_ids()).filter_map(CpuId::from_u32);
    ensure!(ids.filter(|&cpu| each.of(cpu).is_some()).count() == count as usize);
    ensure!(each.sum(|_| 1) == u64::from(count));
    ensure!(each.sum(|_| u64::MAX) == u64::from(count).wrapping_neg());
    drop(each);
    ensure!(alive.load(Relaxed) == 0);
    Ok(())
}

/// An initialiser that fails for one CPU: those before it are dropped, none after it is made.
fn percpu_failed_init() -> Result {
    let alive = Arc::new(Atomic::<u32>::new(0), GFP_KERNEL)?;
    let mut most = 0;
    let made = PerCpu::<Counted>::pin_init(|cpu| {
        most += 1;
        if nr_cpu_ids() == 1 || cpu.as_u32() > 0 {
            return Err(ENXIO);
        }
        Ok(Counted::new(cpu, &alive))
    });
    ensure!(made.err() == Some(ENXIO));
    ensure!(most == 2 || nr_cpu_ids() == 1);
    ensure!(alive.load(Relaxed) == 0);
    Ok(())
}

/// Under each kind of token it is the value of the CPU where this runs, on each CPU.
fn percpu_this_cpu() -> Result {
    let cpus = Arc::new(PerCpu::new(|cpu| cpu.as_u32())?, GFP_KERNEL)?;
    let plain: Arc<SpinLock<()>> = Arc::pin_init(new_spinlock!((), "test_spin"), GFP_KERNEL)?;
    let bh: Arc<SpinLockBh<()>> = Arc::pin_init(new_spinlock_bh!((), "test_bh"), GFP_KERNEL)?;
    let raw: Arc<RawSpinLockIrq<()>> =
        Arc::pin_init(new_raw_spinlock_irq!((), "test_raw"), GFP_KERNEL)?;
    let local: LocalLock<()> = new_local_lock!(|_| (), "test_local")?;
    let local = Arc::new(local, GFP_KERNEL)?;

    for cpu in 0..nr_cpu_ids() {
        let (cpus, plain, bh) = (cpus.clone(), plain.clone(), bh.clone());
        let (raw, local) = (raw.clone(), local.clone());
        let child = spawn_on(c"here", cpu, move |_| {
            // A macro, as each is another type.
            macro_rules! is_here {
                ($token:expr) => {
                    for _ in 0..50 {
                        let token = $token;
                        let there = *cpus.get(&token);
                        let here = CpuId::current().as_u32();
                        drop(token);
                        ensure!(there == here);
                    }
                };
            }
            is_here!(preempt_disable());
            #[cfg(not(CONFIG_PREEMPT_RT))]
            is_here!(childkernel::sync::preempt::local_bh_disable());
            is_here!(local_interrupt_disable());
            is_here!(plain.lock());
            is_here!(bh.lock());
            is_here!(raw.lock());
            is_here!(local.lock());

            let mine = cpus.get_cpu();
            let off = preempt_count();
            let right = *mine == CpuId::current().as_u32();
            let same = *cpus.get(mine.token()) == *mine;
            drop(mine);
            ensure!(right && same && off == 1);
            ensure!(preempt_count() == 0);
            Ok(())
        })?;
        ensure!(is_done(&child));
    }
    Ok(())
}

/// How often a timer goes off.
const TICK: Delta = Delta::from_micros(300);

/// Adds 1 by a load and a store: whatever comes in between is lost.
pub(super) fn step(number: &Atomic<u64>) {
    let old = number.load(Relaxed);
    udelay(Delta::from_micros(2));
    number.store(old + 1, Relaxed);
}

/// So many children on each CPU, each with a timer.
const CHILDREN: usize = 2;
const STEPS: u64 = 1_000;

/// Runs `body` so often in each child, and `tick` in its timer meanwhile.
pub(super) fn on_each_cpu<I: Interrupt>(
    body: impl Fn() + Send + Sync + 'static,
    tick: impl Fn() + Send + Sync + 'static,
) -> Result<bool> {
    let body = Arc::new(body, GFP_KERNEL)?;
    let tick = Arc::new(tick, GFP_KERNEL)?;
    let mut children = KVec::new();
    for cpu in 0..nr_cpu_ids() {
        for _ in 0..CHILDREN {
            let (body, tick) = (body.clone(), tick.clone());
            let child = spawn_on(c"adder", cpu, move |ctx| {
                let tick = tick.clone();
                let ticker = I::every(TICK, move || tick())?;
                for _ in 0..STEPS {
                    body();
                    if ctx.should_stop() {
                        return Err(EINTR);
                    }
                }
                drop(ticker);
                Ok(())
            })?;
            children.push(child, GFP_KERNEL)?;
        }
    }
    Ok(children.iter().all(is_done))
}

struct Sums {
    /// Added to by threads alone.
    threads: PerCpu<Atomic<u64>>,
    /// Added to by threads and interrupts.
    all: PerCpu<Atomic<u64>>,
    /// The same, by threads that leave interrupts on: the broken twin.
    torn: PerCpu<Atomic<u64>>,
    steps: Atomic<u64>,
    ticks: Atomic<u64>,
}

/// With preemption off no thread of the CPU is in between, with interrupts off no interrupt either.
fn percpu_sum_exact() -> Result {
    let mut caught = false;
    for _ in 0..10 {
        let sums = Arc::new(
            Sums {
                threads: PerCpu::new(|_| Atomic::new(0))?,
                all: PerCpu::new(|_| Atomic::new(0))?,
                torn: PerCpu::new(|_| Atomic::new(0))?,
                steps: Atomic::new(0),
                ticks: Atomic::new(0),
            },
            GFP_KERNEL,
        )?;
        let (same, again) = (sums.clone(), sums.clone());
        ensure!(on_each_cpu::<Hard>(
            move || {
                let here = preempt_disable();
                step(same.threads.get(&here));
                step(same.torn.get(&here));
                drop(here);
                let here = local_interrupt_disable();
                step(same.all.get(&here));
                drop(here);
                same.steps.add(1, Relaxed);
            },
            move || {
                let here = local_interrupt_disable();
                step(again.all.get(&here));
                step(again.torn.get(&here));
                drop(here);
                again.ticks.add(1, Relaxed);
            },
        )?);
        let (steps, ticks) = (sums.steps.load(Relaxed), sums.ticks.load(Relaxed));
        ensure!(steps > 0 && ticks > 0);
        ensure!(sums.threads.sum(|n| n.load(Relaxed)) == steps);
        ensure!(sums.all.sum(|n| n.load(Relaxed)) == steps + ticks);
        caught = sums.torn.sum(|n| n.load(Relaxed)) < steps + ticks;
        if caught {
            break;
        }
    }
    ensure!(caught);
    Ok(())
}

/// Without a token, from all contexts.
fn percpu_counters_exact() -> Result {
    /// Many for each question whether to stop, so that it is them that are interrupted.
    const ADDS: u64 = 50;
    let counters = Arc::new(PerCpuCounters::<3>::new()?, GFP_KERNEL)?;
    let ticks = Arc::new(Atomic::<u64>::new(0), GFP_KERNEL)?;
    let (same, again, count) = (counters.clone(), counters.clone(), ticks.clone());
    ensure!(on_each_cpu::<Hard>(
        move || {
            for _ in 0..ADDS {
                same.add(0, 1);
                same.add_return(1, 2);
            }
            // There is none: without effect.
            same.add(3, 1);
        },
        move || {
            again.add(0, 1);
            again.add_return(1, 2);
            count.add(1, Relaxed);
        },
    )?);
    let steps = u64::from(nr_cpu_ids()) * CHILDREN as u64 * STEPS * ADDS;
    let all = steps + ticks.load(Relaxed);
    ensure!(counters.sum(0) == all && counters.sum(1) == 2 * all);
    ensure!(counters.sum(2) == 0 && counters.sum(3) == 0 && counters.add_return(3, 1) == 0);
    Ok(())
}
