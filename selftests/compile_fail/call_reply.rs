// SPDX-License-Identifier: GPL-2.0

//! A call is answered once, and by a value that may go to another thread and stay there.

use childkernel::child::{
    call::{Call, Reply},
    mailbox::{Mailbox, Sender},
};
use kernel::{prelude::*, types::NotThreadSafe};

pub fn send<T: Send>(_: T) {}

#[cfg(right)]
pub fn once(call: Call<u64, KBox<u64>>, other: Call<u64, KBox<u64>>, value: KBox<u64>) {
    send(other);
    let (_request, reply) = call.into_parts();
    if let Err(back) = reply.send(value) {
        send(back);
    }
}

#[cfg(not(right))]
pub fn twice(call: Call<u64, u64>) {
    let _ = call.reply(1);
    let _ = call.reply(2); //~ E0382
}

#[cfg(not(right))]
pub fn by_parts(reply: Reply<u64>) {
    let _ = reply.send(1);
    let _ = reply.send(2); //~ E0382
}

#[cfg(not(right))]
pub fn by_both(call: Call<u64, u64>) {
    let (_request, reply) = call.into_parts();
    let _ = reply.send(1);
    let _ = call.reply(2); //~ E0382
}

#[cfg(not(right))]
pub fn cloned(call: &Call<u64, u64>, reply: &Reply<u64>) {
    send::<Call<u64, u64>>(call.clone()); //~ E0308
    send::<Reply<u64>>(reply.clone()); //~ E0308
}

/// It stays in the mailbox: what is read of it is only lent.
#[cfg(not(right))]
pub fn request(call: &Call<KBox<u64>, u64>) -> KBox<u64> {
    *call.request() //~ E0507
}

#[cfg(not(right))]
pub fn bound(_: Sender<Call<u64, NotThreadSafe>>) {} //~ E0277
#[cfg(not(right))]
pub fn raw(_: Sender<Call<*mut u64, u64>>) {} //~ E0277

#[cfg(not(right))]
pub fn borrowed() -> Result<&'static u64> {
    let here = 1u64;
    let (sender, _receiver) = Mailbox::<Call<&'static u64, &'static u64>>::open(1)?;
    sender.call(&here) //~ E0597
}
