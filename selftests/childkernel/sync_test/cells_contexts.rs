// SPDX-License-Identifier: GPL-2.0

//! The contexts that share data: each is a child on one CPU that does the work itself, or has a
//! timer of that CPU do it.

use super::{
    eventually, spawn_on,
    timers::{Hard, Interrupt, Soft},
};
use childkernel::{
    child::{Context, Handle},
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        preempt::{in_hardirq, in_softirq, preempt_count},
    },
};
use kernel::{
    cpu::CpuId,
    new_work,
    prelude::*,
    sync::Arc,
    time::{delay::udelay, Delta},
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

/// A hard interrupt that takes the locks of its cell: a raw one on `PREEMPT_RT`, and elsewhere one
/// that would sleep there, which lockdep allows where the timer would be a thread there, too.
#[cfg(CONFIG_PREEMPT_RT)]
type Locking = Hard;
#[cfg(not(CONFIG_PREEMPT_RT))]
type Locking = super::timers::HardUnlessRt;

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

/// Lets a timer of this CPU do `visit` until the child is asked to stop.
fn keep<I: Interrupt>(
    ctx: &mut Context<'_>,
    period: Delta,
    visit: impl Fn() + Send + Sync + 'static,
) -> Result {
    let timer = I::every(period, visit)?;
    while !ctx.should_stop() {
        ctx.sleep(1000);
    }
    drop(timer);
    Ok(())
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
    spawn_on(c"cell_queue", cpu.as_u32(), move |ctx| {
        let theirs = work.clone();
        keep::<Hard>(ctx, period, move || theirs.queue())?;
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
    let n = cpu.as_u32();
    match place {
        Place::Process => spawn_on(c"cell", n, move |ctx| {
            while !ctx.should_stop() {
                visitor.visit();
                udelay(period);
            }
            Ok(())
        }),
        Place::Softirq => spawn_on(c"cell", n, move |ctx| {
            let visitor = visitor.clone();
            keep::<Soft>(ctx, period, move || visitor.visit())
        }),
        Place::Hardirq => spawn_on(c"cell", n, move |ctx| {
            let visitor = visitor.clone();
            keep::<Locking>(ctx, period, move || visitor.visit())
        }),
        Place::BhWork => queue_on(cpu, visitor.clone(), Bottom::new(visitor)?),
    }
}
