// SPDX-License-Identifier: GPL-2.0

//! A message goes to another thread, and may be there for longer than its sender.

use childkernel::child::mailbox::{Guarded, Mailbox, Receiver, Sender};
use kernel::{prelude::*, types::NotThreadSafe};

#[cfg(right)]
pub fn owned(sender: Sender<KBox<u64>>, receiver: Receiver<&'static str, Guarded<&'static str>>) {
    drop((sender, receiver));
    drop(Mailbox::<u64>::open(1));
}

#[cfg(not(right))]
pub fn raw(_: Sender<*mut u64>) {} //~ E0277
#[cfg(not(right))]
pub fn bound(_: Receiver<NotThreadSafe>) {} //~ E0277
#[cfg(not(right))]
pub fn guarded(_: Sender<*mut u64, Guarded<*mut u64>>) {} //~ E0277

#[cfg(not(right))]
pub fn borrowed() -> Result {
    let here = 1u64;
    let (sender, _receiver) = Mailbox::<&'static u64>::open(1)?;
    Ok(sender.try_send(&here)?) //~ E0597
}
