// SPDX-License-Identifier: GPL-2.0

//! A mailbox has one receiver, and one thread at a time that uses it.

use childkernel::child::mailbox::{Guarded, Mailbox, Receiver, Sender};
use kernel::prelude::*;

pub fn send<T: Send>(_: T) {}
pub fn run(_: impl Fn() -> Result + Send + Sync + 'static) {}

#[cfg(right)]
pub fn all(sender: Sender<u64>, mut receiver: Receiver<u64>) -> Result<u64> {
    let other = sender.clone();
    run(move || Ok(other.send(1)?));
    send(sender);
    let value = receiver.recv();
    send(receiver);
    value
}

#[cfg(not(right))]
pub fn cloned(receiver: Receiver<u64>, guarded: Receiver<u64, Guarded<u64>>) {
    send(receiver.clone()); //~ E0599
    send(guarded.clone()); //~ E0599
}

#[cfg(not(right))]
pub fn shared(receiver: &Receiver<u64>) -> Result<u64> {
    receiver.recv() //~ E0596
}

/// What several threads run has no more than a shared reference.
#[cfg(not(right))]
pub fn by_threads(mut receiver: Receiver<u64>) {
    run(move || receiver.recv().map(drop)); //~ E0596
}

#[cfg(not(right))]
pub fn two(receiver: &mut Receiver<u64>) {
    let (a, b) = (&mut *receiver, &mut *receiver); //~ E0499
    let _ = (a.recv(), b.recv());
}

/// The mailbox itself is seen from both sides, and receives nothing.
#[cfg(not(right))]
pub fn through(sender: &Sender<u64>) {
    let mailbox: &Mailbox<u64> = sender;
    let _ = mailbox.recv(); //~ E0599
}
