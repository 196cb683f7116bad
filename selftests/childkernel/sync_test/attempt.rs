// SPDX-License-Identifier: GPL-2.0

//! Attempts in interrupts: how a case makes one while something is held.

use super::{eventually, is_done, MODULE};
use childkernel::{
    child::Builder,
    sync::{
        atomic::{Acquire, Atomic, Release},
        preempt::{in_softirq, irqs_disabled, preempt_disable},
    },
};
use kernel::{
    cpu::CpuId,
    impl_has_hr_timer,
    prelude::*,
    sync::{Arc, ArcBorrow},
    time::{
        delay::udelay,
        hrtimer::{
            ArcHrTimerHandle, HrTimer, HrTimerCallback, HrTimerCallbackContext, HrTimerPointer,
            HrTimerRestart, RelativePinnedHardMode, RelativePinnedSoftMode,
        },
        Delta, Monotonic,
    },
};

/// Something to try in an interrupt, and how it went.
pub(super) struct Attempt {
    /// Whether it got what it wanted.
    try_it: KBox<dyn Fn() -> bool + Send + Sync>,
    outcome: Atomic<u32>,
}

const NONE: u32 = 0;
const FAILED: u32 = 1;
const GOT: u32 = 2;
/// It was not the interrupt that was meant.
const ELSEWHERE: u32 = 3;

impl Attempt {
    fn new(try_it: impl Fn() -> bool + Send + Sync + 'static) -> Result<Arc<Self>> {
        let attempt = Self {
            try_it: KBox::new(try_it, GFP_KERNEL)?,
            outcome: Atomic::new(NONE),
        };
        Ok(Arc::new(attempt, GFP_KERNEL)?)
    }

    fn run(&self, expected: bool) {
        let outcome = match expected {
            false => ELSEWHERE,
            true if (self.try_it)() => GOT,
            true => FAILED,
        };
        self.outcome.store(outcome, Release);
    }

    fn outcome(&self) -> u32 {
        self.outcome.load(Acquire)
    }

    /// Waits for it without sleeping, for so many milliseconds at most.
    fn spin(&self, ms: u32) -> u32 {
        for _ in 0..ms * 100 {
            if self.outcome() != NONE {
                break;
            }
            udelay(Delta::from_micros(10));
        }
        self.outcome()
    }

    /// Makes it on this CPU while `with_held` holds what it wants.
    ///
    /// A soft interrupt may be left to a thread, which does not run meanwhile: then once more.
    fn while_held<T: Trier>(&self, timer: &Arc<T>, with_held: &dyn Fn(&mut dyn FnMut())) -> u32 {
        for _ in 0..20 {
            self.outcome.store(NONE, Release);
            let mut outcome = NONE;
            let mut handle = None;
            with_held(&mut || {
                let here = preempt_disable();
                handle = Some(T::start(timer));
                outcome = self.spin(50);
                drop(here);
            });
            drop(handle);
            if outcome != NONE {
                return outcome;
            }
        }
        NONE
    }

    /// Makes it with nothing held.
    fn when_free<T: Trier>(&self, timer: &Arc<T>) -> u32 {
        self.outcome.store(NONE, Release);
        let handle = T::start(timer);
        eventually(|| self.outcome() != NONE);
        drop(handle);
        self.outcome()
    }

    /// Begins it on this CPU while `with_held` keeps its interrupt off: how it went meanwhile, and
    /// afterwards.
    fn is_put_off<T: Trier>(
        &self,
        timer: &Arc<T>,
        with_held: &dyn Fn(&mut dyn FnMut()),
    ) -> (u32, u32) {
        self.outcome.store(NONE, Release);
        let mut outcome = GOT;
        let mut handle = None;
        with_held(&mut || {
            let here = preempt_disable();
            handle = Some(T::start(timer));
            outcome = self.spin(5);
            drop(here);
        });
        eventually(|| self.outcome() != NONE);
        drop(handle);
        (outcome, self.outcome())
    }
}

/// A timer that makes an attempt, on the CPU on which it was started.
pub(super) trait Trier: Sized + Send + Sync + 'static {
    type Handle;

    fn new(attempt: &Arc<Attempt>) -> Result<Arc<Self>>;
    fn start(this: &Arc<Self>) -> Self::Handle;
}

/// Makes it in a hard interrupt.
#[pin_data]
pub(super) struct Hard {
    #[pin]
    timer: HrTimer<Self>,
    attempt: Arc<Attempt>,
}

/// Makes it in a soft interrupt.
#[pin_data]
pub(super) struct Soft {
    #[pin]
    timer: HrTimer<Self>,
    attempt: Arc<Attempt>,
}

macro_rules! trier {
    ($name:ident, $mode:ident, $is_here:expr) => {
        impl Trier for $name {
            type Handle = ArcHrTimerHandle<Self>;

            fn new(attempt: &Arc<Attempt>) -> Result<Arc<Self>> {
                let attempt = attempt.clone();
                Arc::pin_init(
                    pin_init!(Self {
                        timer <- HrTimer::new(),
                        attempt,
                    }),
                    GFP_KERNEL,
                )
            }

            fn start(this: &Arc<Self>) -> Self::Handle {
                HrTimerPointer::start(this.clone(), Delta::from_micros(50))
            }
        }

        impl HrTimerCallback for $name {
            type Pointer<'a> = Arc<Self>;

            fn run(
                this: ArcBorrow<'_, Self>,
                _: HrTimerCallbackContext<'_, Self>,
            ) -> HrTimerRestart {
                this.attempt.run($is_here);
                HrTimerRestart::NoRestart
            }
        }

        impl_has_hr_timer! {
            impl HasHrTimer<Self> for $name {
                mode: $mode<Monotonic>, field: self.timer
            }
        }
    };
}

trier!(Hard, RelativePinnedHardMode, irqs_disabled());
trier!(
    Soft,
    RelativePinnedSoftMode,
    in_softirq() && !irqs_disabled()
);

/// It fails in both kinds of interrupts over a task that `with_held` lets hold what it wants.
pub(super) fn fails_over_holder(
    try_it: impl Fn() -> bool + Send + Sync + 'static,
    with_held: impl Fn(&mut dyn FnMut()),
) -> Result {
    let attempt = Attempt::new(try_it)?;
    let (hard, soft) = (Hard::new(&attempt)?, Soft::new(&attempt)?);
    ensure!(attempt.while_held(&hard, &with_held) == FAILED);
    ensure!(attempt.while_held(&soft, &with_held) == FAILED);
    ensure!(attempt.when_free(&hard) == GOT);
    ensure!(attempt.when_free(&soft) == GOT);
    Ok(())
}

/// It fails in that interrupt while another CPU holds what it wants: for locks that keep off the
/// interrupts of their own.
pub(super) fn fails_beside_holder<T: Trier>(
    try_it: impl Fn() -> bool + Send + Sync + 'static,
    with_held: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static,
) -> Result {
    const HELD: u32 = 1;
    const RELEASE: u32 = 2;

    let attempt = Attempt::new(try_it)?;
    let timer = T::new(&attempt)?;
    let step = Arc::new(Atomic::<u32>::new(0), GFP_KERNEL)?;
    // Not early to give up: the other one may have to wait for its CPU.
    let wait_for = |step: &Atomic<u32>, value: u32| {
        (0..200_000).any(|_| {
            udelay(Delta::from_micros(10));
            step.load(Acquire) == value
        })
    };

    let flag = step.clone();
    let (cpu, other_cpu) = (CpuId::from_u32(0), CpuId::from_u32(1));
    let holder = Builder::new(&MODULE, c"holder")
        .cpus(&[cpu.ok_or(ENODEV)?])
        .spawn(move |_| {
            let mut seen = false;
            with_held(&mut || {
                flag.store(HELD, Release);
                seen = wait_for(&flag, RELEASE);
            });
            // Else both were on one CPU, or it took too long to say anything.
            seen.then_some(()).ok_or(ETIMEDOUT)
        })?;
    let (tried, theirs) = (attempt.clone(), timer.clone());
    let trier = Builder::new(&MODULE, c"trier")
        .cpus(&[other_cpu.ok_or(ENODEV)?])
        .spawn(move |_| {
            let held = wait_for(&step, HELD);
            let handle = T::start(&theirs);
            let outcome = tried.spin(1000);
            step.store(RELEASE, Release);
            drop(handle);
            (held && outcome == FAILED).then_some(()).ok_or(EINVAL)
        })?;
    ensure!(is_done(&holder));
    ensure!(is_done(&trier));
    ensure!(attempt.when_free(&timer) == GOT);
    Ok(())
}

/// That interrupt of this CPU waits until what `with_held` holds is released.
pub(super) fn keeps_off<T: Trier>(with_held: impl Fn(&mut dyn FnMut())) -> Result {
    let attempt = Attempt::new(|| true)?;
    let timer = T::new(&attempt)?;
    ensure!(attempt.is_put_off(&timer, &with_held) == (NONE, GOT));
    Ok(())
}
