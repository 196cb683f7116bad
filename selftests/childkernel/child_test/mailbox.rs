// SPDX-License-Identifier: GPL-2.0

//! Mailboxes: each case with the lock-free ring and with its rival.

use super::{a_while, eventually, spawn, Case};
use childkernel::{
    child::{
        mailbox::{Channel, Receiver, Sender},
        Handle,
    },
    sync::{
        atomic::{Acquire, Atomic, Full},
        new_mutex, Mutex,
    },
};
use kernel::{prelude::*, sync::Arc};

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

mod batch;
mod closing;
mod ring;
mod waits;

pub(super) const BATCH: &[Case] = batch::CASES;
pub(super) const CLOSING: &[Case] = closing::CASES;
pub(super) const RING: &[Case] = ring::CASES;
pub(super) const WAITS: &[Case] = waits::CASES;

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
