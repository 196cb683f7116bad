// SPDX-License-Identifier: GPL-2.0

//! Messages that one thread sends and receives itself: what a mailbox costs where nobody else uses
//! it.
#![deny(unsafe_code)]

use super::{
    ffi::mail::{self, Alone},
    messages::DEPTH,
    pair::{Irqs, Pair, Rival, Side},
};
use crate::{
    child::mailbox::{Channel, Guarded, LockFree, Mailbox, Receiver, Sender},
    sync::{new_spinlock, SpinLock},
};
use kernel::{prelude::*, sync::Arc};

/// So many in one go: as many as in C.
const BATCH: u64 = 16;

/// The ends of a mailbox. The lock is taken once a round.
#[pin_data]
struct Ends<C: Channel<u64> + 'static, F> {
    sender: Sender<u64, C>,
    #[pin]
    receiver: SpinLock<(Receiver<u64, C>, KVec<u64>)>,
    op: F,
}

impl<C, F> Side for Ends<C, F>
where
    C: Channel<u64> + 'static,
    F: Fn(&Sender<u64, C>, &mut Receiver<u64, C>, &mut KVec<u64>, u64) -> u64,
{
    #[inline(never)]
    fn run(&self, n: u64) -> u64 {
        let mut ends = self.receiver.lock();
        let (receiver, values) = &mut *ends;
        let mut sum = 0u64;
        let mut left = n;
        loop {
            sum = sum.wrapping_add((self.op)(&self.sender, receiver, values, left));
            left = left.wrapping_sub(1);
            if left == 0 {
                return sum;
            }
        }
    }
}

fn ends<C: Channel<u64> + 'static, F>(op: F) -> Result<Arc<dyn Side>>
where
    F: Fn(&Sender<u64, C>, &mut Receiver<u64, C>, &mut KVec<u64>, u64) -> u64 + 'static,
{
    let (sender, receiver) = Mailbox::<u64, C>::open(DEPTH)?;
    let values = KVec::with_capacity(BATCH as usize, GFP_KERNEL)?;
    let ends: Arc<Ends<C, F>> = Arc::pin_init(
        pin_init!(Ends {
            sender,
            receiver <- new_spinlock!((receiver, values), "childkernel_bench_ends"),
            op,
        }),
        GFP_KERNEL,
    )?;
    Ok(ends)
}

fn one<C: Channel<u64> + 'static>() -> Result<Arc<dyn Side>> {
    ends::<C, _>(|sender, receiver, _, n| {
        let _ = sender.try_send(n);
        receiver.try_recv().unwrap_or(0)
    })
}

fn batch<C: Channel<u64> + 'static>() -> Result<Arc<dyn Side>> {
    ends::<C, _>(|sender, receiver, values, n| {
        for i in 0..BATCH {
            let _ = values.push_within_capacity(n.wrapping_add(i));
        }
        let _ = sender.try_send_batch(values);
        let _ = receiver.try_recv_batch(values);
        let sum = values.iter().fold(0, |sum: u64, n| sum.wrapping_add(*n));
        values.clear();
        sum
    })
}

impl Side for Alone {
    fn run(&self, n: u64) -> u64 {
        Alone::run(self, n)
    }
}

fn in_c(side: Result<Alone>) -> Result<Arc<dyn Side>> {
    let side: Arc<Alone> = Arc::new(side?, GFP_KERNEL)?;
    Ok(side)
}

const ONE: &str = "send, receive";
const MANY: &str = "send 16, receive 16";

macro_rules! pairs {
    ($($name:literal, $what:ident, $ours:path, $rival:literal, $other:expr;)*) => {
        &[$(Pair {
            name: $name,
            what: $what,
            irqs: Irqs::Off,
            rust: || $ours(),
            rival: Rival::Rust($rival, || $other),
        }),*]
    };
}

/// Against one rival each.
pub(super) static PAIRS: &[Pair] = pairs! {
    "mailbox", ONE, one::<LockFree<u64>>, "ptr_ring", in_c(mail::ptr_ring());
    "mailbox", ONE, one::<LockFree<u64>>, "ptr_ring_single", in_c(mail::ptr_ring_single());
    "mailbox", ONE, one::<LockFree<u64>>, "kfifo", in_c(mail::kfifo());
    "mailbox", ONE, one::<LockFree<u64>>, "kfifo_put", in_c(mail::kfifo_put());
    "mailbox", ONE, one::<LockFree<u64>>, "llist", in_c(mail::llist());
    "mailbox", ONE, one::<LockFree<u64>>, "queue", one::<Guarded<u64>>();
    "mailbox_batch", MANY, batch::<LockFree<u64>>, "ptr_ring", in_c(mail::ptr_ring_batch());
    "mailbox_batch", MANY, batch::<LockFree<u64>>, "kfifo", in_c(mail::kfifo_batch());
    "mailbox_batch", MANY, batch::<LockFree<u64>>, "llist", in_c(mail::llist_batch());
    "mailbox_batch", MANY, batch::<LockFree<u64>>, "queue", batch::<Guarded<u64>>();
};
