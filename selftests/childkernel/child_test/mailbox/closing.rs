// SPDX-License-Identifier: GPL-2.0

//! The end: who sends and who receives learns of it, and nothing is dropped twice or never.

use super::{
    super::{a_while, eventually, is_done, spawn, HOUR_MS},
    counted, dropped, drops, held, value, waiting, with, Value,
};
use childkernel::{
    child::{
        mailbox::{Channel, Guarded, LockFree, Mailbox, Receiver},
        Context,
    },
    sync::atomic::{Acquire, Atomic, Full},
};
use kernel::{prelude::*, sync::Arc};

cases!(child_mailbox_closing:
    mailbox_closed_with_values,
    mailbox_left_by_senders,
    mailbox_wakes_receiver_at_end,
    mailbox_wakes_senders_at_end,
    mailbox_close_under_load,
);

both! {
    mailbox_closed_with_values => closed_with_values;
    mailbox_left_by_senders => left_by_senders;
    mailbox_wakes_receiver_at_end => wakes_receiver_at_end;
    mailbox_wakes_senders_at_end => wakes_senders_at_end;
    mailbox_close_under_load => close_under_load;
}

/// What nobody has received goes with the receiver, and what is sent afterwards comes back.
fn closed_with_values<C: Channel<Value> + 'static>() -> Result {
    let drops = drops(6)?;
    let (sender, mut receiver) = Mailbox::<Value, C>::open(4)?;
    for number in 0..4 {
        sender.try_send(counted(number, &drops))?;
    }
    receiver.close();
    ensure!(sender.is_closed());
    // Full or not, it is closed.
    let back = sender.try_send(counted(4, &drops)).err().ok_or(EINVAL)?;
    ensure!(back.error() == EPIPE && dropped(&drops) == 0);
    let back = sender.send(back.into_value()).err().ok_or(EINVAL)?;
    ensure!(back.error() == EPIPE && back.into_value().number == 4);
    ensure!(dropped(&drops) == 1);
    // What is inside can still be had.
    ensure!(receiver.recv()?.number == 0);
    let back = sender.try_send(counted(5, &drops)).err().ok_or(EINVAL)?;
    ensure!(back.error() == EPIPE);
    drop(back);
    ensure!(dropped(&drops) == 3);
    drop(receiver);
    ensure!(drops.iter().all(|d| d.load(Acquire) == 1));
    drop(sender);
    ensure!(drops.iter().all(|d| d.load(Acquire) == 1));
    Ok(())
}

/// The receiver gets all that was sent before the last sender has gone, and then an end.
fn left_by_senders<C: Channel<Value> + 'static>() -> Result {
    let drops = drops(3)?;
    let (sender, mut receiver) = Mailbox::<Value, C>::open(4)?;
    let other = sender.clone();
    sender.try_send(counted(0, &drops))?;
    drop(sender);
    ensure!(!receiver.is_closed());
    other.try_send(counted(1, &drops))?;
    other.try_send(counted(2, &drops))?;
    drop(other);
    ensure!(receiver.is_closed() && dropped(&drops) == 0);
    for number in 0..3 {
        ensure!(receiver.recv()?.number == number);
    }
    ensure!(receiver.try_recv().err() == Some(EPIPE));
    ensure!(receiver.recv().err() == Some(EPIPE));
    ensure!(receiver.recv_timeout(0).err() == Some(EPIPE));
    ensure!(drops.iter().all(|d| d.load(Acquire) == 1));
    Ok(())
}

/// A receiver that sleeps sees the last sender go, and a mailbox that is closed.
fn wakes_receiver_at_end<C: Channel<Value> + 'static>() -> Result {
    for close in [false, true] {
        let (sender, receiver) = Mailbox::<Value, C>::open(1)?;
        let receiver = held(receiver)?;
        let child = spawn(c"receiver", move |_| {
            with(&receiver, Receiver::recv).map(drop)
        })?;
        ensure!(eventually(|| sender.empty() == 1));
        a_while();
        ensure!(child.record().error().is_none());
        if close {
            sender.close();
        } else {
            drop(sender);
        }
        ensure!(eventually(|| child.record().error() == Some(EPIPE)));
    }
    Ok(())
}

/// All senders that sleep see the receiver go, and what they have is not lost.
fn wakes_senders_at_end<C: Channel<Value> + 'static>() -> Result {
    for close in [false, true] {
        let (sender, receiver) = Mailbox::<Value, C>::open(1)?;
        sender.try_send(value(9))?;
        let children = waiting(&sender)?;
        for child in &children {
            ensure!(child.record().error().is_none());
        }
        let receiver = if close {
            sender.close();
            Some(receiver)
        } else {
            drop(receiver);
            None
        };
        for child in &children {
            ensure!(eventually(|| child.record().error() == Some(EPIPE)));
        }
        if let Some(mut receiver) = receiver {
            ensure!(receiver.recv()?.number == 9);
            ensure!(receiver.recv().err() == Some(EPIPE));
        }
    }
    Ok(())
}

/// Whatever senders are at just then: each value is dropped once, and nobody stays.
fn close_under_load<C: Channel<Value> + 'static>() -> Result {
    const EACH: usize = 4096;
    for round in 0..10 {
        let drops = drops(3 * EACH)?;
        let made = Arc::new(Atomic::<u32>::new(0), GFP_KERNEL)?;
        let (sender, mut receiver) = Mailbox::<Value, C>::open(8)?;
        let mut children = KVec::new();
        for from in 0..3 {
            let (sender, drops, made) = (sender.clone(), drops.clone(), made.clone());
            let child = spawn(c"sender", move |_| {
                for number in from * EACH..(from + 1) * EACH {
                    made.fetch_add(1, Full);
                    match sender.send(counted(number, &drops)) {
                        Err(back) if back.error() == EPIPE => {
                            return match back.into_value().number == number {
                                true => Ok(()),
                                false => Err(ERANGE),
                            };
                        }
                        sent => sent?,
                    }
                }
                // It was to be closed before.
                Err(E2BIG)
            })?;
            children.push(child, GFP_KERNEL)?;
        }
        for _ in 0..200 + 37 * round {
            drop(receiver.recv_timeout(Context::jiffies(HOUR_MS))?);
        }
        drop(receiver);
        for child in &children {
            ensure!(is_done(child));
        }
        // Before the last sender goes.
        ensure!(sender.is_empty());
        ensure!(dropped(&drops) == made.load(Acquire));
        ensure!(drops.iter().all(|d| d.load(Acquire) <= 1));
    }
    Ok(())
}
