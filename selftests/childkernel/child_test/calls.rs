// SPDX-License-Identifier: GPL-2.0

//! Calls: each caller gets its own answer, once, or an error when its limit is over.

use super::{is_done, lasts, spawn};
use childkernel::{
    child::{
        call::{Call, Reply},
        mailbox::{Channel, Guarded, LockFree, Mailbox, Receiver, SendError, Sender, Wait},
        Context, Handle, State,
    },
    sync::{
        atomic::{Acquire, Atomic, Full},
        new_mutex, Mutex,
    },
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta, Instant, Jiffies, Monotonic},
};

cases!(child_calls:
    calls_answered,
    calls_answered_by_rival,
    calls_each_its_own,
    calls_from_child_to_child,
    calls_late_answer,
    calls_limit,
    calls_limit_is_one,
    calls_answer_or_limit,
    calls_leave_nothing,
);

pub(super) type Question = Call<u64, Answer>;

/// An answer that is counted for as long as it is somewhere.
pub(super) struct Answer {
    pub(super) number: u64,
    alive: Option<Arc<Atomic<u64>>>,
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some(alive) = &self.alive {
            alive.fetch_sub(1, Full);
        }
    }
}

/// One that nobody counts.
pub(super) fn answer(number: u64) -> Answer {
    Answer {
        number,
        alive: None,
    }
}

pub(super) fn counted(number: u64, alive: &Arc<Atomic<u64>>) -> Answer {
    alive.fetch_add(1, Full);
    Answer {
        number,
        alive: Some(alive.clone()),
    }
}

pub(super) fn counter() -> Result<Arc<Atomic<u64>>> {
    Ok(Arc::new(Atomic::new(0), GFP_KERNEL)?)
}

/// What should be there soon is waited for, but not for ever.
pub(super) fn soon() -> Jiffies {
    Context::jiffies(20_000)
}

/// What is not to be given back.
pub(super) fn taken<R>(given: Result<(), R>) -> bool {
    given.is_ok()
}

/// Calls once, in a child whose error is that of the call. A wrong answer is an error too.
pub(super) fn caller<C: Channel<Question> + 'static>(
    sender: &Sender<Question, C>,
    number: u64,
) -> Result<Handle> {
    let sender = sender.clone();
    spawn(c"caller", move |_| match sender.call(number)?.number {
        back if back == number + 1 => Ok(()),
        _ => Err(EUCLEAN),
    })
}

fn answered<C: Channel<Question> + 'static>() -> Result {
    const ROUNDS: u64 = 300;
    let (sender, mut receiver) = Mailbox::<Question, C>::open(1)?;
    let alive = counter()?;
    let child = spawn(c"caller", move |_| {
        for number in 0..ROUNDS {
            let back = match number % 2 {
                0 => sender.call(number)?,
                _ => sender.call_timeout(number, soon())?,
            };
            if back.number != !number {
                return Err(EUCLEAN);
            }
        }
        Ok(())
    })?;
    for number in 0..ROUNDS {
        let call = receiver.recv_timeout(soon())?;
        ensure!(*call.request() == number && call.is_awaited());
        ensure!(receiver.calls() == 1);
        ensure!(taken(call.reply(counted(!number, &alive))));
    }
    ensure!(is_done(&child));
    ensure!(receiver.calls() == 0 && alive.load(Acquire) == 0);
    Ok(())
}

fn calls_answered() -> Result {
    answered::<LockFree<Question>>()
}

fn calls_answered_by_rival() -> Result {
    answered::<Guarded<Question>>()
}

/// Several at once, answered in an order of the receiver's own, and after the requests are gone.
fn calls_each_its_own() -> Result {
    const CALLERS: u64 = 4;
    const EACH: u64 = 200;
    let (sender, mut receiver) = Mailbox::<Question>::open(2)?;
    let alive = counter()?;
    let mut children = KVec::new();
    for from in 0..CALLERS {
        let sender = sender.clone();
        let child = spawn(c"caller", move |_| {
            for number in 0..EACH {
                let number = from << 32 | number;
                if sender.call(number)?.number != number + 1 {
                    return Err(EUCLEAN);
                }
            }
            Ok(())
        })?;
        children.push(child, GFP_KERNEL)?;
    }
    for round in 0..EACH {
        let mut later = KVec::<(u64, Reply<Answer>)>::new();
        // All of them wait then.
        for _ in 0..CALLERS {
            let parts = receiver.recv_timeout(soon())?.into_parts();
            later.push(parts, GFP_KERNEL)?;
        }
        ensure!(receiver.calls() == CALLERS as usize && receiver.is_empty());
        while let Some((number, reply)) = later.pop() {
            ensure!(reply.is_awaited() && number & 0xffff_ffff == round);
            ensure!(taken(reply.send(counted(number + 1, &alive))));
        }
    }
    ensure!(children.iter().all(is_done));
    ensure!(receiver.calls() == 0 && alive.load(Acquire) == 0);
    Ok(())
}

/// Three in a row: who answers has to ask first.
fn calls_from_child_to_child() -> Result {
    let (front, to_middle) = Mailbox::<Question>::open(1)?;
    let (middle, mut back) = Mailbox::<Question>::open(1)?;
    let to_middle = held(to_middle)?;
    let asked = spawn(c"middle", move |_| loop {
        let call = match with(&to_middle, Receiver::recv) {
            Err(EPIPE) => return Ok(()),
            other => other?,
        };
        let answer = middle.call(call.request() * 10)?;
        let _ = call.reply(answer);
    })?;
    let alive = counter()?;
    for number in 0..20 {
        let front = front.clone();
        let child = spawn(c"caller", move |_| match front.call(number)?.number {
            back if back == number * 10 + 1 => Ok(()),
            _ => Err(EUCLEAN),
        })?;
        let call = back.recv_timeout(soon())?;
        ensure!(*call.request() == number * 10);
        ensure!(taken(call.reply(counted(number * 10 + 1, &alive))));
        ensure!(is_done(&child));
        ensure!(alive.load(Acquire) == 0);
    }
    drop(front);
    ensure!(is_done(&asked));
    drop(asked);
    ensure!(back.try_recv().err() == Some(EPIPE));
    Ok(())
}

/// A receiver that a child can have.
type Held = Arc<Mutex<Option<Receiver<Question>>>>;

fn held(receiver: Receiver<Question>) -> Result<Held> {
    Arc::pin_init(new_mutex!(Some(receiver), "calls_held"), GFP_KERNEL)
}

/// What such a child does with it.
fn with<R>(held: &Held, f: impl FnOnce(&mut Receiver<Question>) -> Result<R>) -> Result<R> {
    match &mut *held.lock() {
        Some(receiver) => f(receiver),
        None => Err(ENOENT),
    }
}

/// Who answers too late is told so, and drops the answer itself.
fn calls_late_answer() -> Result {
    let (sender, mut receiver) = Mailbox::<Question>::open(1)?;
    let alive = counter()?;
    for forget_it in [false, true] {
        let ended = sender.call_timeout(3, Context::jiffies(20));
        ensure!(ended.err() == Some(ETIMEDOUT));
        ensure!(sender.calls() == 0 && sender.len() == 1);
        let call = receiver.try_recv()?;
        ensure!(*call.request() == 3 && !call.is_awaited());
        if forget_it {
            drop(call);
            continue;
        }
        let back = call.reply(counted(9, &alive)).err().ok_or(EINVAL)?;
        ensure!(back.number == 9 && alive.load(Acquire) == 1);
        drop(back);
        ensure!(alive.load(Acquire) == 0);
    }
    // The next call has nothing to do with these.
    let child = caller(&sender, 4)?;
    ensure!(taken(receiver.recv_timeout(soon())?.reply(answer(5))));
    ensure!(is_done(&child));
    Ok(())
}

fn calls_limit() -> Result {
    // The first waits for an answer, the second for room.
    for full in 0..2 {
        lasts(40, || {
            let (sender, receiver) = Mailbox::<Question>::open(1)?;
            for before in 0..full {
                ensure!(times_out(&sender, 1) && sender.full() == before);
            }
            // A jiffy less may be, as the first is a part of one.
            ensure!(times_out(&sender, 50) && sender.full() == full);
            ensure!(sender.calls() == 0);
            drop(receiver);
            Ok(())
        })?;
    }
    Ok(())
}

fn times_out(sender: &Sender<Question>, ms: u32) -> bool {
    sender.call_timeout(1, Context::jiffies(ms)).err() == Some(ETIMEDOUT)
}

/// A ring where all have to wait for room, for so long.
#[pin_data]
struct Slow {
    #[pin]
    ring: LockFree<Question>,
}

const SLOW_MS: u32 = 300;

impl Channel<Question> for Slow {
    fn new(depth: usize) -> impl PinInit<Self, Error> {
        try_pin_init!(Self { ring <- LockFree::new(depth) })
    }

    fn send(&self, value: Question, wait: Wait) -> Result<(), SendError<Question>> {
        fsleep(Delta::from_millis(SLOW_MS.into()));
        self.ring.send(value, wait)
    }

    fn send_some(&self, values: &mut KVec<Question>) -> Result<usize> {
        self.ring.send_some(values)
    }

    unsafe fn recv(&self, wait: Wait) -> Result<Question> {
        // SAFETY: That is promised to us.
        unsafe { self.ring.recv(wait) }
    }

    unsafe fn recv_some(&self, into: &mut KVec<Question>) -> usize {
        // SAFETY: That is promised to us.
        unsafe { self.ring.recv_some(into) }
    }

    fn close(&self) {
        self.ring.close();
    }

    fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }

    fn depth(&self) -> usize {
        self.ring.depth()
    }

    fn len(&self) -> usize {
        self.ring.len()
    }

    fn full(&self) -> u64 {
        self.ring.full()
    }

    fn empty(&self) -> u64 {
        self.ring.empty()
    }

    fn wakes(&self) -> Option<u64> {
        self.ring.wakes()
    }
}

/// Waiting for room counts: what it has left of the limit is for the answer. A machine that is
/// busy may be slow as well, but not each time.
fn calls_limit_is_one() -> Result {
    let (sender, _receiver) = Mailbox::<Question, Slow>::open(16)?;
    for _ in 0..10 {
        let began = Instant::<Monotonic>::now();
        let error = sender.call_timeout(1, Context::jiffies(SLOW_MS)).err();
        ensure!(error == Some(ETIMEDOUT));
        if began.elapsed().as_millis() < i64::from(2 * SLOW_MS - 20) {
            return Ok(());
        }
    }
    pr_err!("each time the limit was there twice\n");
    Err(EINVAL)
}

/// Limits that are over just when the answer comes: each answer is dropped once, by one of the two.
fn calls_answer_or_limit() -> Result {
    const EACH: u64 = 150;
    let (sender, mut receiver) = Mailbox::<Question>::open(4)?;
    let (alive, got) = (counter()?, counter()?);
    let mut children = KVec::new();
    for from in 0..3u64 {
        let (sender, got) = (sender.clone(), got.clone());
        let child = spawn(c"caller", move |_| {
            for number in 0..EACH {
                let number = from << 32 | number;
                match sender.call_timeout(number, number as usize % 3) {
                    Ok(back) if back.number == number + 1 => {
                        got.fetch_add(1, Full);
                    }
                    Err(ETIMEDOUT) => (),
                    _ => return Err(EUCLEAN),
                }
            }
            Ok(())
        })?;
        children.push(child, GFP_KERNEL)?;
    }
    let is_over = |child: &Handle| child.record().state() == State::Stopped;
    let (mut given, mut late) = (0u64, 0u64);
    loop {
        let call = match receiver.recv_timeout(Context::jiffies(20)) {
            Err(ETIMEDOUT) if children.iter().all(is_over) => break,
            Err(ETIMEDOUT) => continue,
            other => other?,
        };
        if given % 4 == 0 {
            fsleep(Delta::from_micros((given % 9) as i64 * 1000));
        }
        given += 1;
        let number = *call.request() + 1;
        late += u64::from(!taken(call.reply(counted(number, &alive))));
    }
    ensure!(children.iter().all(is_done));
    ensure!(alive.load(Acquire) == 0 && receiver.calls() == 0);
    ensure!(got.load(Acquire) + late == given);
    // Both do happen.
    ensure!(got.load(Acquire) > 0 && late > 0);
    Ok(())
}

/// The script looks at the memory of the machine afterwards: a cell of each would be 2 MiB.
fn calls_leave_nothing() -> Result {
    const EACH: u64 = 4_000;
    let (sender, mut receiver) = Mailbox::<Question>::open(1)?;
    let calls = sender.clone();
    let child = spawn(c"caller", move |_| {
        for number in 0..EACH {
            match calls.call(number) {
                Ok(_) | Err(EPIPE) => (),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    })?;
    for number in 0..EACH {
        let call = receiver.recv_timeout(soon())?;
        match number % 3 {
            0 => drop(call),
            _ => ensure!(taken(call.reply(answer(number)))),
        }
    }
    ensure!(is_done(&child));
    receiver.close();
    for number in 0..3 * EACH {
        ensure!(sender.call(number).err() == Some(EPIPE));
    }
    ensure!(sender.calls() == 0);
    Ok(())
}
