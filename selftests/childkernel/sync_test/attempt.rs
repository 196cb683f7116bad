// SPDX-License-Identifier: GPL-2.0

//! Attempts in interrupts: how a case makes one while something is held.

use super::{
    cpus::needs_two_cpus,
    eventually, is_done, spawn_on,
    timers::{Hard, Interrupt, Soft, Timer},
};
use childkernel::sync::{
    atomic::{Acquire, Atomic, Release},
    preempt::preempt_disable,
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::udelay, Delta},
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

    /// A timer that makes it.
    fn timer<I: Interrupt>(self: &Arc<Self>) -> Result<Arc<Timer<I>>> {
        let attempt = self.clone();
        I::timer(Delta::from_micros(50), move || {
            attempt.run(I::is_here());
            false
        })
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
    fn while_held<I: Interrupt>(
        &self,
        timer: &Arc<Timer<I>>,
        with_held: &dyn Fn(&mut dyn FnMut()),
    ) -> u32 {
        for _ in 0..20 {
            self.outcome.store(NONE, Release);
            let mut outcome = NONE;
            let mut handle = None;
            with_held(&mut || {
                let here = preempt_disable();
                handle = Some(I::start(timer));
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
    fn when_free<I: Interrupt>(&self, timer: &Arc<Timer<I>>) -> u32 {
        self.outcome.store(NONE, Release);
        let handle = I::start(timer);
        eventually(|| self.outcome() != NONE);
        drop(handle);
        self.outcome()
    }

    /// Begins it on this CPU while `with_held` holds something, for `ms` at most: how it went
    /// meanwhile, and afterwards.
    fn meanwhile<I: Interrupt>(
        &self,
        timer: &Arc<Timer<I>>,
        ms: u32,
        with_held: &dyn Fn(&mut dyn FnMut()),
    ) -> (u32, u32) {
        self.outcome.store(NONE, Release);
        let mut outcome = GOT;
        let mut handle = None;
        with_held(&mut || {
            let here = preempt_disable();
            handle = Some(I::start(timer));
            outcome = self.spin(ms);
            drop(here);
        });
        eventually(|| self.outcome() != NONE);
        drop(handle);
        (outcome, self.outcome())
    }
}

/// It fails in both kinds of interrupts over a task that `with_held` lets hold what it wants. On
/// `PREEMPT_RT` the soft ones are threads, which do not run over one that keeps its CPU.
pub(super) fn fails_over_holder(
    try_it: impl Fn() -> bool + Send + Sync + 'static,
    with_held: impl Fn(&mut dyn FnMut()),
) -> Result {
    let attempt = Attempt::new(try_it)?;
    let (hard, soft) = (attempt.timer::<Hard>()?, attempt.timer::<Soft>()?);
    ensure!(attempt.while_held(&hard, &with_held) == FAILED);
    ensure!(cfg!(CONFIG_PREEMPT_RT) || attempt.while_held(&soft, &with_held) == FAILED);
    ensure!(attempt.when_free(&hard) == GOT);
    ensure!(attempt.when_free(&soft) == GOT);
    Ok(())
}

/// It fails in that interrupt while another CPU holds what it wants: for locks that keep off the
/// interrupts of their own.
pub(super) fn fails_beside_holder<I: Interrupt>(
    case: &str,
    try_it: impl Fn() -> bool + Send + Sync + 'static,
    with_held: impl Fn(&mut dyn FnMut()) + Send + Sync + 'static,
) -> Result {
    const HELD: u32 = 1;
    const RELEASE: u32 = 2;

    let [cpu, other_cpu] = needs_two_cpus(case)?;
    let attempt = Attempt::new(try_it)?;
    let timer = attempt.timer::<I>()?;
    let step = Arc::new(Atomic::<u32>::new(0), GFP_KERNEL)?;

    // First who tries: this thread may be where the holder lets nobody in.
    let (tried, theirs, flag) = (attempt.clone(), timer.clone(), step.clone());
    let trier = spawn_on(c"trier", other_cpu.as_u32(), move |ctx| {
        while flag.load(Acquire) != HELD && !ctx.should_stop() {
            ctx.sleep(1);
        }
        let handle = I::start(&theirs);
        let outcome = tried.spin(1000);
        flag.store(RELEASE, Release);
        drop(handle);
        (outcome == FAILED).then_some(()).ok_or(EINVAL)
    })?;
    let holder = spawn_on(c"holder", cpu.as_u32(), move |_| {
        let mut seen = false;
        with_held(&mut || {
            step.store(HELD, Release);
            // Not early to give up: the other one may have to wait for its CPU.
            seen = (0..200_000).any(|_| {
                udelay(Delta::from_micros(10));
                step.load(Acquire) == RELEASE
            });
        });
        // Else both were on one CPU, or it took too long to say anything.
        seen.then_some(()).ok_or(ETIMEDOUT)
    })?;
    ensure!(is_done(&holder));
    ensure!(is_done(&trier));
    ensure!(attempt.when_free(&timer) == GOT);
    Ok(())
}

/// That interrupt of this CPU waits until what `with_held` holds is released.
pub(super) fn keeps_off<I: Interrupt>(with_held: impl Fn(&mut dyn FnMut())) -> Result {
    let attempt = Attempt::new(|| true)?;
    let timer = attempt.timer::<I>()?;
    ensure!(attempt.meanwhile(&timer, 5, &with_held) == (NONE, GOT));
    Ok(())
}

/// The same of hard interrupts and a lock that sleeps on `PREEMPT_RT`, where they come at once.
pub(super) fn keeps_off_unless_rt(with_held: impl Fn(&mut dyn FnMut())) -> Result {
    if !cfg!(CONFIG_PREEMPT_RT) {
        return keeps_off::<Hard>(with_held);
    }
    let attempt = Attempt::new(|| true)?;
    let timer = attempt.timer::<Hard>()?;
    ensure!(attempt.meanwhile(&timer, 1000, &with_held) == (GOT, GOT));
    Ok(())
}
