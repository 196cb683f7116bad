// SPDX-License-Identifier: GPL-2.0

//! Batches: many messages in one go, from and to a vector.

use super::{
    super::{
        a_while, eventually, is_done, spawn,
        timers::{Hard, Interrupt},
        HOUR_MS,
    },
    counted, dropped, drops, value, Drops, Value,
};
use childkernel::{
    child::{
        mailbox::{Channel, Guarded, LockFree, Mailbox},
        Context,
    },
    new_raw_spinlock_irq,
    sync::{
        atomic::{Acquire, Atomic, Full, Relaxed},
        RawSpinLockIrq,
    },
};
use kernel::{prelude::*, sync::Arc, time::Delta};

cases!(child_mailbox_batch:
    mailbox_batch,
    mailbox_batch_sent,
    mailbox_batch_laps,
    mailbox_batch_producers,
    mailbox_batch_closed,
    mailbox_batch_close_under_load,
    mailbox_batch_from_interrupt,
);

both! {
    mailbox_batch => received;
    mailbox_batch_sent => sent;
    mailbox_batch_laps => laps;
    mailbox_batch_producers => producers;
    mailbox_batch_closed => closed;
    mailbox_batch_close_under_load => close_under_load;
}

/// As many as there is capacity for, and no more than there are.
fn received<C: Channel<Value> + 'static>() -> Result {
    let drops = drops(8)?;
    let (sender, mut receiver) = Mailbox::<Value, C>::open(8)?;
    for number in 0..8 {
        sender.try_send(counted(number, &drops))?;
    }
    let mut none = KVec::new();
    ensure!(receiver.recv_batch(&mut none) == Err(ENOSPC));
    ensure!(receiver.len() == 8);

    // A capacity may be more than was asked for.
    let mut some = KVec::with_capacity(3, GFP_KERNEL)?;
    let capacity = some.capacity().min(8);
    ensure!(receiver.recv_batch(&mut some)? == capacity);
    ensure!(some.len() == capacity && receiver.len() == 8 - capacity);
    let mut rest = KVec::with_capacity(16, GFP_KERNEL)?;
    if capacity < 8 {
        ensure!(receiver.recv_batch(&mut rest)? == 8 - capacity);
    }
    ensure!(dropped(&drops) == 0);
    for (number, value) in (0..).zip(&some) {
        ensure!(value.number == number);
    }
    for (number, value) in (capacity..).zip(&rest) {
        ensure!(value.number == number);
    }
    drop((some, rest));
    ensure!(drops.iter().all(|d| d.load(Acquire) == 1));

    // All senders that wait get the room of a batch, and a batch waits for its first.
    let mut children = KVec::new();
    for number in 0..8 {
        sender.try_send(value(number))?;
    }
    for _ in 0..3 {
        let sender = sender.clone();
        let child = spawn(c"sender", move |_| Ok(sender.send(value(100))?))?;
        children.push(child, GFP_KERNEL)?;
    }
    ensure!(eventually(|| sender.full() == 3));
    a_while();
    let mut all = KVec::with_capacity(8, GFP_KERNEL)?;
    ensure!(receiver.recv_batch(&mut all)? == 8);
    for child in &children {
        ensure!(is_done(child));
    }
    ensure!(receiver.len() == 3);
    Ok(())
}

/// A vector of these numbers, with room for no more.
fn batch(numbers: core::ops::Range<usize>, drops: &Arc<Drops>) -> Result<KVec<Value>> {
    let mut values = KVec::with_capacity(numbers.len(), GFP_KERNEL)?;
    for number in numbers {
        values.push(counted(number, drops), GFP_KERNEL)?;
    }
    Ok(values)
}

/// Whether these are the numbers.
fn are(values: &[Value], numbers: core::ops::Range<usize>) -> bool {
    values.iter().map(|value| value.number).eq(numbers)
}

/// What has room goes, what has none stays where it is, in its order.
fn sent<C: Channel<Value> + 'static>() -> Result {
    let drops = drops(10)?;
    let (sender, mut receiver) = Mailbox::<Value, C>::open(8)?;
    let mut first = batch(0..5, &drops)?;
    let memory = (first.as_ptr(), first.capacity());
    ensure!(sender.try_send_batch(&mut first)? == 5 && first.is_empty());
    ensure!(sender.len() == 5 && sender.full() == 0);
    ensure!(sender.try_send_batch(&mut first)? == 0);
    // The vector keeps its memory.
    ensure!((first.as_ptr(), first.capacity()) == memory);

    let mut second = batch(5..10, &drops)?;
    ensure!(sender.try_send_batch(&mut second)? == 3);
    ensure!(are(&second, 8..10) && sender.len() == 8);
    ensure!(sender.try_send_batch(&mut second).err() == Some(EAGAIN));
    ensure!(are(&second, 8..10) && dropped(&drops) == 0);
    ensure!(sender.full() >= 2);

    let mut all = KVec::with_capacity(16, GFP_KERNEL)?;
    ensure!(receiver.try_recv_batch(&mut all)? == 8 && are(&all, 0..8));
    ensure!(receiver.try_recv_batch(&mut all).err() == Some(EAGAIN));
    sender.send_batch(&mut second)?;
    ensure!(second.is_empty() && receiver.len() == 2);
    ensure!(receiver.try_recv_batch(&mut all)? == 2 && are(&all, 0..10));
    ensure!(dropped(&drops) == 0);
    drop(all);
    ensure!(drops.iter().all(|d| d.load(Acquire) == 1));
    Ok(())
}

/// Round and round, at each place where a lap may begin, with as many as fit and one more.
fn laps<C: Channel<Value> + 'static>() -> Result {
    for depth in [1, 2, 8] {
        let (sender, mut receiver) = Mailbox::<Value, C>::open(depth)?;
        let mut all = KVec::with_capacity(2 * depth, GFP_KERNEL)?;
        let (mut sent, mut taken) = (0, 0);
        for round in 0..8 * depth {
            let count = 1 + round % (depth + 1);
            let mut values = KVec::new();
            for number in sent..sent + count {
                values.push(value(number), GFP_KERNEL)?;
            }
            let gone = sender.try_send_batch(&mut values)?;
            ensure!(gone == count.min(depth));
            sent += gone;
            ensure!(are(&values, sent..sent + count - gone));
            ensure!(receiver.try_recv_batch(&mut all)? == gone);
            ensure!(are(&all, taken..sent) && receiver.is_empty());
            all.clear();
            taken = sent;
        }
    }
    Ok(())
}

/// None lost, none doubled, and the order of each sender kept, whatever the batches.
fn producers<C: Channel<Value> + 'static>() -> Result {
    const PRODUCERS: usize = 3;
    const EACH: usize = 8_000;
    let drops = drops(PRODUCERS * EACH)?;
    let (sender, mut receiver) = Mailbox::<Value, C>::open(16)?;
    let mut children = KVec::new();
    for from in 0..PRODUCERS {
        let (sender, drops) = (sender.clone(), drops.clone());
        let child = spawn(c"producer", move |_| {
            let mut number = from * EACH;
            let end = number + EACH;
            while number != end {
                // More than has room, now and then.
                let next = (number + 1 + number % 23).min(end);
                let mut values = batch(number..next, &drops)?;
                for value in values.iter_mut() {
                    value.from = from as u32;
                }
                sender.send_batch(&mut values)?;
                number = next;
            }
            Ok(())
        })?;
        children.push(child, GFP_KERNEL)?;
    }
    drop(sender);
    let mut next = [0, EACH, 2 * EACH];
    let mut all = KVec::with_capacity(7, GFP_KERNEL)?;
    let mut left = PRODUCERS * EACH;
    while left != 0 {
        left -= receiver.recv_batch(&mut all)?;
        for value in all.drain_all() {
            let next = next.get_mut(value.from as usize).ok_or(EINVAL)?;
            ensure!(value.number == *next);
            *next += 1;
        }
    }
    for child in &children {
        ensure!(is_done(child));
    }
    drop(children);
    ensure!(receiver.recv_batch(&mut all).err() == Some(EPIPE));
    ensure!(drops.iter().all(|d| d.load(Acquire) == 1));
    Ok(())
}

/// What is not taken in is still the sender's.
fn closed<C: Channel<Value> + 'static>() -> Result {
    let drops = drops(6)?;
    let (sender, receiver) = Mailbox::<Value, C>::open(4)?;
    ensure!(sender.try_send_batch(&mut batch(0..2, &drops)?)? == 2);
    receiver.close();
    let mut values = batch(2..6, &drops)?;
    ensure!(sender.try_send_batch(&mut values).err() == Some(EPIPE));
    ensure!(sender.send_batch(&mut values).err() == Some(EPIPE));
    ensure!(are(&values, 2..6) && dropped(&drops) == 0);
    drop(receiver);
    ensure!(dropped(&drops) == 2);
    drop(values);
    ensure!(drops.iter().all(|d| d.load(Acquire) == 1));
    Ok(())
}

/// The receiver goes while senders are in the middle of their batches: each value is dropped once.
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
                for first in (from * EACH..(from + 1) * EACH).step_by(16) {
                    let mut values = batch(first..first + 16, &drops)?;
                    made.fetch_add(16, Full);
                    match sender.send_batch(&mut values) {
                        // The last ones of the batch are left.
                        Err(EPIPE) if are(&values, first + 16 - values.len()..first + 16) => {
                            return Ok(());
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

/// From a hard interrupt: what has no room is kept there, and it wakes who sleeps.
fn mailbox_batch_from_interrupt() -> Result {
    interrupt::<LockFree<usize>>()?;
    interrupt::<Guarded<usize>>()
}

fn interrupt<C: Channel<usize> + 'static>() -> Result {
    const MESSAGES: usize = 300;
    let (sender, mut receiver) = Mailbox::<usize, C>::open(4)?;
    let wrong = Arc::new(Atomic::<u32>::new(0), GFP_KERNEL)?;
    let waiting: Arc<RawSpinLockIrq<(KVec<usize>, usize)>> = Arc::pin_init(
        new_raw_spinlock_irq!((KVec::with_capacity(3, GFP_KERNEL)?, 0), "mailbox_waiting"),
        GFP_KERNEL,
    )?;
    let theirs = wrong.clone();
    let timer = Hard::every(Delta::from_micros(500), move || {
        let mut waiting = waiting.lock();
        let (values, next) = &mut *waiting;
        while values.len() < 3 && values.push_within_capacity(*next).is_ok() {
            *next += 1;
        }
        let sent = sender.try_send_batch(values);
        let kept = values.iter().copied().eq(*next - values.len()..*next);
        if !Hard::is_here() || !kept || sent.is_err_and(|error| error != EAGAIN) {
            theirs.store(1, Relaxed);
        }
    })?;
    for number in 0..MESSAGES {
        ensure!(receiver.recv_timeout(Context::jiffies(20_000))? == number);
    }
    // It fills up, and nothing is lost by that.
    ensure!(eventually(|| receiver.full() > 10 && receiver.len() == 4));
    for number in MESSAGES..MESSAGES + 10 {
        ensure!(receiver.recv_timeout(Context::jiffies(20_000))? == number);
    }
    drop(timer);
    ensure!(wrong.load(Relaxed) == 0);
    Ok(())
}
