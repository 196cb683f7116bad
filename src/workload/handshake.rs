// SPDX-License-Identifier: GPL-2.0

//! `handshake`: pairs of children pass a token to and fro through completions.
//!
//! What must hold: each child gets the token with the number that it expects, and every wait ends.
#![deny(unsafe_code)]

use super::{Load, Twin, Worker};
use crate::{
    child::Context,
    new_completion,
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        Completion,
    },
};
use kernel::{fmt, prelude::*, sync::Arc};

/// A wait that takes longer has lost its token.
const LIMIT_MS: u32 = 5_000;
/// The same in the twin, which does lose it.
const TWIN_LIMIT_MS: u32 = 500;
/// The twin loses the token each time it was passed so often.
const LOSE_EVERY: u64 = 64;

#[pin_data]
struct Pair {
    #[pin]
    ping: Completion,
    #[pin]
    pong: Completion,
    /// How often the token was passed. Whoever has the token writes it.
    token: Atomic<u64>,
    /// How often either completion was signalled.
    signals: Atomic<u64>,
    /// How many waits for either have succeeded.
    waits: Atomic<u64>,
    /// Set when one of the two ends, so that the other does not wait in vain.
    over: Atomic<bool>,
}

struct Handshake {
    pairs: KVec<Pin<KBox<Pair>>>,
    twin: Option<Twin>,
    trips: Atomic<u64>,
    timeouts: Atomic<u64>,
}

/// Makes the load.
pub(super) fn new(children: usize, twin: Option<Twin>) -> Result<Arc<dyn Load>> {
    let mut pairs = KVec::new();
    for _ in 0..children.div_ceil(2) {
        let pair = KBox::pin_init(
            pin_init!(Pair {
                ping <- new_completion!("childkernel_ping"),
                pong <- new_completion!("childkernel_pong"),
                token: Atomic::new(0),
                signals: Atomic::new(0),
                waits: Atomic::new(0),
                over: Atomic::new(false),
            }),
            GFP_KERNEL,
        )?;
        pairs.push(pair, GFP_KERNEL)?;
    }
    let handshake = Arc::new(
        Handshake {
            pairs,
            twin,
            trips: Atomic::new(0),
            timeouts: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    Ok(handshake)
}

impl Pair {
    fn signal(&self, completion: &Completion) {
        self.signals.fetch_add(1, Relaxed);
        completion.complete();
    }

    /// Whether each signal has ended a wait or is still there. Takes those that are.
    fn is_balanced(&self) -> bool {
        let mut waits = self.waits.load(Relaxed);
        while self.ping.try_wait() || self.pong.try_wait() {
            waits = waits.wrapping_add(1);
        }
        waits == self.signals.load(Relaxed)
    }
}

impl Handshake {
    /// Waits for the token with number `expected`. False if it is time to end.
    fn take(
        &self,
        worker: &mut Worker<'_, '_>,
        pair: &Pair,
        from: &Completion,
        expected: u64,
    ) -> bool {
        let limit = match self.twin {
            Some(_) => TWIN_LIMIT_MS,
            None => LIMIT_MS,
        };
        let waited = from.wait_interruptible_timeout(Context::jiffies(limit));
        if waited.is_ok() {
            pair.waits.fetch_add(1, Relaxed);
        }
        if pair.over.load(Acquire) {
            return false;
        }
        match waited {
            Ok(_) => {
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
    fn pass(&self, pair: &Pair, to: &Completion, number: u64) {
        // The completion orders this store for the one that waits.
        pair.token.store(number, Relaxed);
        if self.twin == Some(Twin::Lost) && number % LOSE_EVERY == 0 {
            pair.signals.fetch_add(1, Relaxed);
        } else {
            pair.signal(to);
        }
    }

    fn play(&self, worker: &mut Worker<'_, '_>, pair: &Pair, leads: bool) {
        let mut number = 0u64;
        while !worker.done() {
            if leads {
                number = number.wrapping_add(1);
                self.pass(pair, &pair.ping, number);
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
                worker.hold();
                number = number.wrapping_add(1);
                self.pass(pair, &pair.pong, number);
            }
            worker.ctx.add_ops(1);
            worker.think();
        }
    }
}

impl Load for Handshake {
    fn work(&self, worker: &mut Worker<'_, '_>) -> Result {
        let pair = self.pairs.get(worker.index / 2).ok_or(EINVAL)?;
        self.play(worker, pair, worker.index % 2 == 0);
        pair.over.store(true, Release);
        pair.signal(&pair.ping);
        pair.signal(&pair.pong);
        Ok(())
    }

    /// No signal is lost, whether anybody still waited for it or not.
    fn finish(&self) -> u64 {
        self.pairs.iter().filter(|pair| !pair.is_balanced()).count() as u64
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "round trips {} timeouts {}",
            self.trips.load(Relaxed),
            self.timeouts.load(Relaxed)
        ))
    }
}
