// SPDX-License-Identifier: GPL-2.0

//! What is published under RCU: a list, and a pointer.

use super::{
    value::{Drops, Value},
    Model,
};
use crate::sync::{
    rcu::{self, Rcu},
    rcu_list::{self, RcuList},
    rcu_pointer,
};
use kernel::prelude::*;
use loom::{
    sync::Arc,
    thread::{self, JoinHandle},
};

pub const MODELS: &[Model] = &[
    Model {
        name: "list_publish",
        shows: "an element that is found is whole, wherever it was put in",
        preemptions: None,
        run: publish,
    },
    Model {
        name: "list_replace",
        shows: "a lookup finds either the one or the other, whole",
        preemptions: None,
        run: replace,
    },
    Model {
        name: "list_remove",
        shows: "an element that is found stays until the lookup is over, and is dropped once",
        preemptions: None,
        run: remove,
    },
    Model {
        name: "list_defer",
        shows: "the same, if its end is left to the reclaim queue",
        preemptions: None,
        run: defer,
    },
    Model {
        name: "pointer_replace",
        shows: "a value that is read is whole, stays until the reader is done, and is dropped once",
        preemptions: None,
        run: pointer_replace,
    },
    Model {
        name: "pointer_try_replace",
        shows: "of two writers that make the new value of the old one none is lost",
        preemptions: None,
        run: pointer_try_replace,
    },
];

type List = Arc<Pin<KBox<RcuList<Value>>>>;

fn list() -> List {
    let list = KBox::pin_init(crate::new_rcu_list!("model"), GFP_KERNEL);
    Arc::new(list.expect("there is memory"))
}

/// An element that is completed where it is, just before it is published.
fn node<H>(drops: &Drops) -> rcu::retired::Node<Value, H> {
    let node = rcu::retired::Node::new(drops.make(), GFP_KERNEL).expect("there is memory");
    node.complete();
    node
}

fn found(list: &List) -> Vec<usize> {
    let inside = rcu::read_lock();
    list.iter(&inside).map(Value::check).collect()
}

fn reader<R: 'static>(list: &List, read: impl FnOnce(&List) -> R + 'static) -> JoinHandle<R> {
    let list = list.clone();
    thread::spawn(move || read(&list))
}

fn join<R>(thread: JoinHandle<R>) -> R {
    thread.join().expect("it has not failed")
}

/// All is over: what waits for a grace period is dropped, and then the list.
fn finish<T>(shared: T, drops: &Drops) {
    rcu::flush();
    drop(shared);
    drops.assert_once();
}

fn publish() {
    let (list, drops) = (list(), Drops::default());
    let readers = [reader(&list, found), reader(&list, found)];
    let (front, back): (rcu_list::Node<_>, rcu_list::Node<_>) = (node(&drops), node(&drops));
    let mut writer = list.lock();
    writer.push_front(front);
    writer.push_back(back);
    drop(writer);
    for seen in readers.map(join) {
        assert!(
            [&[][..], &[0], &[0, 1]].contains(&seen.as_slice()),
            "{seen:?}"
        );
    }
    finish(list, &drops);
}

fn replace() {
    let (list, drops) = (list(), Drops::default());
    list.lock().push_front(node(&drops));
    let reader = reader(&list, found);
    let old = list.lock().replace(|_| true, node(&drops));
    old.ok().expect("there is one").synchronize();
    let seen = join(reader);
    assert!(seen == [0] || seen == [1], "{seen:?}");
    assert_eq!(drops.of(0), 1);
    finish(list, &drops);
}

fn remove() {
    let (list, drops) = (list(), Drops::default());
    list.lock().push_front(node(&drops));
    list.lock().push_back(node(&drops));
    let reader = reader(&list, found);
    let removed = list.lock().remove(|value| value.number() == 0);
    removed.expect("there is one").synchronize();
    let seen = join(reader);
    assert!(seen == [0, 1] || seen == [1], "{seen:?}");
    assert_eq!(found(&list), [1]);
    finish(list, &drops);
}

fn defer() {
    let (list, drops) = (list(), Drops::default());
    list.lock().push_front(node(&drops));
    let reader = reader(&list, found);
    if let Some(removed) = list.lock().remove(|_| true) {
        removed.defer();
    }
    rcu::flush();
    assert_eq!(drops.of(0), 1);
    let seen = join(reader);
    assert!(seen.is_empty() || seen == [0], "{seen:?}");
    finish(list, &drops);
}

fn pointer_replace() {
    let drops = Drops::default();
    let first: rcu_pointer::Node<_> = node(&drops);
    let pointer = Arc::new(Rcu::new(first));
    assert!(!pointer.is_empty());
    let reader = {
        let pointer = pointer.clone();
        thread::spawn(move || {
            let inside = rcu::read_lock();
            let seen = pointer.read(&inside).map(Value::check);
            assert!(seen == Some(0) || seen == Some(1), "{seen:?}");
        })
    };
    let old = pointer.replace(node(&drops)).expect("there is one");
    old.synchronize();
    assert_eq!(drops.of(0), 1);
    join(reader);
    finish(pointer, &drops);
}

fn pointer_try_replace() {
    let drops = Drops::default();
    let first: rcu_pointer::Node<_> = node(&drops);
    let pointer = Arc::new(Rcu::new(first));
    assert!(!pointer.is_empty());
    let write = |pointer: &Rcu<Value>, drops: &Drops| {
        let made = rcu::retired::Node::new(drops.make(), GFP_KERNEL);
        let mut new: rcu_pointer::Node<_> = made.expect("there is memory");
        loop {
            let inside = rcu::read_lock();
            let seen = pointer.read(&inside);
            seen.map(Value::check);
            // It is made of what was seen.
            new.complete();
            match pointer.try_replace(seen, new) {
                Ok(old) => break old.expect("there is one").defer(),
                Err(back) => new = back,
            }
        }
    };
    let other = {
        let (pointer, drops) = (pointer.clone(), drops.clone());
        thread::spawn(move || write(&pointer, &drops))
    };
    write(&pointer, &drops);
    join(other);
    finish(pointer, &drops);
}
