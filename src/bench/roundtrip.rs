// SPDX-License-Identifier: GPL-2.0

//! Round trips: a message goes from one CPU to another, and its answer back.
//!
//! Against the floor: one cache line that two CPUs hand to and fro.
#![deny(unsafe_code)]

use super::{
    ffi::mail,
    messages::DEPTH,
    record::{self, Record},
    threads::{join, spawn_on, Start},
    Run, Suite,
};
use crate::{
    child::{
        call::Call,
        mailbox::{Channel, Guarded, LockFree, Mailbox, Receiver, Sender},
    },
    sync::{new_mutex, Mutex},
};
use kernel::{prelude::*, sync::Arc};

/// Two threads that take turns.
trait Trip: Send + Sync {
    /// One of them, `n` times; side 0 begins.
    fn side(&self, side: u32, n: u64) -> Result;
}

/// In C.
struct InC(mail::Mail, fn(&mail::Mail, u32, u64));

impl Trip for InC {
    fn side(&self, side: u32, n: u64) -> Result {
        self.1(&self.0, side, n);
        Ok(())
    }
}

fn in_c(f: fn(&mail::Mail, u32, u64)) -> Result<Arc<dyn Trip>> {
    let trip: Arc<InC> = Arc::new(InC(mail::Mail::new(1)?, f), GFP_KERNEL)?;
    Ok(trip)
}

/// What one of the two has: the way there, and the way back.
struct End<C: Channel<u64> + 'static> {
    there: Sender<u64, C>,
    back: Receiver<u64, C>,
}

/// Through two mailboxes.
#[pin_data]
struct Mailboxes<C: Channel<u64> + 'static> {
    spins: bool,
    #[pin]
    first: Mutex<End<C>>,
    #[pin]
    second: Mutex<End<C>>,
}

fn mailboxes<C: Channel<u64> + 'static>(spins: bool) -> Result<Arc<dyn Trip>> {
    let (there, theirs) = Mailbox::<u64, C>::open(DEPTH)?;
    let (answers, back) = Mailbox::<u64, C>::open(DEPTH)?;
    let first = End { there, back };
    let second = End {
        there: answers,
        back: theirs,
    };
    let trip: Arc<Mailboxes<C>> = Arc::pin_init(
        pin_init!(Mailboxes {
            spins,
            first <- new_mutex!(first, "childkernel_bench_trip"),
            second <- new_mutex!(second, "childkernel_bench_trip"),
        }),
        GFP_KERNEL,
    )?;
    Ok(trip)
}

impl<C: Channel<u64>> End<C> {
    #[inline(always)]
    fn recv(&mut self, spins: bool) -> Result<u64> {
        if !spins {
            return self.back.recv();
        }
        let mut tries = 0;
        loop {
            match self.back.try_recv() {
                Err(EAGAIN) => tries = mail::wait(tries),
                other => return other,
            }
        }
    }

    /// There is always room: one message is on its way.
    #[inline(always)]
    fn send(&self, value: u64) -> Result {
        Ok(self.there.try_send(value)?)
    }
}

impl<C: Channel<u64> + 'static> Trip for Mailboxes<C> {
    #[inline(never)]
    fn side(&self, side: u32, n: u64) -> Result {
        let mut end = match side {
            0 => self.first.lock(),
            _ => self.second.lock(),
        };
        for i in 0..n {
            if side == 0 {
                end.send(i)?;
            }
            let value = end.recv(self.spins)?;
            if value != i {
                return Err(EBADMSG);
            }
            if side != 0 {
                end.send(value)?;
            }
        }
        Ok(())
    }
}

/// A call, and its reply.
#[pin_data]
struct Calls {
    sender: Sender<Call<u64, u64>>,
    #[pin]
    receiver: Mutex<Receiver<Call<u64, u64>>>,
}

fn calls() -> Result<Arc<dyn Trip>> {
    let (sender, receiver) = Mailbox::<Call<u64, u64>>::open(DEPTH)?;
    let trip: Arc<Calls> = Arc::pin_init(
        pin_init!(Calls {
            sender,
            receiver <- new_mutex!(receiver, "childkernel_bench_trip"),
        }),
        GFP_KERNEL,
    )?;
    Ok(trip)
}

impl Trip for Calls {
    fn side(&self, side: u32, n: u64) -> Result {
        let mut receiver = (side != 0).then(|| self.receiver.lock());
        for i in 0..n {
            match &mut receiver {
                None => {
                    if self.sender.call(i)? != i {
                        return Err(EBADMSG);
                    }
                }
                Some(receiver) => {
                    let call = receiver.recv()?;
                    let answer = *call.request();
                    call.reply(answer).map_err(|_| EPIPE)?;
                }
            }
        }
        Ok(())
    }
}

/// All of them, by name: whether it spins, and what makes it.
type How = (&'static str, bool, fn() -> Result<Arc<dyn Trip>>);

static HOW: [How; 7] = [
    ("ping_pong", true, || in_c(mail::ping_pong)),
    ("mailbox_spin", true, || mailboxes::<LockFree<u64>>(true)),
    ("queue_spin", true, || mailboxes::<Guarded<u64>>(true)),
    ("mailbox_sleep", false, || mailboxes::<LockFree<u64>>(false)),
    ("queue_sleep", false, || mailboxes::<Guarded<u64>>(false)),
    ("call", false, calls),
    ("completion", false, || in_c(mail::completions)),
];

const REPEATS: usize = 7;
const REPEATS_QUICK: usize = 3;

fn repeats(run: &Run<'_, '_>) -> usize {
    if run.quick {
        REPEATS_QUICK
    } else {
        REPEATS
    }
}

/// How many records [`measure`] writes: a point for each, and the floor once more as such.
pub(super) fn figures(run: &Run<'_, '_>) -> usize {
    match run.suite {
        Suite::Exact => 0,
        _ => HOW.len().saturating_mul(repeats(run)).saturating_add(1),
    }
}

/// How long `n` round trips take, in ns.
fn round(run: &Run<'_, '_>, trip: Arc<dyn Trip>, n: u64) -> Result<u64> {
    let start = Start::new()?;
    let (theirs, other) = (start.clone(), trip.clone());
    let second = spawn_on(run.module, c"bench-second", 1, move |ctx| {
        theirs.wait(ctx);
        other.side(1, n)
    })?;
    let theirs = start.clone();
    let first = spawn_on(run.module, c"bench-first", 0, move |ctx| {
        theirs.measure(ctx, 1, || trip.side(0, n))
    })?;
    join(&[first, second])?;
    Ok(start.took())
}

/// Measures all of them in turns.
pub(super) fn measure(run: &mut Run<'_, '_>) {
    if run.suite == Suite::Exact {
        return;
    }
    let mut floor = [0; REPEATS];
    let (spins, sleeps) = if run.quick {
        (20_000, 2_000)
    } else {
        (100_000, 10_000)
    };
    let count = repeats(run);
    for (repeat, floor) in floor.iter_mut().take(count).enumerate() {
        let turns = Iterator::chain(HOW.iter(), &HOW);
        for (how, spin, make) in turns.skip(repeat).take(HOW.len()) {
            if run.ctx.should_stop() {
                return;
            }
            let n = if *spin { spins } else { sleeps };
            match make().and_then(|trip| round(run, trip, n)) {
                Ok(ns) => {
                    if *how == "ping_pong" {
                        *floor = ns;
                    }
                    record::write(&Record::Point {
                        curve: "roundtrip",
                        fields: fmt!("\"how\":\"{how}\",\"ns\":{ns},\"ops\":{n}"),
                    });
                }
                Err(why) => run.skip(how, why),
            }
        }
    }
    record::write(&Record::Floor {
        name: "ping_pong",
        ops: spins,
        rounds: floor.get(..count).unwrap_or(&[]),
    });
}
