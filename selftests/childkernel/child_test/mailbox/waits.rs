// SPDX-License-Identifier: GPL-2.0

//! Who waits is woken, once and in time, and nobody else is.

use super::{
    super::{a_while, eventually, is_done, lasts, spawn, spawn_on, stop_gives},
    counted, dropped, drops, held, value, waiting, with, Value,
};
use childkernel::child::{
    mailbox::{Channel, Guarded, LockFree, Mailbox, Receiver},
    Context,
};
use kernel::{
    prelude::*,
    time::{delay::fsleep, Delta, Instant, Monotonic},
};

cases!(child_mailbox_waits:
    mailbox_timeout,
    mailbox_timed_storm,
    mailbox_ping_pong,
    mailbox_falls_asleep_receiving,
    mailbox_falls_asleep_sending,
    mailbox_stop_receiver,
    mailbox_stop_sender,
    mailbox_senders_in_turn,
    mailbox_wakes,
);

both! {
    mailbox_timeout => timeout;
    mailbox_timed_storm => timed_storm;
    mailbox_ping_pong => ping_pong;
    mailbox_falls_asleep_receiving => falls_asleep_receiving;
    mailbox_falls_asleep_sending => falls_asleep_sending;
    mailbox_stop_receiver => stop_receiver;
    mailbox_stop_sender => stop_sender;
    mailbox_senders_in_turn => senders_in_turn;
}

/// What could not be sent comes back.
fn timeout<C: Channel<Value> + 'static>() -> Result {
    let (sender, mut receiver) = Mailbox::<Value, C>::open(1)?;
    let limit = Context::jiffies(50);
    // A jiffy less may be, as the first is a part of one.
    lasts(40, || {
        ensure!(receiver.recv_timeout(limit).err() == Some(ETIMEDOUT));
        Ok(())
    })?;
    sender.send_timeout(value(1), limit)?;
    lasts(40, || {
        let back = sender.send_timeout(value(2), limit).err().ok_or(EINVAL)?;
        ensure!(back.error() == ETIMEDOUT && back.into_value().number == 2);
        Ok(())
    })?;

    // It did not take what comes afterwards.
    ensure!(receiver.recv_timeout(limit)?.number == 1);
    sender.try_send(value(3))?;
    ensure!(receiver.recv()?.number == 3);
    Ok(())
}

/// Waits that end by their limit just when something comes lose nothing, nor does anybody sleep
/// on: those without a limit go on as well.
fn timed_storm<C: Channel<Value> + 'static>() -> Result {
    const EACH: usize = 300;
    let (sender, mut receiver) = Mailbox::<Value, C>::open(1)?;
    let mut children = KVec::new();
    for from in 0..3 {
        let sender = sender.clone();
        let child = spawn(c"sender", move |ctx| {
            for number in 0..EACH {
                let mut message = Value {
                    from,
                    number,
                    drops: None,
                };
                if from == 0 {
                    sender.send(message)?;
                    continue;
                }
                while let Err(back) = sender.send_timeout(message, 1) {
                    if back.error() != ETIMEDOUT || ctx.should_stop() {
                        return Err(back.error());
                    }
                    message = back.into_value();
                }
            }
            Ok(())
        })?;
        children.push(child, GFP_KERNEL)?;
    }
    let mut next = [0; 3];
    let began = Instant::<Monotonic>::now();
    while next != [EACH; 3] {
        match receiver.recv_timeout(1) {
            Ok(value) => {
                let next = next.get_mut(value.from as usize).ok_or(EINVAL)?;
                ensure!(value.number == *next);
                *next += 1;
                if value.number % 32 == 0 {
                    fsleep(Delta::from_micros(4000));
                }
            }
            Err(error) => {
                ensure!(error == ETIMEDOUT);
                ensure!(began.elapsed().as_millis() < 20_000);
            }
        }
    }
    for child in &children {
        ensure!(is_done(child));
    }
    Ok(())
}

/// Each side sleeps whenever the other is about to wake it: one that is forgotten sleeps on.
fn ping_pong<C: Channel<Value> + 'static>() -> Result {
    const ROUNDS: usize = 3000;
    let (there, their) = Mailbox::<Value, C>::open(1)?;
    let (back, mut ours) = Mailbox::<Value, C>::open(1)?;
    let their = held(their)?;
    let child = spawn(c"echo", move |_| {
        for _ in 0..ROUNDS {
            back.send(with(&their, Receiver::recv)?)?;
        }
        Ok(())
    })?;
    for number in 0..ROUNDS {
        there.send(value(number))?;
        ensure!(ours.recv_timeout(Context::jiffies(20_000))?.number == number);
    }
    ensure!(is_done(&child));
    Ok(())
}

/// Receives without sleeping, so as to be quick, 20 s at most, and lets a moment pass that grows
/// from round to round.
fn spin<C: Channel<Value>>(receiver: &mut Receiver<Value, C>, round: usize) -> Result<usize> {
    let began = Instant::<Monotonic>::now();
    loop {
        match receiver.try_recv() {
            Err(EAGAIN) if began.elapsed().as_millis() < 20_000 => {
                // Where nothing is preempted the other may want this very CPU.
                if began.elapsed().as_millis() > 2 {
                    fsleep(Delta::from_millis(1));
                }
                core::hint::spin_loop();
            }
            other => {
                for _ in 0..round % MOMENTS {
                    core::hint::spin_loop();
                }
                return Ok(other?.number);
            }
        }
    }
}

const MOMENTS: usize = 200;

/// What is sent just when the receiver has found nothing and falls asleep wakes it.
fn falls_asleep_receiving<C: Channel<Value> + 'static>() -> Result {
    const ROUNDS: usize = 4 * MOMENTS;
    let (there, their) = Mailbox::<Value, C>::open(1)?;
    let (back, mut ours) = Mailbox::<Value, C>::open(1)?;
    let their = held(their)?;
    let child = spawn_on(c"echo", 1, move |_| {
        for _ in 0..ROUNDS {
            back.send(with(&their, Receiver::recv)?)?;
        }
        Ok(())
    })?;
    for number in 0..ROUNDS {
        there.send(value(number))?;
        ensure!(spin(&mut ours, number)? == number);
    }
    ensure!(is_done(&child));
    Ok(())
}

/// What is received just when a sender has found no room and falls asleep wakes it.
fn falls_asleep_sending<C: Channel<Value> + 'static>() -> Result {
    const ROUNDS: usize = 4 * MOMENTS;
    let (sender, mut receiver) = Mailbox::<Value, C>::open(1)?;
    let child = spawn_on(c"sender", 1, move |_| {
        for number in 0..ROUNDS {
            sender.send(value(number))?;
        }
        Ok(())
    })?;
    for number in 0..ROUNDS {
        ensure!(spin(&mut receiver, number)? == number);
    }
    ensure!(is_done(&child));
    Ok(())
}

fn stop_receiver<C: Channel<Value> + 'static>() -> Result {
    let (sender, receiver) = Mailbox::<Value, C>::open(1)?;
    let receiver = held(receiver)?;
    let theirs = receiver.clone();
    let child = spawn(c"receiver", move |_| {
        with(&theirs, Receiver::recv).map(drop)
    })?;
    ensure!(stop_gives(&child, ERESTARTSYS));
    // It is as if nobody had waited.
    sender.try_send(value(7))?;
    ensure!(with(&receiver, Receiver::try_recv)?.number == 7);
    Ok(())
}

fn stop_sender<C: Channel<Value> + 'static>() -> Result {
    let drops = drops(1)?;
    let (sender, mut receiver) = Mailbox::<Value, C>::open(1)?;
    sender.try_send(value(1))?;
    let (theirs, their_drops) = (sender.clone(), drops.clone());
    let child = spawn(c"sender", move |_| {
        Ok(theirs.send(counted(0, &their_drops))?)
    })?;
    ensure!(eventually(|| sender.full() == 1));
    ensure!(stop_gives(&child, ERESTARTSYS));
    ensure!(dropped(&drops) == 1);
    ensure!(receiver.try_recv()?.number == 1);
    ensure!(receiver.try_recv().err() == Some(EAGAIN));
    sender.try_send(value(2))?;
    ensure!(receiver.recv()?.number == 2);
    Ok(())
}

/// Each message that is received lets one sender go on, the one that has waited longest.
fn senders_in_turn<C: Channel<Value> + 'static>() -> Result {
    let (sender, mut receiver) = Mailbox::<Value, C>::open(1)?;
    sender.try_send(value(9))?;
    let children = waiting(&sender)?;
    for (number, child) in (9..).zip(&children) {
        ensure!(receiver.recv_timeout(Context::jiffies(20_000))?.number == number);
        ensure!(is_done(child));
        ensure!(receiver.len() == 1);
    }
    ensure!(receiver.recv()?.number == 12);
    ensure!(receiver.try_recv().is_err());
    Ok(())
}

/// Nobody is woken who does not sleep; who does is woken once.
fn mailbox_wakes() -> Result {
    let (sender, mut receiver) = Mailbox::<Value>::open(4)?;
    for number in 0..1000 {
        sender.try_send(value(number))?;
        sender.send(value(number))?;
        ensure!(receiver.try_recv()?.number == number);
        ensure!(receiver.recv()?.number == number);
        ensure!(receiver.try_recv().is_err());
    }
    ensure!(sender.wakes() == Some(0));
    // Nor who has slept, and does no more.
    ensure!(receiver.recv_timeout(2).err() == Some(ETIMEDOUT));
    sender.try_send(value(0))?;
    ensure!(sender.wakes() == Some(0));
    receiver.recv()?;

    let before = sender.empty();
    let receiver = held(receiver)?;
    let child = spawn(c"receiver", move |_| {
        for _ in 0..3 {
            with(&receiver, Receiver::recv)?;
        }
        Ok(())
    })?;
    for (woken, asleep) in (1..=3).zip(before + 1..) {
        ensure!(eventually(|| sender.empty() == asleep));
        a_while();
        sender.try_send(value(0))?;
        ensure!(sender.wakes() == Some(woken));
    }
    ensure!(is_done(&child));
    sender.try_send(value(0))?;
    sender.try_send(value(0))?;
    ensure!(sender.wakes() == Some(3));
    Ok(())
}
