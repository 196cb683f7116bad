// SPDX-License-Identifier: GPL-2.0

//! Where nothing may wait: attempts in hard and soft interrupts and with preemption off.
//!
//! An attempt there fails if the lock is held, even by the very task that was interrupted, and
//! succeeds if it is free.

use super::{eventually, is_done, MODULE};
use childkernel::{
    child::Builder,
    new_completion, new_percpu_rwsem, new_raw_spinlock, new_raw_spinlock_irq, new_rwlock,
    new_rwsem, new_semaphore, new_spinlock_bh,
    sync::{
        atomic::{Acquire, Atomic, Release},
        new_mutex, new_spinlock, new_spinlock_irq,
        preempt::{in_softirq, irqs_disabled, preempt_disable},
        rwlock::{RwLockIn, Variant},
        Completion, Mutex, PerCpuRwSemaphore, RawSpinLock, RawSpinLockIrq, ResilientSpinLock,
        ResilientSpinLockIrq, RwLock, RwLockBh, RwLockIrq, RwSemaphore, Semaphore, SpinLock,
        SpinLockBh, SpinLockIrq,
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

cases!(sync_interrupts:
    spinlock_try_in_interrupt,
    spinlock_irq_try_in_interrupt,
    spinlock_bh_try_in_softirq,
    raw_spinlock_try_in_interrupt,
    raw_spinlock_irq_try_in_interrupt,
    rwlock_try_in_interrupt,
    rwlock_irq_try_in_interrupt,
    rwlock_bh_try_in_softirq,
    semaphore_try_in_interrupt,
    completion_try_in_interrupt,
    resilient_in_interrupt,
    locks_try_without_preemption,
    irq_locks_keep_interrupts_off,
    bh_locks_keep_softirqs_off,
);

/// Something to try in an interrupt, and how it went.
struct Attempt {
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
trait Trier: Sized + Send + Sync + 'static {
    type Handle;

    fn new(attempt: &Arc<Attempt>) -> Result<Arc<Self>>;
    fn start(this: &Arc<Self>) -> Self::Handle;
}

macro_rules! trier {
    ($(#[$doc:meta])* $name:ident, $mode:ident, $is_here:expr) => {
        $(#[$doc])*
        #[pin_data]
        struct $name {
            #[pin]
            timer: HrTimer<Self>,
            attempt: Arc<Attempt>,
        }

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

trier!(
    /// In a hard interrupt.
    Hard,
    RelativePinnedHardMode,
    irqs_disabled()
);
trier!(
    /// In a soft interrupt.
    Soft,
    RelativePinnedSoftMode,
    in_softirq() && !irqs_disabled()
);

/// It fails in both kinds of interrupts over a task that `with_held` lets hold what it wants.
fn fails_over_holder(
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
fn fails_beside_holder<T: Trier>(
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
fn keeps_off<T: Trier>(with_held: impl Fn(&mut dyn FnMut())) -> Result {
    let attempt = Attempt::new(|| true)?;
    let timer = T::new(&attempt)?;
    ensure!(attempt.is_put_off(&timer, &with_held) == (NONE, GOT));
    Ok(())
}

/// What the two parts of a case want of a lock: an attempt, and to hold it.
macro_rules! both {
    ($lock:expr, $try_it:ident, $hold:ident) => {{
        let (ours, theirs) = ($lock.clone(), $lock.clone());
        (
            move || ours.$try_it().is_some(),
            move |inside: &mut dyn FnMut()| {
                let guard = theirs.$hold();
                inside();
                drop(guard);
            },
        )
    }};
}

fn spinlock_try_in_interrupt() -> Result {
    let lock: Arc<SpinLock<()>> = Arc::pin_init(new_spinlock!((), "test_spin"), GFP_KERNEL)?;
    let (try_it, with_held) = both!(lock, try_lock, lock);
    fails_over_holder(try_it, with_held)
}

fn raw_spinlock_try_in_interrupt() -> Result {
    let lock: Arc<RawSpinLock<()>> = Arc::pin_init(new_raw_spinlock!((), "test_raw"), GFP_KERNEL)?;
    let (try_it, with_held) = both!(lock, try_lock, lock);
    fails_over_holder(try_it, with_held)
}

fn spinlock_irq_try_in_interrupt() -> Result {
    let lock: Arc<SpinLockIrq<()>> =
        Arc::pin_init(new_spinlock_irq!((), "test_spin_irq"), GFP_KERNEL)?;
    let (try_it, with_held) = both!(lock, try_lock, lock);
    fails_beside_holder::<Hard>(try_it, with_held)?;
    let (try_it, with_held) = both!(lock, try_lock, lock);
    fails_beside_holder::<Soft>(try_it, with_held)
}

fn raw_spinlock_irq_try_in_interrupt() -> Result {
    let lock: Arc<RawSpinLockIrq<()>> =
        Arc::pin_init(new_raw_spinlock_irq!((), "test_raw_irq"), GFP_KERNEL)?;
    let (try_it, with_held) = both!(lock, try_lock, lock);
    fails_beside_holder::<Hard>(try_it, with_held)?;
    let (try_it, with_held) = both!(lock, try_lock, lock);
    fails_beside_holder::<Soft>(try_it, with_held)
}

fn spinlock_bh_try_in_softirq() -> Result {
    let lock: Arc<SpinLockBh<()>> =
        Arc::pin_init(new_spinlock_bh!((), "test_spin_bh"), GFP_KERNEL)?;
    let (try_it, with_held) = both!(lock, try_lock, lock);
    fails_beside_holder::<Soft>(try_it, with_held)
}

/// Readers go past a reader, so what keeps them out is a writer.
fn rwlock_try_in_interrupt() -> Result {
    let lock: Arc<RwLock<()>> = Arc::pin_init(new_rwlock!((), "test_rw"), GFP_KERNEL)?;
    let (try_it, with_held) = both!(lock, try_read, write);
    fails_over_holder(try_it, with_held)?;
    let (try_it, with_held) = both!(lock, try_write, read);
    fails_over_holder(try_it, with_held)
}

/// The attempts of a lock that is one kind of interrupt's.
fn rwlock_beside<T: Trier, V: Variant + 'static>(lock: Arc<RwLockIn<(), V>>) -> Result {
    let (try_it, with_held) = both!(lock, try_read, write);
    fails_beside_holder::<T>(try_it, with_held)?;
    let (try_it, with_held) = both!(lock, try_write, read);
    fails_beside_holder::<T>(try_it, with_held)
}

fn rwlock_irq_try_in_interrupt() -> Result {
    let lock: Arc<RwLockIrq<()>> = Arc::pin_init(new_rwlock!((), "test_rw_irq"), GFP_KERNEL)?;
    rwlock_beside::<Hard, _>(lock.clone())?;
    rwlock_beside::<Soft, _>(lock)
}

fn rwlock_bh_try_in_softirq() -> Result {
    let lock: Arc<RwLockBh<()>> = Arc::pin_init(new_rwlock!((), "test_rw_bh"), GFP_KERNEL)?;
    rwlock_beside::<Soft, _>(lock)
}

fn semaphore_try_in_interrupt() -> Result {
    let sem: Arc<Semaphore> = Arc::pin_init(new_semaphore!(1, "test_semaphore"), GFP_KERNEL)?;
    let (try_it, with_held) = both!(sem, try_down, down);
    fails_over_holder(try_it, with_held)
}

/// Each attempt that succeeds completes it again.
fn completion_try_in_interrupt() -> Result {
    let done: Arc<Completion> = Arc::pin_init(new_completion!("test_completion"), GFP_KERNEL)?;
    done.complete();
    let (ours, theirs) = (done.clone(), done.clone());
    let try_it = move || {
        let got = ours.try_wait();
        if got {
            ours.complete();
        }
        got
    };
    fails_over_holder(try_it, move |inside| {
        theirs.wait();
        inside();
        theirs.complete();
    })?;
    ensure!(done.try_wait() && !done.try_wait());
    Ok(())
}

/// An interrupt that wants what it has interrupted is told so.
fn resilient_in_interrupt() -> Result {
    let lock: Arc<ResilientSpinLock<()>> = Arc::pin_init(ResilientSpinLock::new(()), GFP_KERNEL)?;
    let error = Arc::new(Atomic::<i32>::new(0), GFP_KERNEL)?;
    let (ours, theirs, seen) = (lock.clone(), lock.clone(), error.clone());
    let try_it = move || match ours.lock() {
        Ok(_) => true,
        Err(error) => {
            seen.store(error.to_errno(), Release);
            false
        }
    };
    fails_over_holder(try_it, move |inside| {
        let guard = theirs.lock();
        inside();
        drop(guard);
    })?;
    ensure!(error.load(Acquire) == EDEADLK.to_errno());
    ensure!(lock.lock().is_ok());
    Ok(())
}

/// Ends a case unless an attempt fails while it is held, and succeeds when it is free, where
/// nothing may sleep.
macro_rules! ensure_atomic {
    ($lock:expr, $try_it:ident, $hold:ident) => {
        let guard = $lock.$hold();
        let here = preempt_disable();
        let failed = $lock.$try_it().is_none();
        drop(here);
        drop(guard);
        let here = preempt_disable();
        let got = $lock.$try_it().is_some();
        drop(here);
        ensure!(failed && got);
    };
}

/// Those that sleep have attempts as well, for tasks that must not just now.
fn locks_try_without_preemption() -> Result {
    let mutex: Arc<Mutex<()>> = Arc::pin_init(new_mutex!((), "test_mutex"), GFP_KERNEL)?;
    ensure_atomic!(mutex, try_lock, lock);
    let sem: Arc<Semaphore> = Arc::pin_init(new_semaphore!(1, "test_semaphore"), GFP_KERNEL)?;
    ensure_atomic!(sem, try_down, down);
    let rwsem: Arc<RwSemaphore<()>> = Arc::pin_init(new_rwsem!((), "test_rwsem"), GFP_KERNEL)?;
    ensure_atomic!(rwsem, try_read, write);
    ensure_atomic!(rwsem, try_write, read);
    let percpu: Arc<PerCpuRwSemaphore<()>> =
        Arc::pin_init(new_percpu_rwsem!((), "test_percpu"), GFP_KERNEL)?;
    ensure_atomic!(percpu, try_read, write);
    let spin: Arc<SpinLock<()>> = Arc::pin_init(new_spinlock!((), "test_spin"), GFP_KERNEL)?;
    ensure_atomic!(spin, try_lock, lock);
    let rwlock: Arc<RwLock<()>> = Arc::pin_init(new_rwlock!((), "test_rw"), GFP_KERNEL)?;
    ensure_atomic!(rwlock, try_read, write);
    ensure_atomic!(rwlock, try_write, read);
    Ok(())
}

/// The second half of what [`both!`] makes.
macro_rules! holding {
    ($lock:expr, $hold:ident) => {
        |inside: &mut dyn FnMut()| {
            let guard = $lock.$hold();
            inside();
            drop(guard);
        }
    };
}

fn irq_locks_keep_interrupts_off() -> Result {
    let spin: Arc<SpinLockIrq<()>> =
        Arc::pin_init(new_spinlock_irq!((), "test_spin_irq"), GFP_KERNEL)?;
    keeps_off::<Hard>(holding!(spin, lock))?;
    let raw: Arc<RawSpinLockIrq<()>> =
        Arc::pin_init(new_raw_spinlock_irq!((), "test_raw_irq"), GFP_KERNEL)?;
    keeps_off::<Hard>(holding!(raw, lock))?;
    let rwlock: Arc<RwLockIrq<()>> = Arc::pin_init(new_rwlock!((), "test_rw_irq"), GFP_KERNEL)?;
    keeps_off::<Hard>(holding!(rwlock, read))?;
    keeps_off::<Hard>(holding!(rwlock, write))?;
    let resilient: Arc<ResilientSpinLockIrq<()>> =
        Arc::pin_init(ResilientSpinLockIrq::new(()), GFP_KERNEL)?;
    keeps_off::<Hard>(holding!(resilient, lock))
}

fn bh_locks_keep_softirqs_off() -> Result {
    let spin: Arc<SpinLockBh<()>> =
        Arc::pin_init(new_spinlock_bh!((), "test_spin_bh"), GFP_KERNEL)?;
    keeps_off::<Soft>(holding!(spin, lock))?;
    let rwlock: Arc<RwLockBh<()>> = Arc::pin_init(new_rwlock!((), "test_rw_bh"), GFP_KERNEL)?;
    keeps_off::<Soft>(holding!(rwlock, read))?;
    keeps_off::<Soft>(holding!(rwlock, write))
}
