// SPDX-License-Identifier: GPL-2.0

//! `pipeline`: the first child makes messages, each of the others changes them and hands them on,
//! and the last one looks at what comes out.
//!
//! What must hold: messages come out in the order in which they were made, none missing, each
//! changed by every stage once. In the end those that came out and those that were given up are
//! those that were made, and each of these was dropped exactly once.
//!
//! A chain ends from the front: who has nothing more to send drops its sender, which closes the
//! mailbox, and the next one takes what is inside and does the same. A stage that is asked to stop
//! before that closes its own mailbox. What it then can not send without waiting is given up, and
//! so is all that comes after it: no message goes past one that is missing.
#![deny(unsafe_code)]

use super::{Free, Load, Plan, Twin, Worker};
use crate::{
    child::mailbox::{Channel, Guarded, LockFree, Mailbox, Receiver, Sender},
    sync::{
        atomic::{Atomic, Relaxed},
        new_mutex,
        order::levels,
        Mutex, Ordered,
    },
};
use core::mem::take;
use kernel::{
    fmt,
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta},
};

/// How many messages fit between two stages: few enough that each waits for the other at times.
const DEPTH: usize = 64;
/// The twins do wrong to one message in so many.
const WRONG_EVERY: u64 = 64;

/// How many messages, and the sum of their numbers.
struct Count {
    messages: Atomic<u64>,
    sum: Atomic<u64>,
}

impl Count {
    fn new() -> Self {
        Self {
            messages: Atomic::new(0),
            sum: Atomic::new(0),
        }
    }

    fn add(&self, number: u64) {
        self.messages.fetch_add(1, Relaxed);
        self.sum.fetch_add(number, Relaxed);
    }

    fn get(&self) -> (u64, u64) {
        (self.messages.load(Relaxed), self.sum.load(Relaxed))
    }
}

/// What has become of the messages.
struct Tally {
    made: Count,
    delivered: Count,
    given_up: Count,
    dropped: Count,
}

struct Message {
    /// From 1, without gaps.
    number: u64,
    /// The number, as the stages have changed it.
    value: u64,
    tally: Arc<Tally>,
}

impl Drop for Message {
    fn drop(&mut self) {
        self.tally.dropped.add(self.number);
    }
}

type Parcel = KBox<Message>;

/// What stage `stage` does to a value. It makes a difference which of two comes first.
fn change(value: u64, stage: usize) -> u64 {
    value.rotate_left(9) ^ (stage as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// What a stage takes from and sends to. The first has no mailbox, the last sends to nobody.
struct Ends<C: Channel<Parcel>> {
    inbox: Option<Receiver<Parcel, C>>,
    next: Option<Sender<Parcel, C>>,
}

#[pin_data]
struct Pipeline<C: Channel<Parcel> + 'static> {
    /// Each stage takes its own. What is left in the end is that of stages that never ran.
    #[pin]
    ends: Ordered<levels::LoadEnd, Mutex<KVec<Option<Ends<C>>>>>,
    stages: usize,
    twin: Option<Twin>,
    tally: Arc<Tally>,
}

/// Through lock-free rings.
pub(super) fn mailbox(plan: &Plan) -> Result<Arc<dyn Load>> {
    make::<LockFree<Parcel>>(plan)
}

/// Through queues under a lock.
pub(super) fn mailbox_guarded(plan: &Plan) -> Result<Arc<dyn Load>> {
    make::<Guarded<Parcel>>(plan)
}

fn make<C: Channel<Parcel> + 'static>(plan: &Plan) -> Result<Arc<dyn Load>> {
    let mut ends = KVec::with_capacity(plan.children, GFP_KERNEL)?;
    let mut inbox = None;
    for stage in 1..=plan.children {
        let (next, theirs) = if stage < plan.children {
            let (sender, receiver) = Mailbox::<Parcel, C>::open(DEPTH)?;
            (Some(sender), Some(receiver))
        } else {
            (None, None)
        };
        ends.push(Some(Ends { inbox, next }), GFP_KERNEL)?;
        inbox = theirs;
    }
    let tally = Arc::new(
        Tally {
            made: Count::new(),
            delivered: Count::new(),
            given_up: Count::new(),
            dropped: Count::new(),
        },
        GFP_KERNEL,
    )?;
    let pipeline: Arc<Pipeline<C>> = Arc::pin_init(
        pin_init!(Pipeline {
            ends <- Ordered::new(new_mutex!(ends, "childkernel_pipeline_ends")),
            stages: plan.children,
            twin: plan.twin,
            tally,
        }),
        GFP_KERNEL,
    )?;
    Ok(pipeline)
}

/// Sends to the next stage, as long as that takes everything.
struct Exit<C: Channel<Parcel>> {
    next: Option<Sender<Parcel, C>>,
    /// What the twin lets others go past.
    held_back: Option<Parcel>,
}

impl<C: Channel<Parcel> + 'static> Pipeline<C> {
    fn give_up(&self, message: Parcel) {
        self.tally.given_up.add(message.number);
    }

    /// Sends a message on. False if nothing more is sent: from then on all is given up.
    fn send(&self, exit: &mut Exit<C>, message: Parcel) -> bool {
        if message.number % WRONG_EVERY == 0 {
            match self.twin {
                Some(Twin::Dropped) => return true,
                Some(Twin::Reorder) if exit.held_back.is_none() => {
                    exit.held_back = Some(message);
                    return true;
                }
                _ => {}
            }
        }
        let Some(next) = &exit.next else {
            self.give_up(message);
            return false;
        };
        let sent = next.send(message);
        let held_back = exit.held_back.take().map_or(Ok(()), |m| next.send(m));
        let mut all = true;
        for error in [sent.err(), held_back.err()].into_iter().flatten() {
            self.give_up(error.into_value());
            all = false;
        }
        if !all {
            // Asked to stop, or the next stage has ended.
            exit.next = None;
        }
        all
    }

    fn produce(&self, worker: &mut Worker<'_, '_>, exit: &mut Exit<C>) -> Result {
        let mut number = 0u64;
        while !worker.done() {
            number = number.wrapping_add(1);
            let message = Message {
                number,
                value: number,
                tally: self.tally.clone(),
            };
            // From here on it is dropped, also if there is no memory.
            self.tally.made.add(number);
            let Ok(message) = KBox::new(message, GFP_KERNEL) else {
                self.tally.given_up.add(number);
                return Err(ENOMEM);
            };
            if !self.send(exit, message) {
                break;
            }
            worker.ctx.add_ops(1);
            worker.pace.think();
        }
        Ok(())
    }

    /// Takes all that comes, until the stage before has ended or this one is asked to stop.
    fn take_all(
        worker: &mut Worker<'_, '_>,
        inbox: &mut Receiver<Parcel, C>,
        mut with: impl FnMut(&mut Worker<'_, '_>, Parcel) -> bool,
    ) {
        loop {
            if worker.ctx.should_stop() {
                inbox.close();
            }
            match inbox.recv() {
                Ok(message) => {
                    if with(worker, message) {
                        worker.ctx.add_ops(1);
                        worker.pace.think();
                    } else {
                        inbox.close();
                    }
                }
                Err(error) if error == EPIPE => return,
                Err(_) => {
                    inbox.close();
                    // A sender may have a place already and be about to put its message there.
                    fsleep(Delta::from_millis(1));
                }
            }
        }
    }

    /// What a stage in the middle does.
    fn hand_on(
        &self,
        worker: &mut Worker<'_, '_>,
        inbox: &mut Receiver<Parcel, C>,
        exit: &mut Exit<C>,
    ) {
        Self::take_all(worker, inbox, |worker, mut message| {
            worker.pace.hold();
            message.value = change(message.value, worker.index);
            self.send(exit, message)
        });
    }

    /// What the last stage does.
    fn check(&self, worker: &mut Worker<'_, '_>, inbox: &mut Receiver<Parcel, C>) {
        let mut expected = 1u64;
        Self::take_all(worker, inbox, |worker, message| {
            worker.pace.hold();
            let number = message.number;
            let value = (1..worker.index).fold(number, change);
            if number != expected || message.value != value {
                worker.ctx.violation();
            }
            expected = number.wrapping_add(1);
            self.tally.delivered.add(number);
            true
        });
    }
}

impl<C: Channel<Parcel> + 'static> Load for Pipeline<C> {
    fn work(&self, worker: &mut Worker<'_, '_>) -> Result {
        let (mut ends, _) = self.ends.lock(worker.ctx.token());
        let mine = ends.get_mut(worker.index).and_then(Option::take);
        drop(ends);
        let Ends { mut inbox, next } = mine.ok_or(EINVAL)?;
        let is_last = next.is_none();
        let mut exit = Exit {
            next,
            held_back: None,
        };
        let done = match &mut inbox {
            None => self.produce(worker, &mut exit),
            Some(inbox) => {
                if is_last {
                    self.check(worker, inbox);
                } else {
                    self.hand_on(worker, inbox, &mut exit);
                }
                Ok(())
            }
        };
        exit.held_back.into_iter().for_each(|m| self.give_up(m));
        done
    }

    /// Each message that was made has come out or was given up, and is no more.
    fn finish(&self, free: &mut Free<'_>) -> u64 {
        let (mut ends, _) = self.ends.lock(free);
        let left = take(&mut *ends);
        drop(ends);
        // Nobody sends any more.
        for mut inbox in left.into_iter().flatten().filter_map(|ends| ends.inbox) {
            inbox.close();
            while let Ok(message) = inbox.try_recv() {
                self.give_up(message);
            }
        }
        let tally = &*self.tally;
        let (delivered, given_up) = (tally.delivered.get(), tally.given_up.get());
        let ended = (
            delivered.0.wrapping_add(given_up.0),
            delivered.1.wrapping_add(given_up.1),
        );
        u64::from(ended != tally.made.get())
            .saturating_add(u64::from(tally.dropped.get() != tally.made.get()))
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "stages {} made {} delivered {} given up {} dropped {}",
            self.stages,
            self.tally.made.get().0,
            self.tally.delivered.get().0,
            self.tally.given_up.get().0,
            self.tally.dropped.get().0
        ))
    }
}
