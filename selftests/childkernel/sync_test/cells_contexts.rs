// SPDX-License-Identifier: GPL-2.0

//! The contexts that share data: each is a child on one CPU that does the work itself, or has a
//! timer of that CPU do it.

use super::{eventually, MODULE};
use childkernel::{
    child::{Builder, Context, Handle},
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        preempt::{in_hardirq, in_softirq, preempt_count},
    },
};
use core::marker::PhantomData;
use kernel::{
    cpu::{nr_cpu_ids, CpuId},
    new_work,
    prelude::*,
    sync::{Arc, ArcBorrow},
    time::{
        delay::udelay,
        hrtimer::{
            HasHrTimer, HrTimer, HrTimerCallback, HrTimerCallbackContext, HrTimerMode,
            HrTimerPointer, HrTimerRestart, RelativePinnedHardMode, RelativePinnedSoftMode,
        },
        Delta, Monotonic,
    },
    workqueue::{self, impl_has_work, Work, WorkItem},
};

/// A context.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Process,
    Softirq,
    /// Work of a bottom-half workqueue. A tasklet runs in the same way.
    BhWork,
    Hardirq,
}

impl Place {
    pub(super) fn name(self) -> &'static str {
        match self {
            Place::Process => "process",
            Place::Softirq => "softirq",
            Place::BhWork => "bottom-half work",
            Place::Hardirq => "hardirq",
        }
    }

    /// Whether this is it.
    pub(super) fn is_here(self) -> bool {
        match self {
            Place::Process => preempt_count() == 0,
            Place::Softirq | Place::BhWork => in_softirq() && !in_hardirq(),
            Place::Hardirq => in_hardirq(),
        }
    }

    /// Whether it would wait forever for what it interrupted. Threads would not.
    pub(super) fn waits_forever(self) -> bool {
        match self {
            Place::Process => false,
            Place::Softirq | Place::BhWork => !cfg!(CONFIG_PREEMPT_RT),
            Place::Hardirq => true,
        }
    }

    /// How long it stays inside. Longer than a timer's delay, so that it is met there; short, as
    /// it may keep interrupts off.
    pub(super) fn hold(self) -> Delta {
        Delta::from_micros(match self {
            Place::Process => 60,
            Place::Softirq | Place::BhWork => 120,
            Place::Hardirq => 20,
        })
    }

    /// The delay between two runs. No two timers have the same, or they might never meet.
    fn period(self, index: usize) -> Delta {
        let micros = match self {
            Place::Process => return Delta::from_micros(10),
            Place::Softirq => 510,
            Place::BhWork => 530,
            Place::Hardirq => 370,
        };
        Delta::from_micros(micros + 50 * index as i64)
    }
}

/// What a context does again and again.
pub(super) trait Visit: Send + Sync {
    /// `index` says which of the contexts it is.
    fn visit(&self, index: usize);
}

/// One context's part in it.
#[derive(Clone)]
pub(super) struct Visitor {
    pub(super) what: Arc<dyn Visit>,
    pub(super) index: usize,
}

impl Visitor {
    fn visit(&self) {
        self.what.visit(self.index);
    }
}

/// A timer that goes off again and again on the CPU that started it.
#[pin_data]
struct Timer<M> {
    #[pin]
    timer: HrTimer<Self>,
    period: Delta,
    visitor: Visitor,
    work: Option<Arc<Bottom>>,
    _mode: PhantomData<fn() -> M>,
}

type Soft = RelativePinnedSoftMode<Monotonic>;
type Hard = RelativePinnedHardMode<Monotonic>;

impl HrTimerCallback for Timer<Soft> {
    type Pointer<'a> = Arc<Self>;

    fn run(this: ArcBorrow<'_, Self>, ctx: HrTimerCallbackContext<'_, Self>) -> HrTimerRestart {
        this.go_off(ctx)
    }
}

impl HrTimerCallback for Timer<Hard> {
    type Pointer<'a> = Arc<Self>;

    fn run(this: ArcBorrow<'_, Self>, ctx: HrTimerCallbackContext<'_, Self>) -> HrTimerRestart {
        this.go_off(ctx)
    }
}

kernel::impl_has_hr_timer! {
    impl HasHrTimer<Self> for Timer<Soft> {
        mode: Soft, field: self.timer
    }
}

kernel::impl_has_hr_timer! {
    impl HasHrTimer<Self> for Timer<Hard> {
        mode: Hard, field: self.timer
    }
}

impl<M> Timer<M>
where
    Self: HasHrTimer<Self, TimerMode = M>,
    M: HrTimerMode<Clock = Monotonic, Expires = Delta> + 'static,
{
    fn go_off(&self, mut ctx: HrTimerCallbackContext<'_, Self>) -> HrTimerRestart {
        match &self.work {
            Some(work) => work.queue(),
            None => self.visitor.visit(),
        }
        ctx.forward_now(self.period);
        HrTimerRestart::Restart
    }
}

impl<M> Timer<M>
where
    Self: HrTimerCallback + HasHrTimer<Self, TimerMode = M>,
    for<'a> Self: HrTimerCallback<Pointer<'a> = Arc<Self>>,
    M: HrTimerMode<Clock = Monotonic, Expires = Delta> + 'static,
{
    /// Lets it go off until the child is asked to stop.
    fn keep(
        ctx: &mut Context<'_>,
        period: Delta,
        visitor: &Visitor,
        work: Option<&Arc<Bottom>>,
    ) -> Result {
        let timer = Arc::pin_init(
            pin_init!(Self {
                timer <- HrTimer::new(),
                period,
                visitor: visitor.clone(),
                work: work.cloned(),
                _mode: PhantomData,
            }),
            GFP_KERNEL,
        )?;
        let handle = timer.start(period);
        while !ctx.should_stop() {
            ctx.sleep(1000);
        }
        drop(handle);
        Ok(())
    }
}

/// Work that a bottom-half workqueue runs, in softirq context, on the CPU that queued it.
#[pin_data]
pub(super) struct Bottom {
    #[pin]
    work: Work<Self>,
    visitor: Visitor,
    queued: Atomic<u64>,
    ran: Atomic<u64>,
}

impl_has_work! {
    impl HasWork<Self> for Bottom { self.work }
}

impl WorkItem for Bottom {
    type Pointer = Arc<Self>;

    fn run(this: Arc<Self>) {
        this.visitor.visit();
        this.ran.fetch_add(1, Release);
    }
}

impl Bottom {
    pub(super) fn new(visitor: Visitor) -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                work <- new_work!("cell_work"),
                visitor,
                queued: Atomic::new(0),
                ran: Atomic::new(0),
            }),
            GFP_KERNEL,
        )
    }

    /// From any context. If it is pending it will run, but not twice.
    fn queue(self: &Arc<Self>) {
        if workqueue::system_bh().enqueue(self.clone()).is_ok() {
            self.queued.fetch_add(1, Relaxed);
        }
    }

    /// Waits for what is pending: the queue has no way to cancel it. Nobody queues any more.
    pub(super) fn has_ended(&self) -> bool {
        eventually(|| self.ran.load(Acquire) == self.queued.load(Relaxed))
    }
}

/// Has a hard interrupt of `cpu` queue the work again and again.
pub(super) fn queue_on(cpu: CpuId, visitor: Visitor, work: Arc<Bottom>) -> Result<Handle> {
    let period = Place::BhWork.period(visitor.index);
    Builder::new(&MODULE, c"cell_queue")
        .cpus(&[cpu])
        .spawn(move |ctx| {
            Timer::<Hard>::keep(ctx, period, &visitor, Some(&work))?;
            if work.has_ended() {
                Ok(())
            } else {
                Err(ETIMEDOUT)
            }
        })
}

/// Has `visitor` come from this context on this CPU again and again, until the child is stopped.
pub(super) fn occupy(place: Place, cpu: CpuId, visitor: Visitor) -> Result<Handle> {
    let period = place.period(visitor.index);
    let cpus = &[cpu];
    let child = Builder::new(&MODULE, c"cell").cpus(cpus);
    match place {
        Place::Process => child.spawn(move |ctx| {
            while !ctx.should_stop() {
                visitor.visit();
                udelay(period);
            }
            Ok(())
        }),
        Place::Softirq => child.spawn(move |ctx| Timer::<Soft>::keep(ctx, period, &visitor, None)),
        Place::Hardirq => child.spawn(move |ctx| Timer::<Hard>::keep(ctx, period, &visitor, None)),
        Place::BhWork => queue_on(cpu, visitor.clone(), Bottom::new(visitor)?),
    }
}

/// The first two CPUs on which a child can run, or the only one.
pub(super) fn two_cpus() -> Result<KVec<CpuId>> {
    let mut found = KVec::new();
    for n in 0..nr_cpu_ids() {
        let cpu = CpuId::from_u32(n).ok_or(EINVAL)?;
        let ran_on = Arc::new(Atomic::<u32>::new(u32::MAX), GFP_KERNEL)?;
        let seen = ran_on.clone();
        let child = Builder::new(&MODULE, c"cell_cpu")
            .cpus(&[cpu])
            .spawn(move |_| {
                seen.store(CpuId::current().as_u32(), Release);
                Ok(())
            })?;
        let ran = eventually(|| ran_on.load(Acquire) != u32::MAX);
        drop(child);
        if ran && ran_on.load(Relaxed) == n {
            found.push(cpu, GFP_KERNEL)?;
        }
        if found.len() == 2 {
            break;
        }
    }
    Ok(found)
}
