// SPDX-License-Identifier: GPL-2.0

//! Calls: each caller gets its own answer, once, or an error; also if who had to answer is gone.

use super::{a_while, eventually, is_done, spawn, stop_gives};
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
use core::mem::forget;
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
    calls_unanswered,
    calls_abort_forgotten,
    calls_abort_inside,
    calls_abort_waiting_for_room,
    calls_close_leaves_pending,
    calls_close_waiting_for_room,
    calls_receiver_gone,
    calls_late_answer,
    calls_limit,
    calls_limit_is_one,
    calls_stop_waiting_for_answer,
    calls_stop_waiting_for_room,
    calls_answer_or_limit,
    calls_abort_storm,
);

type Question = Call<u64, Answer>;

/// An answer that is counted for as long as it is somewhere.
struct Answer {
    number: u64,
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
fn answer(number: u64) -> Answer {
    Answer {
        number,
        alive: None,
    }
}

fn counted(number: u64, alive: &Arc<Atomic<u64>>) -> Answer {
    alive.fetch_add(1, Full);
    Answer {
        number,
        alive: Some(alive.clone()),
    }
}

fn counter() -> Result<Arc<Atomic<u64>>> {
    Ok(Arc::new(Atomic::new(0), GFP_KERNEL)?)
}

/// What should be there soon is waited for, but not for ever.
fn soon() -> Jiffies {
    Context::jiffies(20_000)
}

/// What is not to be given back.
fn taken<R>(given: Result<(), R>) -> bool {
    given.is_ok()
}

/// Calls once, in a child whose error is that of the call. A wrong answer is an error too.
fn caller<C: Channel<Question> + 'static>(
    sender: &Sender<Question, C>,
    number: u64,
) -> Result<Handle> {
    let sender = sender.clone();
    spawn(c"caller", move |_| match sender.call(number)?.number {
        back if back == number + 1 => Ok(()),
        _ => Err(EUCLEAN),
    })
}

fn has_failed(child: &Handle, error: Error) -> bool {
    eventually(|| child.record().state() == State::Stopped) && child.record().error() == Some(error)
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

/// Dropped in each way that there is.
fn calls_unanswered() -> Result {
    let (sender, mut receiver) = Mailbox::<Question>::open(1)?;
    for way in 0..3 {
        let child = caller(&sender, 7)?;
        let call = receiver.recv_timeout(soon())?;
        a_while();
        ensure!(child.record().state() == State::Running);
        match way {
            0 => drop(call),
            1 => drop(call.into_parts().1),
            _ => {
                let (request, reply) = call.into_parts();
                ensure!(request == 7 && reply.is_awaited());
                drop(reply);
            }
        }
        ensure!(has_failed(&child, EPIPE));
        ensure!(receiver.calls() == 0);
    }
    Ok(())
}

/// What a thread that has died leaves: a call that is neither answered nor dropped.
fn calls_abort_forgotten() -> Result {
    let (sender, mut receiver) = Mailbox::<Question>::open(4)?;
    let mut children = KVec::new();
    for number in 0..3 {
        children.push(caller(&sender, number)?, GFP_KERNEL)?;
    }
    let mut kept = KVec::new();
    for _ in 0..2 {
        forget(receiver.recv_timeout(soon())?);
    }
    kept.push(receiver.recv_timeout(soon())?, GFP_KERNEL)?;
    // A dead thread does not drop its receiver either.
    forget(receiver);
    a_while();
    let waits = |child: &Handle| child.record().state() == State::Running;
    ensure!(children.iter().all(waits) && sender.calls() == 3);
    sender.abort();
    ensure!(children.iter().all(|child| has_failed(child, EPIPE)));
    ensure!(sender.calls() == 0);
    // Again, with none left, and one that comes now.
    sender.abort();
    ensure!(sender.call(5).err() == Some(EPIPE));
    let alive = counter()?;
    for call in kept {
        ensure!(!call.is_awaited());
        let back = call.reply(counted(1, &alive)).err().ok_or(EINVAL)?;
        ensure!(alive.load(Acquire) == 1);
        drop(back);
    }
    ensure!(alive.load(Acquire) == 0);
    Ok(())
}

/// Those that nobody has received fail as well, and are dropped later without effect.
fn calls_abort_inside() -> Result {
    let (sender, receiver) = Mailbox::<Question>::open(4)?;
    let mut children = KVec::new();
    for number in 0..3 {
        children.push(caller(&sender, number)?, GFP_KERNEL)?;
    }
    ensure!(eventually(|| receiver.len() == 3));
    a_while();
    ensure!(sender.calls() == 3);
    sender.abort();
    ensure!(children.iter().all(|child| has_failed(child, EPIPE)));
    ensure!(sender.calls() == 0 && receiver.len() == 3);
    drop(receiver);
    ensure!(sender.is_empty());
    Ok(())
}

/// Callers that found the mailbox full, with one that did not.
fn waiting_for_room(sender: &Sender<Question>) -> Result<KVec<Handle>> {
    let mut children = KVec::new();
    children.push(caller(sender, 0)?, GFP_KERNEL)?;
    ensure!(eventually(|| sender.len() == 1));
    for number in 1..3 {
        children.push(caller(sender, number)?, GFP_KERNEL)?;
        ensure!(eventually(|| sender.full() == number));
    }
    a_while();
    ensure!(sender.calls() == 3);
    Ok(children)
}

fn calls_abort_waiting_for_room() -> Result {
    let (sender, receiver) = Mailbox::<Question>::open(1)?;
    let children = waiting_for_room(&sender)?;
    sender.abort();
    ensure!(children.iter().all(|child| has_failed(child, EPIPE)));
    ensure!(sender.calls() == 0);
    drop(receiver);
    Ok(())
}

/// What is inside, or was received, can still be answered; no more come.
fn calls_close_leaves_pending() -> Result {
    let (sender, mut receiver) = Mailbox::<Question>::open(2)?;
    let children = [caller(&sender, 10)?, caller(&sender, 20)?];
    ensure!(eventually(|| sender.len() == 2));
    let first = receiver.recv()?;
    sender.close();
    ensure!(sender.call(30).err() == Some(EPIPE));
    a_while();
    ensure!(sender.calls() == 2);
    let second = receiver.recv()?;
    ensure!(receiver.recv().err() == Some(EPIPE));
    for call in [first, second] {
        let number = *call.request();
        ensure!(taken(call.reply(answer(number + 1))));
    }
    ensure!(children.iter().all(is_done));
    Ok(())
}

fn calls_close_waiting_for_room() -> Result {
    let (sender, mut receiver) = Mailbox::<Question>::open(1)?;
    let mut children = waiting_for_room(&sender)?;
    sender.close();
    let inside = children.remove(0)?;
    ensure!(children.iter().all(|child| has_failed(child, EPIPE)));
    ensure!(inside.record().state() == State::Running && sender.calls() == 1);
    ensure!(taken(receiver.recv()?.reply(answer(1))));
    ensure!(is_done(&inside));
    Ok(())
}

/// It drops what is inside, and what it has received may be answered all the same.
fn calls_receiver_gone() -> Result {
    let (sender, mut receiver) = Mailbox::<Question>::open(4)?;
    let received = caller(&sender, 1)?;
    let call = receiver.recv_timeout(soon())?;
    let mut children = KVec::new();
    for number in 0..6 {
        children.push(caller(&sender, number)?, GFP_KERNEL)?;
    }
    // Two of them wait for room.
    ensure!(eventually(|| sender.full() == 2));
    a_while();
    ensure!(sender.calls() == 7);
    drop(receiver);
    ensure!(children.iter().all(|child| has_failed(child, EPIPE)));
    ensure!(received.record().state() == State::Running && sender.calls() == 1);
    ensure!(taken(call.reply(answer(2))));
    ensure!(is_done(&received));
    Ok(())
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

/// Not early, and not much later than 20 s.
fn calls_limit() -> Result {
    let (sender, receiver) = Mailbox::<Question>::open(1)?;
    // The first waits for an answer, the second for room.
    for full in 0..2 {
        let began = Instant::<Monotonic>::now();
        let error = sender.call_timeout(1, Context::jiffies(50)).err();
        let took = began.elapsed().as_millis();
        ensure!(error == Some(ETIMEDOUT) && sender.full() == full);
        // A jiffy less may be, as the first is a part of one.
        ensure!((40..20_000).contains(&took));
    }
    ensure!(sender.calls() == 0);
    drop(receiver);
    Ok(())
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

    unsafe fn recv(&self, wait: Wait) -> Result<Question> {
        // SAFETY: That is promised to us.
        unsafe { self.ring.recv(wait) }
    }

    unsafe fn recv_more(&self, into: &mut KVec<Question>) -> usize {
        // SAFETY: That is promised to us.
        unsafe { self.ring.recv_more(into) }
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

fn calls_stop_waiting_for_answer() -> Result {
    let (sender, mut receiver) = Mailbox::<Question>::open(1)?;
    let child = caller(&sender, 1)?;
    let call = receiver.recv_timeout(soon())?;
    ensure!(stop_gives(&child, ERESTARTSYS));
    ensure!(sender.calls() == 0 && !call.is_awaited());
    ensure!(call.reply(answer(2)).is_err_and(|back| back.number == 2));
    Ok(())
}

fn calls_stop_waiting_for_room() -> Result {
    let (sender, mut receiver) = Mailbox::<Question>::open(1)?;
    let mut children = waiting_for_room(&sender)?;
    let last = children.pop().ok_or(EINVAL)?;
    ensure!(stop_gives(&last, ERESTARTSYS));
    ensure!(sender.calls() == 2);
    // The others do not notice.
    for number in 0..2 {
        let call = receiver.recv_timeout(soon())?;
        ensure!(*call.request() == number);
        ensure!(taken(call.reply(answer(number + 1))));
    }
    ensure!(children.iter().all(is_done));
    ensure!(receiver.try_recv().err() == Some(EAGAIN));
    Ok(())
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

/// Callers without a limit, and an abort, or two, in the middle: all of them come to an end.
fn calls_abort_storm() -> Result {
    let alive = counter()?;
    for round in 0..12u64 {
        let (sender, mut receiver) = Mailbox::<Question>::open(2)?;
        let mut children = KVec::new();
        for from in 0..4u64 {
            let sender = sender.clone();
            let child = spawn(c"caller", move |_| {
                for number in 0.. {
                    let number = from << 32 | number;
                    match sender.call(number) {
                        Ok(back) if back.number == number + 1 => (),
                        // So that it is stopped by the abort, and by nothing else.
                        Err(EPIPE) if sender.is_closed() => return Ok(()),
                        Err(EPIPE) => (),
                        _ => return Err(EUCLEAN),
                    }
                }
                Ok(())
            })?;
            children.push(child, GFP_KERNEL)?;
        }
        let other = sender.clone();
        let aborts = spawn(c"aborts", move |_| {
            fsleep(Delta::from_micros(500 * round as i64));
            other.abort();
            Ok(())
        })?;
        // One that has died may have done any of these before.
        let mut kept = KVec::new();
        for number in 0..30 + 20 * round {
            let Ok(call) = receiver.recv_timeout(soon()) else {
                break;
            };
            let request = *call.request();
            match number % 16 {
                3 => drop(call),
                7 if round % 2 == 0 => kept.push(call, GFP_KERNEL)?,
                11 if kept.len() < 2 => forget(call),
                _ => {
                    let _ = call.reply(counted(request + 1, &alive));
                }
            }
            if kept.len() == 3 {
                break;
            }
        }
        sender.abort();
        ensure!(children.iter().all(is_done) && is_done(&aborts));
        ensure!(sender.calls() == 0);
        ensure!(kept.iter().all(|call| !call.is_awaited()));
        for call in kept {
            ensure!(call.reply(counted(0, &alive)).is_err());
        }
        ensure!(alive.load(Acquire) == 0);
    }
    Ok(())
}
