// SPDX-License-Identifier: GPL-2.0

//! Mailboxes: each case with the lock-free ring and with its rival.

use super::{
    a_while, eventually, is_done, spawn, spawn_on, stop_gives,
    timers::{Hard, Interrupt},
    HOUR_MS,
};
use childkernel::{
    child::{
        mailbox::{Channel, Guarded, LockFree, Mailbox, Receiver, Sender, DEPTH_MAX},
        Context, Handle,
    },
    sync::{
        atomic::{Acquire, Atomic, Full, Relaxed, Release},
        new_mutex, Mutex,
    },
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta, Instant, Monotonic},
};

/// Cases that are to hold for both.
macro_rules! both {
    ($($name:ident => $of:ident;)*) => {
        $(
            fn $name() -> Result {
                $of::<LockFree<Value>>().inspect_err(|_| pr_err!("so it was with the ring\n"))?;
                $of::<Guarded<Value>>().inspect_err(|_| pr_err!("so it was with the rival\n"))
            }
        )*
    };
}

cases!(child_mailbox:
    mailbox_depth,
    mailbox_capacity,
    mailbox_laps,
    mailbox_drops_once,
    mailbox_closed_with_values,
    mailbox_left_by_senders,
    mailbox_counts,
    mailbox_producers,
    mailbox_batch,
    mailbox_timeout,
    mailbox_timed_storm,
    mailbox_ping_pong,
    mailbox_falls_asleep_receiving,
    mailbox_falls_asleep_sending,
    mailbox_stop_receiver,
    mailbox_stop_sender,
    mailbox_senders_in_turn,
    mailbox_wakes_receiver_at_end,
    mailbox_wakes_senders_at_end,
    mailbox_close_under_load,
    mailbox_from_interrupt,
    mailbox_wakes,
);

both! {
    mailbox_capacity => capacity;
    mailbox_laps => laps;
    mailbox_drops_once => drops_once;
    mailbox_closed_with_values => closed_with_values;
    mailbox_left_by_senders => left_by_senders;
    mailbox_counts => counts;
    mailbox_producers => producers;
    mailbox_batch => batch;
    mailbox_timeout => timeout;
    mailbox_timed_storm => timed_storm;
    mailbox_ping_pong => ping_pong;
    mailbox_falls_asleep_receiving => falls_asleep_receiving;
    mailbox_falls_asleep_sending => falls_asleep_sending;
    mailbox_stop_receiver => stop_receiver;
    mailbox_stop_sender => stop_sender;
    mailbox_senders_in_turn => senders_in_turn;
    mailbox_wakes_receiver_at_end => wakes_receiver_at_end;
    mailbox_wakes_senders_at_end => wakes_senders_at_end;
    mailbox_close_under_load => close_under_load;
}

/// A message that says, for each number, how often one with it was dropped.
struct Value {
    from: u32,
    number: usize,
    drops: Option<Arc<Drops>>,
}

type Drops = KVVec<Atomic<u32>>;

impl Drop for Value {
    fn drop(&mut self) {
        if let Some(drops) = self.drops.as_ref().and_then(|d| d.get(self.number)) {
            drops.fetch_add(1, Full);
        }
    }
}

/// One that nobody counts.
fn value(number: usize) -> Value {
    Value {
        from: 0,
        number,
        drops: None,
    }
}

fn drops(count: usize) -> Result<Arc<Drops>> {
    let mut all = KVVec::with_capacity(count, GFP_KERNEL)?;
    for _ in 0..count {
        all.push(Atomic::new(0), GFP_KERNEL)?;
    }
    Ok(Arc::new(all, GFP_KERNEL)?)
}

fn counted(number: usize, drops: &Arc<Drops>) -> Value {
    Value {
        from: 0,
        number,
        drops: Some(drops.clone()),
    }
}

fn dropped(drops: &Drops) -> u32 {
    drops.iter().map(|d| d.load(Acquire)).sum()
}

/// A receiver that a child can have.
type Held<C> = Arc<Mutex<Option<Receiver<Value, C>>>>;

fn held<C: Channel<Value> + 'static>(receiver: Receiver<Value, C>) -> Result<Held<C>> {
    Arc::pin_init(new_mutex!(Some(receiver), "mailbox_held"), GFP_KERNEL)
}

/// What such a child does with it.
fn with<C: Channel<Value>, R>(
    held: &Held<C>,
    f: impl FnOnce(&mut Receiver<Value, C>) -> Result<R>,
) -> Result<R> {
    match &mut *held.lock() {
        Some(receiver) => f(receiver),
        None => Err(ENOENT),
    }
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

fn batch<C: Channel<Value> + 'static>() -> Result {
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

/// Not early, and not much later than 20 s; what could not be sent comes back.
fn timeout<C: Channel<Value> + 'static>() -> Result {
    let (sender, mut receiver) = Mailbox::<Value, C>::open(1)?;
    let limit = Context::jiffies(50);
    let began = Instant::<Monotonic>::now();
    let error = receiver.recv_timeout(limit).err();
    let took = began.elapsed().as_millis();
    ensure!(error == Some(ETIMEDOUT));
    // A jiffy less may be, as the first is a part of one.
    ensure!((40..20_000).contains(&took));

    sender.send_timeout(value(1), limit)?;
    let began = Instant::<Monotonic>::now();
    let back = sender.send_timeout(value(2), limit).err().ok_or(EINVAL)?;
    let took = began.elapsed().as_millis();
    ensure!(back.error() == ETIMEDOUT && back.into_value().number == 2);
    ensure!((40..20_000).contains(&took));

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

/// Senders that wait for room, one after the other.
fn waiting<C: Channel<Value> + 'static>(sender: &Sender<Value, C>) -> Result<KVec<Handle>> {
    let mut children = KVec::new();
    for number in 0..3 {
        let (theirs, before) = (sender.clone(), sender.full());
        let child = spawn(c"sender", move |_| Ok(theirs.send(value(10 + number))?))?;
        children.push(child, GFP_KERNEL)?;
        ensure!(eventually(|| sender.full() > before));
        a_while();
    }
    Ok(children)
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
