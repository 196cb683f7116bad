// SPDX-License-Identifier: GPL-2.0

//! Messages: how many go through a mailbox, ours and what one would take in C.
//!
//! A message is a number of 64 bits. All mailboxes have room for the same number of them, nothing is
//! allocated on the way, and who finds no room or no message does the same everywhere: it looks
//! again, and lets another thread have the CPU now and then. The receiver is on the first CPU, the
//! senders on the next ones in turn; where there are fewer CPUs than threads they share.
//!
//! | mailbox | what a message costs |
//! |---|---|
//! | `ring` | a claim of a place by compare and swap, a batch with one; the receiver gives room back by an exchange, a batch's with one |
//! | `queue` | the rival behind the same trait: a raw spinlock with interrupts off, and a semaphore |
//! | `ptr_ring` | the senders' spinlock, once a batch; the only receiver takes no lock |
//! | `kfifo` | likewise |
//! | `llist` | a message is a node of its sender's: one compare and swap there, one back, once a batch each; the receiver takes all there is at once and turns it round |
#![deny(unsafe_code)]

use super::{
    ffi::mail::{self, Rival, RIVALS},
    record::{self, Record},
    threads::{join, spawn_on, Start},
    Run, Suite,
};
use crate::{
    child::mailbox::{Channel, Guarded, LockFree, Mailbox, Receiver, Sender},
    sync::{new_mutex, Mutex},
};
use kernel::{prelude::*, sync::Arc, ThisModule};

/// The room of each mailbox: as much as the C side has.
pub(super) const DEPTH: usize = 256;

const SENDERS: [u32; 3] = [1, 2, 4];
const BATCHES: [u32; 4] = [1, 4, 16, 64];

/// How the two sides wait for each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    Spin,
    Sleep,
}

/// A mailbox that is measured.
trait Post: Send + Sync {
    /// Sends 1 to `n`.
    fn send(&self, sender: u32, n: u64, batch: u32, waits: Waits) -> Result;
    /// Receives `n` and returns their sum.
    fn recv(&self, n: u64, batch: u32, waits: Waits) -> Result<u64>;
}

/// One in C.
struct InC {
    mail: mail::Mail,
    rival: &'static Rival,
}

impl Post for InC {
    fn send(&self, sender: u32, n: u64, batch: u32, _: Waits) -> Result {
        self.mail.send(self.rival, sender, n, batch)
    }

    fn recv(&self, n: u64, batch: u32, _: Waits) -> Result<u64> {
        self.mail.recv(self.rival, n, batch)
    }
}

/// Sends 1 to `n`, a batch at a time.
fn send_batches<C: Channel<u64>>(
    sender: &Sender<u64, C>,
    n: u64,
    batch: u32,
    waits: Waits,
) -> Result {
    let mut values = KVec::with_capacity(batch as usize, GFP_KERNEL)?;
    let batch = u64::from(batch);
    let mut sent = 0u64;
    while sent != n {
        for i in 1..=batch {
            // There is room.
            let _ = values.push_within_capacity(sent.wrapping_add(i));
        }
        sent = sent.wrapping_add(batch);
        if waits == Waits::Sleep {
            sender.send_batch(&mut values)?;
            continue;
        }
        let mut tries = 0;
        while !values.is_empty() {
            match sender.try_send_batch(&mut values) {
                Ok(_) => (),
                Err(EAGAIN) => tries = mail::wait(tries),
                Err(why) => return Err(why),
            }
        }
    }
    Ok(())
}

/// Receives `n` values, what there is at once, up to a batch.
fn recv_batches<C: Channel<u64>>(
    receiver: &mut Receiver<u64, C>,
    n: u64,
    batch: u32,
    waits: Waits,
) -> Result<u64> {
    let mut values = KVec::with_capacity(batch as usize, GFP_KERNEL)?;
    let (mut left, mut sum, mut tries) = (n, 0u64, 0);
    while left != 0 {
        let count = match waits {
            Waits::Spin => receiver.try_recv_batch(&mut values),
            Waits::Sleep => receiver.recv_batch(&mut values),
        };
        match count {
            Ok(count) => {
                sum = values
                    .iter()
                    .fold(sum, |sum, value| sum.wrapping_add(*value));
                values.clear();
                left = left.wrapping_sub(count as u64);
                tries = 0;
            }
            Err(EAGAIN) => tries = mail::wait(tries),
            Err(why) => return Err(why),
        }
    }
    Ok(sum)
}

/// One of ours.
#[pin_data]
struct Ours<C: Channel<u64> + 'static> {
    sender: Sender<u64, C>,
    #[pin]
    receiver: Mutex<Receiver<u64, C>>,
}

impl<C: Channel<u64> + 'static> Ours<C> {
    fn make() -> Result<Arc<dyn Post>> {
        let (sender, receiver) = Mailbox::<u64, C>::open(DEPTH)?;
        let ours: Arc<Self> = Arc::pin_init(
            pin_init!(Self {
                sender,
                receiver <- new_mutex!(receiver, "childkernel_bench_receiver"),
            }),
            GFP_KERNEL,
        )?;
        Ok(ours)
    }

    #[inline(always)]
    fn send_one(&self, mut value: u64, waits: Waits) -> Result {
        if waits == Waits::Sleep {
            return Ok(self.sender.send(value)?);
        }
        let mut tries = 0;
        while let Err(back) = self.sender.try_send(value) {
            if back.error() != EAGAIN {
                return Err(back.error());
            }
            value = back.into_value();
            tries = mail::wait(tries);
        }
        Ok(())
    }
}

impl<C: Channel<u64> + 'static> Post for Ours<C> {
    #[inline(never)]
    fn send(&self, _: u32, n: u64, batch: u32, waits: Waits) -> Result {
        if batch != 1 {
            return send_batches(&self.sender, n, batch, waits);
        }
        for value in 1..=n {
            self.send_one(value, waits)?;
        }
        Ok(())
    }

    #[inline(never)]
    fn recv(&self, n: u64, batch: u32, waits: Waits) -> Result<u64> {
        let mut receiver = self.receiver.lock();
        if batch != 1 {
            return recv_batches(&mut receiver, n, batch, waits);
        }
        let (mut left, mut sum, mut tries) = (n, 0u64, 0);
        while left != 0 {
            let value = match waits {
                Waits::Spin => receiver.try_recv(),
                Waits::Sleep => receiver.recv(),
            };
            match value {
                Ok(value) => {
                    sum = sum.wrapping_add(value);
                    left = left.wrapping_sub(1);
                    tries = 0;
                }
                Err(EAGAIN) => tries = mail::wait(tries),
                Err(why) => return Err(why),
            }
        }
        Ok(sum)
    }
}

/// Sends `each` from all senders and returns how long it took until the last was received, in ns.
fn round(
    module: &'static ThisModule,
    post: Arc<dyn Post>,
    senders: u32,
    batch: u32,
    each: u64,
    waits: Waits,
) -> Result<u64> {
    let start = Start::new()?;
    let mut children = KVec::new();
    for sender in 0..senders {
        let (start, post) = (start.clone(), post.clone());
        let child = spawn_on(
            module,
            c"bench-sender",
            sender.wrapping_add(1),
            move |ctx| {
                start.wait(ctx);
                post.send(sender, each, batch, waits)
            },
        )?;
        children.push(child, GFP_KERNEL)?;
    }
    let theirs = start.clone();
    let receiver = spawn_on(module, c"bench-receiver", 0, move |ctx| {
        let all = each.wrapping_mul(u64::from(senders));
        let sum = theirs.measure(ctx, senders, || post.recv(all, batch, waits))?;
        // What was sent is what came.
        let one = each.wrapping_mul(each.wrapping_add(1)) / 2;
        if sum != one.wrapping_mul(u64::from(senders)) {
            return Err(EBADMSG);
        }
        Ok(())
    })?;
    children.push(receiver, GFP_KERNEL)?;
    join(&children)?;
    Ok(start.took())
}

/// What is measured, and how it is called.
enum Kind {
    Ring,
    Queue,
    C(&'static Rival),
}

impl Kind {
    /// Those that can be waited at like that.
    fn all(waits: Waits) -> impl Iterator<Item = Kind> {
        let in_c = if waits == Waits::Spin {
            &RIVALS[..]
        } else {
            &[]
        };
        let ours = [Kind::Ring, Kind::Queue].into_iter();
        Iterator::chain(ours, in_c.iter().map(Kind::C))
    }

    fn name(&self) -> &'static str {
        match self {
            Kind::Ring => "ring",
            Kind::Queue => "queue",
            Kind::C(rival) => rival.name,
        }
    }

    /// By how much fewer messages say as much about it.
    fn slow(&self) -> u64 {
        match self {
            Kind::Queue => 10,
            _ => 1,
        }
    }

    fn make(&self, senders: u32) -> Result<Arc<dyn Post>> {
        match self {
            Kind::Ring => Ours::<LockFree<u64>>::make(),
            Kind::Queue => Ours::<Guarded<u64>>::make(),
            Kind::C(rival) => {
                let mail = mail::Mail::new(senders)?;
                let post: Arc<InC> = Arc::new(InC { mail, rival }, GFP_KERNEL)?;
                Ok(post)
            }
        }
    }
}

/// How often and how many.
struct Plan {
    repeats: u32,
    messages: u64,
}

fn plan(run: &Run<'_, '_>) -> Plan {
    Plan {
        repeats: if run.quick { 3 } else { 5 },
        messages: if run.quick { 40_000 } else { 400_000 },
    }
}

/// The points, in their order: senders, batch, how they wait.
fn points() -> impl Iterator<Item = (u32, u32, Waits)> {
    let grid = |waits| {
        SENDERS.into_iter().flat_map(move |senders| {
            BATCHES
                .into_iter()
                .map(move |batch| (senders, batch, waits))
        })
    };
    let seldom = |point: &(u32, u32, Waits)| point.0 != 2 && (point.1 == 1 || point.1 == 16);
    Iterator::chain(grid(Waits::Spin), grid(Waits::Sleep).filter(seldom))
}

/// How many records [`measure`] writes.
pub(super) fn figures(run: &Run<'_, '_>) -> usize {
    if run.suite == Suite::Exact {
        return 0;
    }
    let once: usize = points().map(|(_, _, waits)| Kind::all(waits).count()).sum();
    once.saturating_mul(plan(run).repeats as usize)
}

/// Measures one mailbox once, and writes its record.
fn point(run: &Run<'_, '_>, kind: &Kind, senders: u32, batch: u32, waits: Waits) {
    // A whole number of batches from each.
    let each =
        (plan(run).messages / kind.slow() / u64::from(senders)).next_multiple_of(u64::from(batch));
    let took = kind
        .make(senders)
        .and_then(|post| round(run.module, post, senders, batch, each, waits));
    let mailbox = kind.name();
    match took {
        Ok(ns) => record::write(&Record::Point {
            curve: "messages",
            fields: fmt!(
                "\"mailbox\":\"{mailbox}\",\"wait\":\"{}\",\"senders\":{senders},\
                 \"batch\":{batch},\"ns\":{ns},\"ops\":{}",
                match waits {
                    Waits::Spin => "spin",
                    Waits::Sleep => "sleep",
                },
                each.wrapping_mul(u64::from(senders))
            ),
        }),
        Err(why) => run.skip(mailbox, why),
    }
}

/// Measures all of them in turns.
pub(super) fn measure(run: &mut Run<'_, '_>) {
    if run.suite == Suite::Exact {
        return;
    }
    for (senders, batch, waits) in points() {
        let count = Kind::all(waits).count();
        for repeat in 0..plan(run).repeats as usize {
            // Who follows whom changes, so that whatever drifts favours none.
            let turns = Iterator::chain(Kind::all(waits), Kind::all(waits));
            for kind in turns.skip(repeat % count.max(1)).take(count) {
                if run.ctx.should_stop() {
                    return;
                }
                point(run, &kind, senders, batch, waits);
            }
        }
    }
}
