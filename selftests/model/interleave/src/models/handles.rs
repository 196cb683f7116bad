// SPDX-License-Identifier: GPL-2.0

//! Generations and states of a child, as those see them who hold a handle or look at its record.

use super::{
    identity::{Generations, Identity},
    mailbox::{Channel, LockFree, Wait},
    pulse::Pulse,
    state::{State, StateCell},
};
use crate::{
    models::{
        value::{Drops, Value},
        Model,
    },
    sync::atomic::{Atomic, Relaxed},
};
use kernel::{prelude::*, sync::Completion};
use loom::{
    sync::{Arc, Mutex},
    thread,
};

pub const MODELS: &[Model] = &[
    Model {
        name: "handle_stale",
        shows: "what is sent to a generation reaches that one or nobody, and ESTALE says that another follows",
        preemptions: None,
        run: stale,
    },
    Model {
        name: "handle_counted",
        shows: "who sees a restart counted finds that generation",
        preemptions: None,
        run: counted,
    },
    Model {
        name: "state_one_way",
        shows: "of two transitions at once each begins where the child is",
        preemptions: None,
        run: one_way,
    },
    Model {
        name: "state_says_how_it_ended",
        shows: "who sees that it has ended sees how, and that this is counted",
        preemptions: None,
        run: says_how_it_ended,
    },
    Model {
        name: "pulse_awake",
        shows: "who sees a thread awake sees its sign of life",
        preemptions: None,
        run: awake,
    },
];

type Mail = Arc<Pin<KBox<LockFree<Value>>>>;

fn mailbox() -> Mail {
    let channel = KBox::pin_init(LockFree::new(1), GFP_KERNEL).expect("there is memory");
    channel.full();
    channel.empty();
    channel.wakes();
    Arc::new(channel)
}

/// A child, as far as a handle knows it.
struct Child {
    generations: Generations,
    post: Mutex<(u32, Mail)>,
}

const ID: u64 = 7;

impl Child {
    fn new() -> Arc<Self> {
        let this = Self {
            generations: Generations::new(),
            post: Mutex::new((0, mailbox())),
        };
        this.begin(1, 0, mailbox());
        this.generations.restarts();
        Arc::new(this)
    }

    fn begin(&self, number: u32, restarts: u64, mail: Mail) {
        self.generations.begin(number, restarts, || {
            *self.post.lock().expect("not poisoned") = (number, mail);
        });
    }

    fn port(&self) -> (Identity, Mail) {
        let post = self.post.lock().expect("not poisoned");
        (Identity::new(ID, post.0), post.1.clone())
    }

    fn identity(&self) -> Identity {
        Identity::new(ID, self.generations.number())
    }
}

fn stale() {
    let drops = Drops::default();
    let child = Child::new();
    let client = {
        let (child, drops) = (child.clone(), drops.clone());
        thread::spawn(move || {
            let (identity, mail) = child.port();
            let value = drops.make();
            value.complete();
            let error = match mail.send(value, Wait::No) {
                Ok(()) => return Some(identity),
                Err(unsent) => identity.explain(unsent.error(), || child.identity()),
            };
            match error {
                ESTALE => assert_ne!(child.identity(), identity),
                error => assert_eq!(error, EPIPE),
            }
            None
        })
    };
    // The first generation ends, and the next begins.
    let (first, old) = child.port();
    old.close();
    let new = mailbox();
    child.begin(2, 1, new.clone());
    let second = child.identity();
    let sent = client.join().expect("it has not failed");
    for (identity, mail) in [(first, old), (second, new)] {
        // SAFETY: There is one receiver.
        let got = unsafe { mail.recv(Wait::No) };
        assert_eq!(got.is_ok(), sent == Some(identity));
    }
    drops.assert_once();
}

fn counted() {
    let child = Child::new();
    let observer = {
        let child = child.clone();
        thread::spawn(move || {
            if child.generations.restarts() == 1 {
                assert_eq!(child.generations.number(), 2);
                assert_eq!(child.port().0.generation(), 2);
            }
        })
    };
    child.begin(2, 1, mailbox());
    observer.join().expect("it has not failed");
}

fn one_way() {
    let state = Arc::new(StateCell::new());
    assert!(state.advance(State::Running).is_some());
    let others = [
        [State::Stopping, State::Stopped],
        [State::Crashed, State::Backoff],
    ]
    .map(|to| {
        let state = state.clone();
        thread::spawn(move || to.map(|to| state.advance(to).map(|from| (from, to))))
    });
    let made: Vec<_> = others
        .into_iter()
        .flat_map(|other| other.join().expect("it has not failed"))
        .flatten()
        .collect();
    // They are one chain: each begins where another has ended, and none begins where one has begun.
    let mut at = State::Running;
    for _ in 0..made.len() {
        let next: Vec<_> = made.iter().filter(|(from, _)| *from == at).collect();
        assert_eq!(next.len(), 1, "of {at:?}: {made:?}");
        at = next[0].1;
    }
    assert_eq!(state.get(), at);
    assert_eq!(state.transitions(), 1 + made.len() as u64);
}

fn says_how_it_ended() {
    let child = Arc::new((StateCell::new(), Atomic::new(0u64)));
    child.1.load(Relaxed);
    assert!(child.0.advance(State::Running).is_some());
    let observer = {
        let child = child.clone();
        thread::spawn(move || {
            if child.0.get() == State::Stopped {
                assert_eq!(child.1.load(Relaxed), 1);
                assert_eq!(child.0.transitions(), 2);
            }
        })
    };
    child.1.store(1, Relaxed);
    assert!(child.0.advance(State::Stopped).is_some());
    observer.join().expect("it has not failed");
}

fn awake() {
    let pulse = Arc::new((Pulse::new(), Completion::default()));
    pulse.0.begin(0);
    pulse.0.silence(0);
    let sleeper = {
        let pulse = pulse.clone();
        thread::spawn(move || pulse.0.idle(|| pulse.1.complete()))
    };
    // From here on it is idle, or has given a sign of life since.
    pulse.1.wait();
    assert_eq!(pulse.0.silence(1), 0);
    sleeper.join().expect("it has not failed");
}
