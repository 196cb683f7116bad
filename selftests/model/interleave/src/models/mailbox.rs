// SPDX-License-Identifier: GPL-2.0

//! The mailbox: its ring, those who sleep at it, and what is said of both in the module.

use super::{
    value::{Drops, Value},
    Model,
};
use crate::child::mailbox::{Channel, LockFree, Wait};
use kernel::{prelude::*, run};
use loom::{
    sync::Arc,
    thread::{self, JoinHandle},
};

pub const MODELS: &[Model] = &[
    Model {
        name: "mailbox_lap",
        shows: "a message is seen whole, in order, when its place is used lap after lap",
        preemptions: Some(2),
        run: lap,
    },
    Model {
        name: "mailbox_senders",
        shows: "nothing is lost, nor anybody asleep for good, with two senders and one place",
        preemptions: Some(2),
        run: senders,
    },
    Model {
        name: "mailbox_batch",
        shows: "batches go in and come out whole, in order",
        preemptions: Some(2),
        run: batch,
    },
    Model {
        name: "mailbox_close",
        shows: "what was taken in before the end comes out, what was not comes back",
        preemptions: Some(2),
        run: close,
    },
    Model {
        name: "mailbox_close_full",
        shows: "who waits for room learns of the end",
        preemptions: None,
        run: close_full,
    },
    Model {
        name: "mailbox_receiver_signalled",
        shows: "a receiver whose wait is ended takes its wake-up along",
        preemptions: Some(2),
        run: receiver_signalled,
    },
    Model {
        name: "mailbox_sender_signalled",
        shows: "a sender whose wait is ended leaves no room unused",
        preemptions: Some(2),
        run: sender_signalled,
    },
    Model {
        name: "mailbox_tail_behind_head",
        shows: "who comes late and sees an old tail does not sleep for good",
        preemptions: Some(0),
        run: tail_behind_head,
    },
    Model {
        name: "mailbox_hearsay",
        shows: "who knows of room from another sender puts nothing over what is being taken out",
        preemptions: Some(2),
        run: hearsay,
    },
    Model {
        name: "mailbox_left",
        shows: "what nobody receives is dropped, once",
        preemptions: None,
        run: left,
    },
];

/// A mailbox of values.
struct Mailbox {
    channel: Arc<Pin<KBox<LockFree<Value>>>>,
    drops: Drops,
}

impl Clone for Mailbox {
    fn clone(&self) -> Self {
        Self {
            channel: self.channel.clone(),
            drops: self.drops.clone(),
        }
    }
}

impl Mailbox {
    fn new(depth: usize) -> Self {
        let channel = KBox::pin_init(LockFree::new(depth), GFP_KERNEL).expect("there is memory");
        // Counters, which others use as well.
        channel.full();
        channel.empty();
        channel.wakes();
        Self {
            channel: Arc::new(channel),
            drops: Drops::default(),
        }
    }

    fn value(&self) -> Value {
        let value = self.drops.make();
        value.complete();
        value
    }

    fn send(&self, wait: Wait) -> Result {
        Ok(self.channel.send(self.value(), wait)?)
    }

    /// There is one receiver in each model.
    fn receive(&self, wait: Wait) -> Result<usize> {
        // SAFETY: As above.
        Ok(unsafe { self.channel.recv(wait) }?.check())
    }

    fn spawn<R: 'static>(&self, f: impl FnOnce(Self) -> R + 'static) -> JoinHandle<R> {
        let this = self.clone();
        thread::spawn(move || f(this))
    }

    /// All that were made have gone, once, when the mailbox has.
    fn finish(self) {
        let drops = self.drops.clone();
        drop(self);
        drops.assert_once();
    }
}

fn join<R>(thread: JoinHandle<R>) -> R {
    thread.join().expect("it has not failed")
}

const WAIT: Wait = Wait::Interruptible;

fn lap() {
    let mailbox = Mailbox::new(1);
    let sender = mailbox.spawn(|m| (0..3).for_each(|_| m.send(WAIT).expect("open")));
    for number in 0..3 {
        assert_eq!(mailbox.receive(WAIT), Ok(number));
    }
    join(sender);
    mailbox.finish();
}

fn senders() {
    let mailbox = Mailbox::new(1);
    let senders = [(); 2].map(|()| mailbox.spawn(|m| m.send(WAIT).expect("open")));
    let mut got = [mailbox.receive(WAIT), mailbox.receive(WAIT)].map(|got| got.expect("sent"));
    got.sort();
    assert_eq!(got, [0, 1]);
    senders.map(join);
    assert_eq!(mailbox.receive(Wait::No), Err(EAGAIN));
    mailbox.finish();
}

fn batch() {
    let mailbox = Mailbox::new(2);
    let sender = mailbox.spawn(|m| {
        let mut values = KVec::with_capacity(2, GFP_KERNEL).expect("memory");
        for _ in 0..2 {
            values.push(m.value(), GFP_KERNEL).expect("memory");
        }
        while !values.is_empty() {
            if m.channel.send_some(&mut values) == Err(EAGAIN) {
                thread::yield_now();
            }
        }
        m.send(WAIT).expect("open");
    });
    let mut got = Vec::new();
    while got.len() < 3 {
        let mut into = KVec::with_capacity(2, GFP_KERNEL).expect("memory");
        // SAFETY: There is one receiver.
        if unsafe { mailbox.channel.recv_some(&mut into) } == 0 {
            got.push(mailbox.receive(WAIT).expect("open"));
        }
        got.extend(into.iter().map(Value::check));
    }
    assert_eq!(got, [0, 1, 2]);
    join(sender);
    mailbox.finish();
}

fn close() {
    let mailbox = Mailbox::new(2);
    let sender = mailbox.spawn(|m| [m.send(WAIT), m.send(WAIT)]);
    let closer = mailbox.spawn(|m| m.channel.close());
    let mut got = 0;
    loop {
        match mailbox.receive(WAIT) {
            Ok(number) => {
                assert_eq!(number, got);
                got += 1;
            }
            Err(error) => {
                assert_eq!(error, EPIPE);
                break;
            }
        }
    }
    let sent = join(sender);
    assert_eq!(sent.iter().filter(|sent| sent.is_ok()).count(), got);
    join(closer);
    assert_eq!(mailbox.receive(WAIT), Err(EPIPE));
    mailbox.finish();
}

fn close_full() {
    let mailbox = Mailbox::new(1);
    mailbox.send(Wait::No).expect("there is room");
    let sender = mailbox.spawn(|m| m.send(WAIT));
    mailbox.channel.close();
    assert_eq!(join(sender), Err(EPIPE));
    assert_eq!(mailbox.receive(WAIT), Ok(0));
    assert_eq!(mailbox.receive(WAIT), Err(EPIPE));
    mailbox.finish();
}

fn receiver_signalled() {
    let mailbox = Mailbox::new(1);
    let sender = mailbox.spawn(|m| {
        m.send(WAIT).expect("open");
        m.send(WAIT).expect("open");
    });
    let receiver = thread::current().id();
    let signaller = thread::spawn(move || run::signal(receiver));
    let mut got = 0;
    while got < 2 {
        // Signalled once, a wait ends at once from then on.
        match mailbox.receive(WAIT) {
            Ok(number) => {
                assert_eq!(number, got);
                got += 1;
            }
            Err(error) => {
                assert_eq!(error, ERESTARTSYS);
                thread::yield_now();
            }
        }
    }
    join(sender);
    join(signaller);
    mailbox.finish();
}

fn sender_signalled() {
    let mailbox = Mailbox::new(1);
    mailbox.send(Wait::No).expect("there is room");
    let hasty = mailbox.spawn(|m| m.send(WAIT));
    run::signal(hasty.thread().id());
    assert_eq!(mailbox.receive(WAIT), Ok(0));
    match join(hasty) {
        Ok(()) => assert_eq!(mailbox.receive(WAIT), Ok(1)),
        Err(error) => assert_eq!(error, ERESTARTSYS),
    }
    // What is left of its wait is in nobody's way.
    mailbox.send(Wait::No).expect("there is room");
    let other = mailbox.spawn(|m| m.send(WAIT));
    mailbox.receive(WAIT).expect("open");
    mailbox.receive(WAIT).expect("open");
    join(other).expect("nobody has signalled it");
    mailbox.finish();
}

/// On a machine that does not keep loads in their order a sender saw a tail that was behind the
/// head, took the ring for full, and slept with nobody left to wake it.
fn tail_behind_head() {
    let mailbox = Mailbox::new(1);
    mailbox.send(Wait::No).expect("there is room");
    let busy = mailbox.spawn(|m| m.send(WAIT).expect("open"));
    let late = mailbox.spawn(|m| m.send(WAIT).expect("open"));
    for _ in 0..3 {
        mailbox.receive(WAIT).expect("open");
    }
    join(busy);
    join(late);
    mailbox.finish();
}

fn hearsay() {
    let mailbox = Mailbox::new(2);
    for _ in 0..2 {
        mailbox.send(Wait::No).expect("there is room");
    }
    let senders = [(); 2].map(|()| mailbox.spawn(|m| m.send(Wait::No)));
    assert_eq!(mailbox.receive(Wait::No), Ok(0));
    assert_eq!(mailbox.receive(Wait::No), Ok(1));
    let sent = senders.map(join);
    for _ in sent.iter().filter(|sent| sent.is_ok()) {
        mailbox.receive(Wait::No).expect("it was sent");
    }
    mailbox.finish();
}

fn left() {
    let mailbox = Mailbox::new(2);
    let sender = mailbox.spawn(|m| {
        let _ = m.send(Wait::No);
        let _ = m.send(Wait::No);
    });
    let _ = mailbox.receive(Wait::No);
    mailbox.channel.close();
    join(sender);
    mailbox.finish();
}
