// SPDX-License-Identifier: GPL-2.0

//! Mailboxes as one would make them in C.
//!
//! C header: `src/bench/bench.h`

use crate::{
    ffi as raw,
    sync::atomic::{Bit, BitArray},
};
use core::ptr::NonNull;
use kernel::prelude::*;

/// All of them, for one receiver and so many senders, each of them one thread.
///
/// # Invariants
///
/// `ptr` is what `childkernel_bench_mail_alloc(senders)` has returned.
pub(in crate::bench) struct Mail {
    ptr: NonNull<raw::childkernel_bench_mail>,
    senders: u32,
    /// Who is at it: a bit for each sender, and one for the receiver.
    busy: BitArray<1>,
}

// SAFETY: It belongs to no thread.
unsafe impl Send for Mail {}
// SAFETY: Each sender is one thread and so is the receiver: see `Role`.
unsafe impl Sync for Mail {}

/// The most in a batch.
pub(in crate::bench) const BATCH_MAX: u32 = 64;
/// The most senders.
pub(in crate::bench) const SENDERS_MAX: u32 = 4;
const RECEIVER: usize = SENDERS_MAX as usize;

/// The right to be this sender, or the receiver, which one thread has at a time.
struct Role<'a>(&'a Mail, Bit<1>);

impl Drop for Role<'_> {
    fn drop(&mut self) {
        self.0.busy.clear_unlock(self.1);
    }
}

impl Mail {
    pub(in crate::bench) fn new(senders: u32) -> Result<Self> {
        // SAFETY: No preconditions; it sleeps, as its callers may.
        let ptr = unsafe { raw::childkernel_bench_mail_alloc(senders) };
        Ok(Self {
            // INVARIANT: Just allocated.
            ptr: NonNull::new(ptr).ok_or(ENOMEM)?,
            senders,
            busy: BitArray::new(),
        })
    }

    fn role(&self, number: usize) -> Result<Role<'_>> {
        let bit = Bit::new(number).ok_or(EINVAL)?;
        if self.busy.test_and_set_lock(bit) {
            return Err(EBUSY);
        }
        Ok(Role(self, bit))
    }

    /// Sends 1 to `n` in batches that divide it, as sender number `sender`.
    pub(in crate::bench) fn send(&self, rival: &Rival, sender: u32, n: u64, batch: u32) -> Result {
        let (n, batch) = whole(n, batch)?;
        if sender >= self.senders {
            return Err(EINVAL);
        }
        let _role = self.role(sender as usize)?;
        // SAFETY: By the type invariants; nobody else is this sender, and there is such a one.
        unsafe { (rival.send)(self.ptr.as_ptr(), sender, n, batch) };
        Ok(())
    }

    /// Receives `n` messages, up to `batch` at a time, and returns their sum.
    pub(in crate::bench) fn recv(&self, rival: &Rival, n: u64, batch: u32) -> Result<u64> {
        let (n, batch) = whole(n, batch)?;
        let _role = self.role(RECEIVER)?;
        // SAFETY: By the type invariants; nobody else receives.
        Ok(unsafe { (rival.recv)(self.ptr.as_ptr(), n, batch) })
    }
}

impl Drop for Mail {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; nobody uses it any more.
        unsafe { raw::childkernel_bench_mail_free(self.ptr.as_ptr()) };
    }
}

/// A number of messages in batches that divide it, and are neither 0 nor too many.
fn whole(n: u64, batch: u32) -> Result<(u64, u32)> {
    if !(1..=BATCH_MAX).contains(&batch) || n % u64::from(batch) != 0 {
        return Err(EINVAL);
    }
    Ok((n, batch))
}

/// A mailbox in C.
///
/// # Invariants
///
/// The functions are those of one mailbox, as `bench.h` has them.
pub(in crate::bench) struct Rival {
    pub(in crate::bench) name: &'static str,
    send: unsafe extern "C" fn(*mut raw::childkernel_bench_mail, u32, u64, u32),
    recv: unsafe extern "C" fn(*mut raw::childkernel_bench_mail, u64, u32) -> u64,
}

// INVARIANT: Function by function of one mailbox.
pub(in crate::bench) static RIVALS: [Rival; 3] = [
    Rival {
        name: "ptr_ring",
        send: raw::childkernel_bench_ptr_ring_send,
        recv: raw::childkernel_bench_ptr_ring_recv,
    },
    Rival {
        name: "kfifo",
        send: raw::childkernel_bench_kfifo_send,
        recv: raw::childkernel_bench_kfifo_recv,
    },
    Rival {
        name: "llist",
        send: raw::childkernel_bench_llist_send,
        recv: raw::childkernel_bench_llist_recv,
    },
];

type AloneFn = unsafe extern "C" fn(*mut raw::childkernel_bench_mail, u64) -> u64;

/// What one thread does with a mailbox in C, again and again.
///
/// # Invariants
///
/// The function may be called with any mail that is empty, and leaves it empty. That of `mail` is,
/// when it is not busy.
pub(in crate::bench) struct Alone {
    mail: Mail,
    function: AloneFn,
}

impl Alone {
    fn new(function: AloneFn) -> Result<Self> {
        // INVARIANT: It is new. The functions are those below, of which `bench.h` says that.
        Ok(Self {
            mail: Mail::new(1)?,
            function,
        })
    }

    /// Does it `n` times, once at least; nothing if somebody else is just doing it.
    pub(in crate::bench) fn run(&self, n: u64) -> u64 {
        let Ok(_role) = self.mail.role(RECEIVER) else {
            return 0;
        };
        // SAFETY: By the type invariants; nobody else has this mail.
        unsafe { (self.function)(self.mail.ptr.as_ptr(), n.max(1)) }
    }
}

macro_rules! alone {
    ($($name:ident = $function:ident;)*) => {
        $(
            pub(in crate::bench) fn $name() -> Result<Alone> {
                Alone::new(raw::$function)
            }
        )*
    };
}

alone! {
    ptr_ring = childkernel_bench_ptr_ring_alone;
    ptr_ring_single = childkernel_bench_ptr_ring_single_alone;
    kfifo = childkernel_bench_kfifo_alone;
    kfifo_put = childkernel_bench_kfifo_put_alone;
    llist = childkernel_bench_llist_alone;
    ptr_ring_batch = childkernel_bench_ptr_ring_batch_alone;
    kfifo_batch = childkernel_bench_kfifo_batch_alone;
    llist_batch = childkernel_bench_llist_batch_alone;
}

/// One of two threads that hand a cache line to and fro: there and back `n` times. Side 0 begins.
pub(in crate::bench) fn ping_pong(mail: &Mail, side: u32, n: u64) {
    // SAFETY: By the type invariant; it uses one word of it, and nothing else does.
    unsafe { raw::childkernel_bench_ping_pong(mail.ptr.as_ptr(), side & 1, n) };
}

/// The same with completions.
pub(in crate::bench) fn completions(mail: &Mail, side: u32, n: u64) {
    // SAFETY: By the type invariant; it uses two completions of it, and nothing else does.
    unsafe { raw::childkernel_bench_completions(mail.ptr.as_ptr(), side & 1, n) };
}

/// Waits a moment, as all do that find no room or no message; counts how often that was.
pub(in crate::bench) fn wait(tries: u64) -> u64 {
    // SAFETY: In process context, holding nothing that forbids to sleep, as all callers are.
    unsafe { raw::childkernel_bench_wait(tries) }
}
