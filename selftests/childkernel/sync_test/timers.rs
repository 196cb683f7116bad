// SPDX-License-Identifier: GPL-2.0

//! Timers: how a case has something done in an interrupt, on the CPU where it asks for it.

use childkernel::sync::preempt::{in_softirq, irqs_disabled};
use core::marker::PhantomData;
use kernel::{
    impl_has_hr_timer,
    prelude::*,
    sync::{Arc, ArcBorrow},
    time::{
        hrtimer::{
            ArcHrTimerHandle, HrTimer, HrTimerCallback, HrTimerCallbackContext, HrTimerPointer,
            HrTimerRestart, RelativePinnedHardMode, RelativePinnedMode, RelativePinnedSoftMode,
        },
        Delta, Monotonic,
    },
};

/// A hard interrupt.
pub(super) type Hard = RelativePinnedHardMode<Monotonic>;
/// A hard interrupt, but on `PREEMPT_RT` a soft one, where locks that sleep there may be taken.
pub(super) type HardUnlessRt = RelativePinnedMode<Monotonic>;
/// A soft interrupt.
pub(super) type Soft = RelativePinnedSoftMode<Monotonic>;

/// A timer that calls a function, and again after the same delay if that returns `true`.
#[pin_data]
pub(super) struct Timer<I> {
    #[pin]
    timer: HrTimer<Self>,
    delay: Delta,
    call: KBox<dyn Fn() -> bool + Send + Sync>,
    _kind: PhantomData<fn() -> I>,
}

/// A kind of interrupt.
pub(super) trait Interrupt: Sized + 'static {
    /// A timer that was started: who drops it stops it, and waits for a call that has begun.
    type Started;

    /// Whether this is one.
    fn is_here() -> bool;

    fn timer(
        delay: Delta,
        call: impl Fn() -> bool + Send + Sync + 'static,
    ) -> Result<Arc<Timer<Self>>>;

    /// Starts it, from any context, on this CPU.
    fn start(timer: &Arc<Timer<Self>>) -> Self::Started;

    /// Has it called once.
    fn once(delay: Delta, call: impl Fn() + Send + Sync + 'static) -> Result<Self::Started> {
        let timer = Self::timer(delay, move || {
            call();
            false
        })?;
        Ok(Self::start(&timer))
    }

    /// Has it called again and again.
    fn every(delay: Delta, call: impl Fn() + Send + Sync + 'static) -> Result<Self::Started> {
        let timer = Self::timer(delay, move || {
            call();
            true
        })?;
        Ok(Self::start(&timer))
    }
}

macro_rules! interrupt {
    ($kind:ident, $is_here:expr) => {
        impl HrTimerCallback for Timer<$kind> {
            type Pointer<'a> = Arc<Self>;

            fn run(
                this: ArcBorrow<'_, Self>,
                mut ctx: HrTimerCallbackContext<'_, Self>,
            ) -> HrTimerRestart {
                if (this.call)() {
                    ctx.forward_now(this.delay);
                    HrTimerRestart::Restart
                } else {
                    HrTimerRestart::NoRestart
                }
            }
        }

        impl_has_hr_timer! {
            impl HasHrTimer<Self> for Timer<$kind> {
                mode: $kind, field: self.timer
            }
        }

        impl Interrupt for $kind {
            type Started = ArcHrTimerHandle<Timer<Self>>;

            fn is_here() -> bool {
                $is_here
            }

            fn timer(
                delay: Delta,
                call: impl Fn() -> bool + Send + Sync + 'static,
            ) -> Result<Arc<Timer<Self>>> {
                let call = KBox::new(call, GFP_KERNEL)?;
                Arc::pin_init(
                    pin_init!(Timer {
                        timer <- HrTimer::new(),
                        delay,
                        call,
                        _kind: PhantomData,
                    }),
                    GFP_KERNEL,
                )
            }

            fn start(timer: &Arc<Timer<Self>>) -> Self::Started {
                HrTimerPointer::start(timer.clone(), timer.delay)
            }
        }
    };
}

interrupt!(Hard, irqs_disabled());
interrupt!(HardUnlessRt, cfg!(CONFIG_PREEMPT_RT) != irqs_disabled());
interrupt!(Soft, in_softirq() && !irqs_disabled());
