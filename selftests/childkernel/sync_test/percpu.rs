// SPDX-License-Identifier: GPL-2.0

//! Per-CPU data and local locks.

use super::{is_done, spawn_on};
use childkernel::{
    new_local_lock, new_raw_spinlock_irq, new_spinlock_bh,
    sync::{
        atomic::{Atomic, Relaxed},
        local_lock::{LocalLockIn, Variant},
        new_spinlock,
        preempt::{
            in_softirq, irqs_disabled, local_bh_disable, local_interrupt_disable, preempt_count,
            preempt_disable,
        },
        LocalLock, LocalLockBh, LocalLockIrq, PerCpu, PerCpuCounters, RawSpinLockIrq, SpinLock,
        SpinLockBh,
    },
};
use kernel::{
    cpu::{nr_cpu_ids, CpuId},
    impl_has_hr_timer,
    prelude::*,
    sync::{Arc, ArcBorrow},
    time::{
        delay::udelay,
        hrtimer::{
            ArcHrTimerHandle, HrTimer, HrTimerCallback, HrTimerCallbackContext, HrTimerPointer,
            HrTimerRestart, RelativeMode, RelativeSoftMode,
        },
        Delta, Monotonic,
    },
};

cases!(sync_percpu:
    percpu_one_each,
    percpu_failed_init,
    percpu_this_cpu,
    percpu_sum_exact,
    percpu_counters_exact,
    local_lock_agrees,
    local_lock_bh_agrees,
    local_lock_irq_agrees,
    local_lock_any_order,
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
            is_here!(local_bh_disable());
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

type Work = Arc<dyn Fn() + Send + Sync>;

macro_rules! ticker {
    ($(#[$doc:meta])* $name:ident, $mode:ident) => {
        $(#[$doc])*
        #[pin_data]
        struct $name {
            #[pin]
            timer: HrTimer<Self>,
            work: Work,
        }

        impl $name {
            fn start(work: Work) -> Result<ArcHrTimerHandle<Self>> {
                let this = Arc::pin_init(
                    pin_init!(Self {
                        timer <- HrTimer::new(),
                        work,
                    }),
                    GFP_KERNEL,
                )?;
                Ok(this.start(Delta::from_micros(TICK_US)))
            }
        }

        impl HrTimerCallback for $name {
            type Pointer<'a> = Arc<Self>;

            fn run(
                this: ArcBorrow<'_, Self>,
                mut ctx: HrTimerCallbackContext<'_, Self>,
            ) -> HrTimerRestart {
                (this.work)();
                ctx.forward_now(Delta::from_micros(TICK_US));
                HrTimerRestart::Restart
            }
        }

        impl_has_hr_timer! {
            impl HasHrTimer<Self> for $name {
                mode: $mode<Monotonic>, field: self.timer
            }
        }
    };
}

const TICK_US: i64 = 300;

ticker!(
    /// Works in hard interrupt context, on the CPU that started it.
    HardTicker, RelativeMode
);
ticker!(
    /// Works in soft interrupt context, on the CPU that started it.
    SoftTicker, RelativeSoftMode
);

/// Adds 1 by a load and a store: whatever comes in between is lost.
fn step(number: &Atomic<u64>) {
    let old = number.load(Relaxed);
    udelay(Delta::from_micros(2));
    number.store(old + 1, Relaxed);
}

/// So many children on each CPU, each with a timer.
const CHILDREN: usize = 2;
const STEPS: u64 = 1_000;

/// Runs `body` so often in each child, and `tick` in its timer meanwhile.
fn on_each_cpu<T: 'static>(
    start: fn(Work) -> Result<T>,
    body: impl Fn() + Send + Sync + 'static,
    tick: impl Fn() + Send + Sync + 'static,
) -> Result<bool> {
    let body = Arc::new(body, GFP_KERNEL)?;
    let tick: Work = Arc::new(tick, GFP_KERNEL)?;
    let mut children = KVec::new();
    for cpu in 0..nr_cpu_ids() {
        for _ in 0..CHILDREN {
            let (body, tick) = (body.clone(), tick.clone());
            let child = spawn_on(c"adder", cpu, move |ctx| {
                let ticker = start(tick.clone())?;
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
        ensure!(on_each_cpu(
            HardTicker::start,
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
    ensure!(on_each_cpu(
        HardTicker::start,
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
fn agrees<V: Variant + 'static, T: 'static>(
    lock: LocalLockIn<Two, V>,
    start: fn(Work) -> Result<T>,
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
    ensure!(on_each_cpu(
        start,
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
    agrees(lock, HardTicker::start, false)
}

fn local_lock_bh_agrees() -> Result {
    let lock: LocalLockBh<Two> = new_local_lock!(two, "test_local_bh")?;
    agrees(lock, SoftTicker::start, true)
}

fn local_lock_irq_agrees() -> Result {
    let lock: LocalLockIrq<Two> = new_local_lock!(two, "test_local_irq")?;
    agrees(lock, HardTicker::start, !cfg!(CONFIG_PREEMPT_RT))
}

/// Each holds off what its name says, and what they hold off comes back with the last, whatever the
/// order.
fn local_lock_any_order() -> Result {
    let is_free = || !irqs_disabled() && !in_softirq() && preempt_count() == 0;
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
