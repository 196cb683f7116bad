// SPDX-License-Identifier: GPL-2.0

//! Mailboxes: what was sent comes out, once, and what one sender has sent in that order; who waits
//! for a message gets it.
//!
//! The first thread receives, all others and interrupts send.
#![deny(unsafe_code)]

use super::{
    actor::{Actor, PATIENCE},
    outcome::Wrong,
    Contexts::Hardirq,
    Entry,
    Mistake::{Dropped, Overtaken, Unwoken, WrongWrap},
    Setup, Subject,
};
use crate::{
    child::{
        mailbox::{Channel, Guarded, LockFree, Mailbox, Receiver, Sender},
        Context,
    },
    sync::{
        atomic::{Atomic, Relaxed},
        new_mutex, Mutex,
    },
};
use kernel::{prelude::*, sync::Arc};

/// Few enough that both sides have to wait for each other.
const DEPTH: usize = 16;
/// Those who send one message after the other: more than there are threads.
const SENDERS: usize = 20;
/// Messages of interrupts and of those who are there for a short time: not in any order.
const NOBODY: usize = 0;

/// A channel, and what a twin does with it.
trait Twisted: Channel<u64> + 'static {
    /// Whether there was room, and somebody sleeps who has to be woken late.
    fn send_silently(sender: &Sender<u64, Self>, message: u64) -> Option<bool>;
    fn wake_late(sender: &Sender<u64, Self>);
    fn wrap_early(sender: &Sender<u64, Self>);
}

impl Twisted for LockFree<u64> {
    fn send_silently(sender: &Sender<u64, Self>, message: u64) -> Option<bool> {
        sender.send_silently(message)
    }
    fn wake_late(sender: &Sender<u64, Self>) {
        sender.wake_late();
    }
    /// It has no such twin: a slot is not its finder's but by its turn.
    fn wrap_early(_: &Sender<u64, Self>) {}
}

impl Twisted for Guarded<u64> {
    fn send_silently(sender: &Sender<u64, Self>, message: u64) -> Option<bool> {
        sender.send_silently(message)
    }
    /// Its receiver gets up by itself, when its limit is over.
    fn wake_late(_: &Sender<u64, Self>) {}
    fn wrap_early(sender: &Sender<u64, Self>) {
        sender.wrap_early();
    }
}

/// What a sender has sent last, and what came of it.
struct Line {
    sent: Atomic<u64>,
    received: Atomic<u64>,
}

#[pin_data]
struct Mail<C: Twisted> {
    sender: Sender<u64, C>,
    #[pin]
    receiver: Mutex<Receiver<u64, C>>,
    lines: [Line; SENDERS],
    /// When the receiver was last there with nothing to wait for, in ns.
    alive: Atomic<u64>,
}

impl<C: Twisted> Mail<C> {
    fn make(_: &Setup) -> Result<Arc<dyn Subject>> {
        let (sender, receiver) = Mailbox::<u64, C>::open(DEPTH)?;
        let line = || Line {
            sent: Atomic::new(0),
            received: Atomic::new(0),
        };
        let subject = Arc::<Self>::pin_init(
            pin_init!(Self {
                sender,
                receiver <- new_mutex!(receiver, "torture_receiver"),
                lines: core::array::from_fn(|_| line()),
                alive: Atomic::new(0),
            }),
            GFP_KERNEL,
        )?;
        Ok(subject)
    }

    /// Whose it is, and which of his.
    fn message(line: usize, number: u64) -> u64 {
        (line as u64) << 48 | number
    }

    fn received(&self, actor: &mut Actor<'_>, message: u64) {
        let Some(line) = self.lines.get((message >> 48) as usize) else {
            return actor.wrong(Wrong::Torn);
        };
        let number = message & 0xffff_ffff_ffff;
        let before = line.received.fetch_add(1, Relaxed);
        if message >> 48 != NOBODY as u64 {
            actor.check(number == before, Wrong::Lost);
        }
    }

    fn receive(&self, actor: &mut Actor<'_>) {
        self.alive.store(actor.now(), Relaxed);
        let mut receiver = self.receiver.lock();
        if actor.errs(WrongWrap) {
            C::wrap_early(&self.sender);
        }
        if actor.random.one_in(4) {
            let Ok(mut batch) = KVec::with_capacity(4, GFP_KERNEL) else {
                return;
            };
            if receiver.try_recv_batch(&mut batch).is_ok() {
                for message in batch.iter().copied() {
                    self.received(actor, message);
                }
            }
            return;
        }
        let limit = Context::jiffies((PATIENCE / 1_000_000) as u32 * 2);
        match actor.wait(|_| receiver.recv_timeout(limit)) {
            Ok(message) => self.received(actor, message),
            // They send all the time.
            Err(why) if why == ETIMEDOUT && !actor.is_over() => actor.wrong(Wrong::Asleep),
            Err(_) => (),
        }
        if actor.random.one_in(8) {
            actor.rest(true);
        }
    }

    /// A message of which only the number counts.
    fn send_anything(&self, actor: &mut Actor<'_>) {
        let sent = match actor.may_sleep() && actor.is(Unwoken) {
            true => false,
            false => self.sender.try_send(Self::message(NOBODY, 0)).is_ok(),
        };
        if let Some(line) = self.lines.get(NOBODY).filter(|_| sent) {
            line.sent.fetch_add(1, Relaxed);
        }
    }

    fn send(&self, actor: &mut Actor<'_>, index: usize, line: &Line) {
        let number = line.sent.load(Relaxed);
        let message = |ahead: u64| Self::message(index, number.wrapping_add(ahead));
        let next = |n: u64| line.sent.store(number.wrapping_add(n), Relaxed);
        let sent = if actor.is(Unwoken) {
            self.send_silently(actor, message(0))
        } else if actor.errs(Overtaken) {
            let first = self.sender.try_send(message(0)).is_ok();
            if !first
                && self.sender.send(message(1)).is_ok()
                && self.sender.send(message(0)).is_ok()
            {
                return next(2);
            }
            first
        } else {
            match actor.random.below(4) {
                0 => self.sender.try_send(message(0)).is_ok(),
                1 => {
                    let sender = &self.sender;
                    actor.wait(|_| sender.send_timeout(message(0), 2).is_ok())
                }
                2 => return self.send_batch(actor, message, next),
                _ => {
                    let sender = &self.sender;
                    actor.wait(|_| sender.send(message(0)).is_ok())
                }
            }
        };
        if sent || actor.errs(Dropped) {
            next(1);
        }
        if actor.random.one_in(16) {
            actor.rest(true);
        }
    }

    /// Wakes nobody, until it is over.
    fn send_silently(&self, actor: &mut Actor<'_>, message: u64) -> bool {
        let sent = C::send_silently(&self.sender, message);
        if sent == Some(true) {
            while !actor.is_over() {
                actor.linger();
            }
            C::wake_late(&self.sender);
        }
        actor.linger();
        sent.is_some()
    }

    /// The receiver does not sleep for long while there is something inside.
    fn watch(&self, actor: &mut Actor<'_>) {
        let silent = actor.now().saturating_sub(self.alive.load(Relaxed));
        if silent > PATIENCE.saturating_mul(2) && !self.sender.is_empty() && !actor.is_over() {
            actor.wrong(Wrong::Asleep);
        }
    }

    fn send_batch(&self, _: &mut Actor<'_>, message: impl Fn(u64) -> u64, next: impl Fn(u64)) {
        let mut batch = KVec::new();
        for ahead in 0..3 {
            if batch.push(message(ahead), GFP_KERNEL).is_err() {
                return;
            }
        }
        if let Ok(taken) = self.sender.try_send_batch(&mut batch) {
            next(taken as u64);
        }
    }
}

impl<C: Twisted> Subject for Mail<C> {
    fn act(&self, actor: &mut Actor<'_>) {
        let own = actor.index.wrapping_add(1);
        if actor.may_sleep() {
            self.watch(actor);
        }
        match self.lines.get(own) {
            _ if !actor.may_sleep() || actor.is_passing() => self.send_anything(actor),
            _ if actor.index == 0 => self.receive(actor),
            Some(line) => self.send(actor, own, line),
            None => (),
        }
    }

    fn settle(&self, actor: &mut Actor<'_>) {
        while let Ok(message) = self.receiver.lock().try_recv() {
            self.received(actor, message);
        }
        for line in &self.lines {
            let same = line.sent.load(Relaxed) == line.received.load(Relaxed);
            actor.check(same, Wrong::Lost);
        }
    }
}

/// All of them.
pub(super) static ENTRIES: &[Entry] = &[
    Entry {
        name: "mailbox",
        contexts: Hardirq,
        spins: false,
        twins: &[Dropped, Overtaken, Unwoken],
        make: Mail::<LockFree<u64>>::make,
    },
    Entry {
        name: "mailbox_guarded",
        contexts: Hardirq,
        spins: false,
        twins: &[Dropped, Overtaken, Unwoken, WrongWrap],
        make: Mail::<Guarded<u64>>::make,
    },
];
