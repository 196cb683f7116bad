// SPDX-License-Identifier: GPL-2.0

//! Timers that do something again and again, in interrupts.
#![deny(unsafe_code)]

#[cfg(CONFIG_CHILDKERNEL_TORTURE)]
use kernel::time::hrtimer::RelativeMode;
use kernel::{
    impl_has_hr_timer,
    prelude::*,
    sync::{Arc, ArcBorrow},
    time::{
        hrtimer::{
            ArcHrTimerHandle, HrTimer, HrTimerCallback, HrTimerCallbackContext, HrTimerPointer,
            HrTimerRestart, RelativeHardMode, RelativeSoftMode,
        },
        Delta, Monotonic,
    },
};

/// Something that is done in interrupts.
pub(crate) trait Tick: Send + Sync {
    fn tick(&self);
}

/// A timer that runs. Dropping it waits for a call that has begun.
pub(crate) struct Ticking(
    #[expect(dead_code, reason = "it is there to be dropped")] KBox<dyn Timer>,
);

trait Timer: Send {}

macro_rules! ticker {
    ($(#[$doc:meta])* $name:ident, $mode:ident) => {
        $(#[$doc])*
        #[pin_data]
        struct $name {
            #[pin]
            timer: HrTimer<Self>,
            what: Arc<dyn Tick>,
            every: Delta,
        }

        impl $name {
            fn start(what: Arc<dyn Tick>, every: Delta) -> Result<Ticking> {
                let this = Arc::pin_init(
                    pin_init!(Self {
                        timer <- HrTimer::new(),
                        what,
                        every,
                    }),
                    GFP_KERNEL,
                )?;
                Ok(Ticking(KBox::new(this.start(every), GFP_KERNEL)?))
            }
        }

        impl Timer for ArcHrTimerHandle<$name> {}

        impl HrTimerCallback for $name {
            type Pointer<'a> = Arc<Self>;

            fn run(
                this: ArcBorrow<'_, Self>,
                mut ctx: HrTimerCallbackContext<'_, Self>,
            ) -> HrTimerRestart {
                this.what.tick();
                ctx.forward_now(this.every);
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

ticker!(
    /// In hard interrupt context.
    HardTicker, RelativeHardMode
);
#[cfg(CONFIG_CHILDKERNEL_TORTURE)]
ticker!(
    /// In hard interrupt context, but on `PREEMPT_RT` in soft.
    HardUnlessRtTicker, RelativeMode
);
ticker!(
    /// In soft interrupt context, to which the kernel defers such a timer.
    SoftTicker, RelativeSoftMode
);

/// Has it done in hard interrupts, on this CPU. Nothing that sleeps on `PREEMPT_RT`, as spinlocks
/// do, may be among it.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn in_hardirq(what: Arc<dyn Tick>, every: Delta) -> Result<Ticking> {
    HardTicker::start(what, every)
}

/// The same, but on `PREEMPT_RT` in soft interrupts, where spinlocks may be taken.
///
/// # Errors
///
/// `ENOMEM`.
#[cfg(CONFIG_CHILDKERNEL_TORTURE)]
pub(crate) fn in_hardirq_unless_rt(what: Arc<dyn Tick>, every: Delta) -> Result<Ticking> {
    HardUnlessRtTicker::start(what, every)
}

/// Has it done in soft interrupts, on this CPU.
///
/// # Errors
///
/// `ENOMEM`.
pub(crate) fn in_softirq(what: Arc<dyn Tick>, every: Delta) -> Result<Ticking> {
    SoftTicker::start(what, every)
}
