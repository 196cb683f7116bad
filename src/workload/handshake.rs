// SPDX-License-Identifier: GPL-2.0

//! `handshake`: pairs of children pass a token to and fro through completions, semaphores,
//! flags that they look at in turn, or condition variables.
//!
//! What must hold: each child gets the token with the number that it expects, and every wait ends.
#![deny(unsafe_code)]

use super::{Free, Load, Plan, Twin, Worker};
use crate::{
    child::Context,
    new_completion, new_semaphore,
    sync::{
        atomic::{Acquire, Atomic, FetchUpdate, Full, Relaxed, Release},
        barrier::{smp_mb, Read, Write},
        new_condvar, new_mutex,
        order::levels,
        semaphore::{Permit, Semaphore},
        Completion, CondVar, CondVarExt, Mutex, Ordered,
    },
};
use kernel::{
    fmt,
    prelude::*,
    sync::Arc,
    time::{Instant, Monotonic},
};

/// A wait that takes longer has lost its token.
const LIMIT_MS: u32 = 5_000;
/// The same in the twin, which does lose it.
const TWIN_LIMIT_MS: u32 = 500;
/// A flag is looked at so often before its child sleeps for a while.
const POLLS: u32 = 1_000;
/// The twin loses the token each time it was passed so often.
const LOSE_EVERY: u64 = 64;

/// Something that one child signals and the other waits for. Signals count.
trait Signal: Send + Sync + 'static {
    fn new() -> impl PinInit<Self>
    where
        Self: Sized;
    fn signal(&self, free: &mut Free<'_>);
    /// Waits for a signal, at most `limit_ms`.
    ///
    /// # Errors
    ///
    /// `ETIMEDOUT` when the limit is over; another if asked to stop.
    fn wait(&self, ctx: &mut Context<'_>, limit_ms: u32) -> Result;
    /// Takes a signal that is there.
    fn try_wait(&self, free: &mut Free<'_>) -> bool;
}

impl Signal for Completion {
    fn new() -> impl PinInit<Self> {
        new_completion!("childkernel_handshake")
    }

    fn signal(&self, _: &mut Free<'_>) {
        self.complete();
    }

    fn wait(&self, _: &mut Context<'_>, limit_ms: u32) -> Result {
        let limit = Context::jiffies(limit_ms);
        self.wait_interruptible_timeout(limit).map(drop)
    }

    fn try_wait(&self, _: &mut Free<'_>) -> bool {
        Completion::try_wait(self)
    }
}

/// A wait of a semaphore with a limit is not interruptible: stopping may take that long.
impl Signal for Semaphore {
    fn new() -> impl PinInit<Self> {
        new_semaphore!(0, "childkernel_handshake")
    }

    fn signal(&self, _: &mut Free<'_>) {
        self.up();
    }

    fn wait(&self, _: &mut Context<'_>, limit_ms: u32) -> Result {
        match self.down_timeout(Context::jiffies(limit_ms)) {
            Ok(permit) => {
                permit.keep();
                Ok(())
            }
            Err(_) => Err(ETIMEDOUT),
        }
    }

    fn try_wait(&self, _: &mut Free<'_>) -> bool {
        self.try_down().map(Permit::keep).is_some()
    }
}

/// Signals that nobody is woken for: whoever waits looks.
struct Flag(Atomic<u64>);

impl Signal for Flag {
    fn new() -> impl PinInit<Self> {
        Self(Atomic::new(0))
    }

    fn signal(&self, _: &mut Free<'_>) {
        // The token is there before the flag says so.
        smp_mb(Write);
        self.0.add(1, Relaxed);
    }

    fn wait(&self, ctx: &mut Context<'_>, limit_ms: u32) -> Result {
        let began = Instant::<Monotonic>::now();
        loop {
            for _ in 0..POLLS {
                if self.try_wait(ctx.token()) {
                    return Ok(());
                }
                core::hint::spin_loop();
            }
            if ctx.should_stop() {
                return Err(EINTR);
            }
            if began.elapsed().as_millis() >= i64::from(limit_ms) {
                return Err(ETIMEDOUT);
            }
            // The other may want this CPU.
            ctx.sleep(1);
        }
    }

    fn try_wait(&self, _: &mut Free<'_>) -> bool {
        let taken = self.0.fetch_update(|n| n.checked_sub(1), Relaxed).is_ok();
        // The token is looked at after the flag. Pairs with the barrier in `signal`.
        smp_mb(Read);
        taken
    }
}

/// A condition variable remembers nothing: the signals that nobody has taken are counted beside.
#[pin_data]
struct Bell {
    #[pin]
    rung: Ordered<levels::Load, Mutex<u64>>,
    #[pin]
    more: CondVar,
}

impl Bell {
    /// Takes a signal, if there is one.
    fn take(rung: &mut u64) -> Option<()> {
        *rung = rung.checked_sub(1)?;
        Some(())
    }
}

impl Signal for Bell {
    fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            rung <- Ordered::new(new_mutex!(0, "childkernel_handshake")),
            more <- new_condvar!("childkernel_handshake"),
        })
    }

    fn signal(&self, free: &mut Free<'_>) {
        let (mut rung, _) = self.rung.lock(free);
        *rung = rung.wrapping_add(1);
        self.more.notify_one();
    }

    fn wait(&self, ctx: &mut Context<'_>, limit_ms: u32) -> Result {
        let limit = Context::jiffies(limit_ms);
        let (mut rung, _) = self.rung.lock(ctx.token());
        self.more
            .wait_while_interruptible_timeout(&mut rung, |n| *n == 0, limit)?;
        Self::take(&mut rung).ok_or(EAGAIN)
    }

    fn try_wait(&self, free: &mut Free<'_>) -> bool {
        Self::take(&mut self.rung.lock(free).0).is_some()
    }
}

#[pin_data]
struct Pair<S: Signal> {
    #[pin]
    ping: S,
    #[pin]
    pong: S,
    /// How often the token was passed. Whoever has the token writes it.
    token: Atomic<u64>,
    /// How often either was signalled.
    signals: Atomic<u64>,
    /// How many waits for either have succeeded.
    waits: Atomic<u64>,
    /// How many of the two are there.
    begun: Atomic<u32>,
    /// Set when one of the two ends, so that the other does not wait in vain.
    over: Atomic<bool>,
}

struct Handshake<S: Signal> {
    pairs: KVec<Pin<KBox<Pair<S>>>>,
    twin: Option<Twin>,
    trips: Atomic<u64>,
    timeouts: Atomic<u64>,
}

/// Through completions.
pub(super) fn completion(plan: &Plan) -> Result<Arc<dyn Load>> {
    make::<Completion>(plan)
}

/// Through semaphores.
pub(super) fn semaphore(plan: &Plan) -> Result<Arc<dyn Load>> {
    make::<Semaphore>(plan)
}

/// Through flags.
pub(super) fn barrier(plan: &Plan) -> Result<Arc<dyn Load>> {
    make::<Flag>(plan)
}

/// Through condition variables.
pub(super) fn condvar(plan: &Plan) -> Result<Arc<dyn Load>> {
    make::<Bell>(plan)
}

fn make<S: Signal>(plan: &Plan) -> Result<Arc<dyn Load>> {
    let mut pairs = KVec::new();
    for _ in 0..plan.children.div_ceil(2) {
        let pair = KBox::pin_init(
            pin_init!(Pair::<S> {
                ping <- S::new(),
                pong <- S::new(),
                token: Atomic::new(0),
                signals: Atomic::new(0),
                waits: Atomic::new(0),
                begun: Atomic::new(0),
                over: Atomic::new(false),
            }),
            GFP_KERNEL,
        )?;
        pairs.push(pair, GFP_KERNEL)?;
    }
    let handshake = Arc::new(
        Handshake::<S> {
            pairs,
            twin: plan.twin,
            trips: Atomic::new(0),
            timeouts: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    Ok(handshake)
}

impl<S: Signal> Pair<S> {
    fn signal(&self, free: &mut Free<'_>, to: &S) {
        self.signals.fetch_add(1, Relaxed);
        to.signal(free);
    }

    /// Waits for the partner, and says whether it is there. One that is stopped before it had a CPU
    /// never comes: a wait for its signal would be in vain, and not each ends with a stop.
    fn meet(&self, worker: &mut Worker<'_, '_>) -> bool {
        let mut begun = self.begun.fetch_add(1, Full).wrapping_add(1);
        while begun < 2 && !worker.done() {
            worker.ctx.sleep(1);
            begun = self.begun.load(Acquire);
        }
        begun >= 2
    }

    /// Whether each signal has ended a wait or is still there. Takes those that are.
    fn is_balanced(&self, free: &mut Free<'_>) -> bool {
        let mut waits = self.waits.load(Relaxed);
        while self.ping.try_wait(free) || self.pong.try_wait(free) {
            waits = waits.wrapping_add(1);
        }
        waits == self.signals.load(Relaxed)
    }
}

impl<S: Signal> Handshake<S> {
    /// Waits for the token with number `expected`. False if it is time to end.
    fn take(&self, worker: &mut Worker<'_, '_>, pair: &Pair<S>, from: &S, expected: u64) -> bool {
        let limit = match self.twin {
            Some(_) => TWIN_LIMIT_MS,
            None => LIMIT_MS,
        };
        let waited = from.wait(worker.ctx, limit);
        if waited.is_ok() {
            pair.waits.fetch_add(1, Relaxed);
        }
        if pair.over.load(Acquire) {
            return false;
        }
        match waited {
            Ok(()) => {
                if pair.token.load(Relaxed) != expected {
                    worker.ctx.violation();
                    return false;
                }
                true
            }
            Err(error) if error == ETIMEDOUT => {
                self.timeouts.fetch_add(1, Relaxed);
                worker.ctx.violation();
                false
            }
            // Asked to stop.
            Err(_) => false,
        }
    }

    /// Passes the token on as number `number`.
    fn pass(&self, free: &mut Free<'_>, pair: &Pair<S>, to: &S, number: u64) {
        // The signal orders this store for the one that waits.
        pair.token.store(number, Relaxed);
        if self.twin == Some(Twin::Lost) && number % LOSE_EVERY == 0 {
            pair.signals.fetch_add(1, Relaxed);
        } else {
            pair.signal(free, to);
        }
    }

    fn play(&self, worker: &mut Worker<'_, '_>, pair: &Pair<S>, leads: bool) {
        let mut number = 0u64;
        while !worker.done() {
            if leads {
                number = number.wrapping_add(1);
                self.pass(worker.ctx.token(), pair, &pair.ping, number);
                number = number.wrapping_add(1);
                if !self.take(worker, pair, &pair.pong, number) {
                    break;
                }
                self.trips.fetch_add(1, Relaxed);
            } else {
                number = number.wrapping_add(1);
                if !self.take(worker, pair, &pair.ping, number) {
                    break;
                }
                worker.pace.hold();
                number = number.wrapping_add(1);
                self.pass(worker.ctx.token(), pair, &pair.pong, number);
            }
            worker.ctx.add_ops(1);
            worker.pace.think();
        }
    }
}

impl<S: Signal> Load for Handshake<S> {
    fn work(&self, worker: &mut Worker<'_, '_>) -> Result {
        let pair = self.pairs.get(worker.index / 2).ok_or(EINVAL)?;
        if pair.meet(worker) {
            self.play(worker, pair, worker.index % 2 == 0);
        }
        pair.over.store(true, Release);
        pair.signal(worker.ctx.token(), &pair.ping);
        pair.signal(worker.ctx.token(), &pair.pong);
        Ok(())
    }

    /// No signal is lost, whether anybody still waited for it or not.
    fn finish(&self, free: &mut Free<'_>) -> u64 {
        let unbalanced = self.pairs.iter().filter(|pair| !pair.is_balanced(free));
        unbalanced.count() as u64
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "round trips {} timeouts {}",
            self.trips.load(Relaxed),
            self.timeouts.load(Relaxed)
        ))
    }
}
