// SPDX-License-Identifier: GPL-2.0

//! RCU and SRCU: nobody sees what is not built yet or was freed, and all that was taken out is
//! freed once.
#![deny(unsafe_code)]

use super::{
    actor::Actor,
    pool::{Lease, Pool},
    Contexts::Hardirq,
    Entry,
    Mistake::{self, NoGrace, Outside, Unbuilt},
    Setup, Subject,
};
use crate::{
    new_rcu_list,
    sync::{
        atomic::{Atomic, Full, Relaxed},
        new_mutex, new_srcu,
        rcu::{self, retired::Retired},
        rcu_list, rcu_pointer, Mutex, Rcu, RcuList, Srcu,
    },
};
use kernel::{prelude::*, sync::Arc};

/// A writer waits for a grace period itself once in so many ends, so that no more wait for theirs.
const SYNCHRONIZE_EVERY: u64 = 32;
/// How many elements a list has.
const KEEP: usize = 8;

/// What publishes records.
trait Shelf: Send + Sync + 'static {
    /// Whether readers may sleep.
    const SLEEPS: bool;

    /// Calls `f` with records that are published, in a read-side section.
    fn look(&self, f: impl FnMut(usize));
    /// Publishes a record, and takes another one out if there are enough. `retire` is called with
    /// that before its end. Says whether there was memory.
    fn publish(&self, lease: Lease, wait: bool, retire: impl FnOnce(&Lease)) -> bool;
    /// Takes all out.
    fn clear(&self);
}

/// What was taken out ends after a grace period.
fn end<H>(old: Retired<Lease, H>, wait: bool, retire: impl FnOnce(&Lease)) {
    retire(&old);
    if wait {
        old.synchronize();
    } else {
        old.defer();
    }
}

impl Shelf for Rcu<Lease> {
    const SLEEPS: bool = false;

    fn look(&self, mut f: impl FnMut(usize)) {
        let inside = rcu::read_lock();
        if let Some(lease) = self.read(&inside) {
            f(lease.at);
        }
    }

    fn publish(&self, lease: Lease, wait: bool, retire: impl FnOnce(&Lease)) -> bool {
        let Ok(node) = rcu_pointer::Node::new(lease, GFP_KERNEL) else {
            return false;
        };
        if let Some(old) = self.replace(node) {
            end(old, wait, retire);
        }
        true
    }

    fn clear(&self) {
        if let Some(old) = self.take() {
            old.defer();
        }
        rcu::flush();
    }
}

impl Shelf for RcuList<Lease> {
    const SLEEPS: bool = false;

    fn look(&self, f: impl FnMut(usize)) {
        let inside = rcu::read_lock();
        self.iter(&inside).map(|lease| lease.at).for_each(f);
    }

    fn publish(&self, lease: Lease, wait: bool, retire: impl FnOnce(&Lease)) -> bool {
        let Ok(node) = rcu_list::Node::new(lease, GFP_KERNEL) else {
            return false;
        };
        let mut writer = self.lock();
        writer.push_front(node);
        let old = match writer.iter().count() > KEEP {
            true => {
                let mut cursor = writer.cursor();
                cursor.move_prev();
                cursor.remove()
            }
            false => None,
        };
        drop(writer);
        if let Some(old) = old {
            end(old, wait, retire);
        }
        true
    }

    fn clear(&self) {
        loop {
            let removed = self.lock().remove(|_| true);
            let Some(removed) = removed else { break };
            removed.defer();
        }
        rcu::flush();
    }
}

/// A record that is published under SRCU: which one is said by a pointer, and its owner is kept
/// beside.
#[pin_data]
struct Sleepable {
    #[pin]
    domain: Srcu,
    #[pin]
    owner: Mutex<Option<Arc<Lease>>>,
    /// The record, plus one.
    current: Atomic<usize>,
}

impl Shelf for Sleepable {
    const SLEEPS: bool = true;

    fn look(&self, mut f: impl FnMut(usize)) {
        let inside = self.domain.read_lock();
        if let Some(at) = self.current.load(Relaxed).checked_sub(1) {
            f(at);
        }
        drop(inside);
    }

    fn publish(&self, lease: Lease, _: bool, retire: impl FnOnce(&Lease)) -> bool {
        let Ok(lease) = Arc::new(lease, GFP_KERNEL) else {
            return false;
        };
        let mut owner = self.owner.lock();
        self.current.xchg(lease.at.wrapping_add(1), Full);
        let old = owner.replace(lease);
        drop(owner);
        if let Some(old) = old {
            retire(&old);
            self.domain.synchronize();
        }
        true
    }

    fn clear(&self) {
        self.current.xchg(0, Full);
        let old = self.owner.lock().take();
        self.domain.synchronize();
        drop(old);
    }
}

#[pin_data]
struct Published<S: Shelf> {
    #[pin]
    shelf: S,
    pool: Arc<Pool>,
}

impl<S: Shelf> Published<S> {
    fn make<E>(shelf: impl PinInit<S, E>) -> Result<Arc<dyn Subject>>
    where
        Error: From<E>,
    {
        let pool = Pool::new()?;
        let subject = Arc::<Self>::pin_init::<Error>(
            try_pin_init!(Self {
                shelf <- shelf,
                pool,
            }? Error),
            GFP_KERNEL,
        )?;
        Ok(subject)
    }

    fn read(&self, actor: &mut Actor<'_>) {
        if actor.may_sleep() && actor.errs(Outside) {
            let mut last = None;
            self.shelf.look(|at| last = Some(at));
            actor.linger();
            if let Some(at) = last {
                self.pool.check(at, actor, true);
            }
            return;
        }
        self.shelf.look(|at| self.pool.check(at, actor, S::SLEEPS));
    }

    fn write(&self, actor: &mut Actor<'_>) {
        let Some(lease) = self.pool.take(actor) else {
            rcu::flush();
            return;
        };
        let (at, late) = (lease.at, actor.errs(Unbuilt));
        if !late {
            lease.build();
        }
        let early = actor.errs(NoGrace);
        let wait = actor.random.one_in(SYNCHRONIZE_EVERY);
        actor.wait(|_| {
            self.shelf.publish(lease, wait, |old| {
                if early {
                    old.give();
                }
            })
        });
        if late {
            actor.rest(true);
            self.pool.build(at);
        }
    }
}

impl<S: Shelf> Subject for Published<S> {
    fn act(&self, actor: &mut Actor<'_>) {
        if !actor.may_sleep() || actor.reads() {
            self.read(actor);
        } else {
            self.write(actor);
        }
    }

    fn settle(&self, actor: &mut Actor<'_>) {
        self.shelf.clear();
        self.pool.settle(actor);
    }
}

const TWINS: &[Mistake] = &[NoGrace, Unbuilt, Outside];

macro_rules! entries {
    ($($name:ident, $shelf:ty: $init:expr;)*) => {
        /// All of them.
        pub(super) static ENTRIES: &[Entry] = &[$(
            Entry {
                name: stringify!($name),
                contexts: Hardirq,
                spins: true,
                twins: TWINS,
                make: |_: &Setup| Published::<$shelf>::make($init),
            },
        )*];
    };
}

entries! {
    rcu_pointer, Rcu<Lease>: Ok::<_, Error>(Rcu::empty());
    rcu_list, RcuList<Lease>: new_rcu_list!("torture_rcu_list");
    srcu, Sleepable: try_pin_init!(Sleepable {
        domain <- new_srcu!("torture_srcu"),
        owner <- new_mutex!(None, "torture_srcu_owner"),
        current: Atomic::new(0),
    }? Error);
}
