// SPDX-License-Identifier: GPL-2.0

//! What goes in comes out: all of it, once, in its order, and no more than there is room for.

use super::{
    super::{
        eventually, is_done, spawn,
        timers::{Hard, Interrupt},
    },
    counted, dropped, drops, value, Value,
};
use childkernel::{
    child::{
        mailbox::{Channel, Guarded, LockFree, Mailbox, DEPTH_MAX},
        Context,
    },
    sync::atomic::{Acquire, Atomic, Relaxed, Release},
};
use kernel::{prelude::*, sync::Arc, time::Delta};

cases!(child_mailbox_ring:
    mailbox_depth,
    mailbox_capacity,
    mailbox_laps,
    mailbox_drops_once,
    mailbox_counts,
    mailbox_producers,
    mailbox_from_interrupt,
);

both! {
    mailbox_capacity => capacity;
    mailbox_laps => laps;
    mailbox_drops_once => drops_once;
    mailbox_counts => counts;
    mailbox_producers => producers;
}

fn mailbox_depth() -> Result {
    for depth in [0, 3, 6, DEPTH_MAX + 1, DEPTH_MAX * 2, usize::MAX] {
        ensure!(Mailbox::<u64>::open(depth).err() == Some(EINVAL));
        ensure!(Mailbox::<u64, Guarded<u64>>::open(depth).err() == Some(EINVAL));
    }
    let (sender, receiver) = Mailbox::<u64>::open(DEPTH_MAX)?;
    ensure!(sender.depth() == DEPTH_MAX && receiver.depth() == DEPTH_MAX);
    Ok(())
}

/// As many as it says, and not one more; who has no room keeps the value.
fn capacity<C: Channel<Value> + 'static>() -> Result {
    for depth in [1, 2, 4, 64] {
        let (sender, mut receiver) = Mailbox::<Value, C>::open(depth)?;
        ensure!(sender.depth() == depth && sender.is_empty());
        for number in 0..depth {
            ensure!(sender.len() == number);
            sender.try_send(value(number))?;
        }
        let back = sender.try_send(value(1000)).err().ok_or(EINVAL)?;
        ensure!(back.error() == EAGAIN);
        ensure!(back.into_value().number == 1000);
        ensure!(receiver.len() == depth);
        // One out, one in.
        ensure!(receiver.try_recv()?.number == 0);
        sender.try_send(value(depth))?;
        ensure!(sender.try_send(value(1000)).is_err());
        for number in 1..=depth {
            ensure!(receiver.try_recv()?.number == number);
        }
        ensure!(receiver.try_recv().err() == Some(EAGAIN));
        ensure!(receiver.is_empty());
    }
    Ok(())
}

/// Round and round, from empty to full, at each place where a lap may begin.
fn laps<C: Channel<Value> + 'static>() -> Result {
    for depth in [1, 2, 8] {
        let (sender, mut receiver) = Mailbox::<Value, C>::open(depth)?;
        let (mut sent, mut taken) = (0, 0);
        for round in 0..8 * depth {
            for _ in 0..1 + round % depth {
                sender.try_send(value(sent))?;
                sent += 1;
            }
            ensure!(receiver.len() == 1 + round % depth);
            while let Ok(value) = receiver.try_recv() {
                ensure!(value.number == taken);
                taken += 1;
            }
            ensure!(taken == sent && receiver.is_empty());
        }
    }
    Ok(())
}

/// What was received is its receiver's, what came back is its sender's.
fn drops_once<C: Channel<Value> + 'static>() -> Result {
    let drops = drops(4)?;
    let (sender, mut receiver) = Mailbox::<Value, C>::open(2)?;
    sender.try_send(counted(0, &drops))?;
    sender.try_send(counted(1, &drops))?;
    let back = sender.try_send(counted(2, &drops));
    ensure!(dropped(&drops) == 0);
    drop(back);
    ensure!(dropped(&drops) == 1);
    let first = receiver.try_recv()?;
    ensure!(first.number == 0 && dropped(&drops) == 1);
    drop(first);
    ensure!(dropped(&drops) == 2);
    drop((sender, receiver));
    for (drops, right) in drops.iter().zip([1, 1, 1, 0]) {
        ensure!(drops.load(Acquire) == right);
    }
    Ok(())
}

fn counts<C: Channel<Value> + 'static>() -> Result {
    let (sender, mut receiver) = Mailbox::<Value, C>::open(1)?;
    ensure!(sender.full() == 0 && sender.empty() == 0);
    ensure!(receiver.try_recv().is_err());
    ensure!(receiver.recv_timeout(1).is_err());
    ensure!(sender.empty() == 2 && sender.full() == 0);
    sender.try_send(value(0))?;
    ensure!(sender.full() == 0);
    ensure!(sender.try_send(value(0)).is_err());
    ensure!(sender.send_timeout(value(0), 1).is_err());
    ensure!(receiver.full() == 2 && receiver.empty() == 2);
    receiver.recv()?;
    ensure!(receiver.empty() == 2);
    Ok(())
}

const PRODUCERS: usize = 3;

const EACH: usize = 20_000;

/// None lost, none doubled, and the order of each sender kept.
fn producers<C: Channel<Value> + 'static>() -> Result {
    let drops = drops(PRODUCERS * EACH)?;
    let (sender, mut receiver) = Mailbox::<Value, C>::open(64)?;
    let mut children = KVec::new();
    for from in 0..PRODUCERS {
        let (sender, drops) = (sender.clone(), drops.clone());
        let child = spawn(c"producer", move |_| {
            for number in from * EACH..(from + 1) * EACH {
                sender.send(Value {
                    from: from as u32,
                    number,
                    drops: Some(drops.clone()),
                })?;
            }
            Ok(())
        })?;
        children.push(child, GFP_KERNEL)?;
    }
    drop(sender);
    let mut next = [0, EACH, 2 * EACH];
    for _ in 0..PRODUCERS * EACH {
        let value = receiver.recv_timeout(Context::jiffies(20_000))?;
        let next = next.get_mut(value.from as usize).ok_or(EINVAL)?;
        ensure!(value.number == *next);
        *next += 1;
    }
    ensure!(receiver.try_recv().is_err());
    for child in &children {
        ensure!(is_done(child));
    }
    drop(children);
    ensure!(receiver.recv().err() == Some(EPIPE));
    ensure!(drops.iter().all(|d| d.load(Acquire) == 1));
    Ok(())
}

/// From a hard interrupt: none lost, what has no room is kept there, and it wakes who sleeps.
fn mailbox_from_interrupt() -> Result {
    interrupt::<LockFree<usize>>()?;
    interrupt::<Guarded<usize>>()
}

fn interrupt<C: Channel<usize> + 'static>() -> Result {
    const MESSAGES: usize = 400;
    let (sender, mut receiver) = Mailbox::<usize, C>::open(4)?;
    let sender = Arc::new(sender, GFP_KERNEL)?;
    let next = Arc::new(Atomic::<usize>::new(0), GFP_KERNEL)?;
    let wrong = Arc::new(Atomic::<u32>::new(0), GFP_KERNEL)?;
    let theirs = (sender.clone(), next.clone(), wrong.clone());
    let timer = Hard::every(Delta::from_micros(500), move || {
        let (sender, next, wrong) = &theirs;
        let number = next.load(Relaxed);
        let right = Hard::is_here()
            && match sender.try_send(number) {
                Ok(()) => {
                    next.store(number + 1, Release);
                    true
                }
                Err(back) => [EAGAIN, EPIPE].contains(&back.error()) && back.into_value() == number,
            };
        if !right {
            wrong.store(1, Release);
        }
    })?;
    let limit = Context::jiffies(20_000);
    for number in 0..MESSAGES {
        ensure!(receiver.recv_timeout(limit)? == number);
    }
    // It fills up, and nothing is lost by that.
    ensure!(eventually(|| sender.full() > 10 && sender.len() == 4));
    for number in MESSAGES..MESSAGES + 10 {
        ensure!(receiver.recv_timeout(limit)? == number);
    }
    receiver.close();
    drop(timer);
    // What the interrupt has sent, and no more, is inside.
    let first = MESSAGES + 10;
    for number in first..next.load(Acquire) {
        ensure!(receiver.recv()? == number);
    }
    ensure!(receiver.recv().err() == Some(EPIPE));
    ensure!(wrong.load(Acquire) == 0);
    Ok(())
}
