// SPDX-License-Identifier: GPL-2.0

//! Calls that get no answer: no caller hangs for who is gone.

use super::{
    a_while,
    calls::{answer, caller, counted, counter, soon, taken, Question},
    eventually, is_done,
    lose::lose,
    spawn, stop_gives,
};
use childkernel::{
    child::{
        mailbox::{Mailbox, Sender},
        Handle, State,
    },
    sync::atomic::Acquire,
};
use kernel::{
    prelude::*,
    time::{delay::fsleep, Delta},
};

cases!(child_calls_end:
    calls_unanswered,
    calls_abort_forgotten,
    calls_abort_inside,
    calls_abort_waiting_for_room,
    calls_close_leaves_pending,
    calls_close_waiting_for_room,
    calls_receiver_gone,
    calls_stop_waiting_for_answer,
    calls_stop_waiting_for_room,
    calls_abort_storm,
);

fn has_failed(child: &Handle, error: Error) -> bool {
    eventually(|| child.record().state() == State::Stopped) && child.record().error() == Some(error)
}

/// Dropped in each way that there is.
fn calls_unanswered() -> Result {
    let (sender, mut receiver) = Mailbox::<Question>::open(1)?;
    for way in 0..2 {
        let child = caller(&sender, 7)?;
        let call = receiver.recv_timeout(soon())?;
        a_while();
        ensure!(child.record().state() == State::Running);
        match way {
            0 => drop(call),
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
        lose(receiver.recv_timeout(soon())?)?;
    }
    kept.push(receiver.recv_timeout(soon())?, GFP_KERNEL)?;
    // A dead thread does not drop its receiver either.
    lose(receiver)?;
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
                11 if kept.len() < 2 => lose(call)?,
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
