// SPDX-License-Identifier: GPL-2.0

//! The rival that the lock-free ring is tested and measured against: a queue under a spinlock, and
//! two semaphores that count what is in it and what has room.
//!
//! It promises the same, with two differences. C has no wait for a semaphore that has both a limit
//! and an ear for a request to stop, so its timed waits end by their limit only. And a batch is sent
//! one by one, so that what others send may come in between.

use super::{Channel, SendError, Wait};
use crate::{
    new_raw_spinlock_irq, new_semaphore,
    sync::{
        atomic::{Atomic, Relaxed},
        semaphore::Permit,
        RawSpinLockIrq, Semaphore,
    },
};
use kernel::prelude::*;

/// What is under the lock.
struct Inside<T> {
    slots: KVVec<Option<T>>,
    /// Where the next value is taken.
    head: usize,
    len: usize,
    closed: bool,
}

impl<T> Inside<T> {
    fn slot(&mut self, ahead: usize) -> Option<&mut Option<T>> {
        // The depth is a power of two.
        let mask = self.slots.len().wrapping_sub(1);
        self.slots.get_mut(self.head.wrapping_add(ahead) & mask)
    }

    fn put(&mut self, value: T) -> Result<(), T> {
        let len = self.len;
        match self.slot(len) {
            Some(slot) if slot.is_none() => {
                *slot = Some(value);
                self.len = len.wrapping_add(1);
                Ok(())
            }
            _ => Err(value),
        }
    }

    fn take(&mut self) -> Option<T> {
        let value = self.slot(0)?.take()?;
        self.head = self.head.wrapping_add(1);
        self.len = self.len.wrapping_sub(1);
        Some(value)
    }
}

/// The channel with a lock: see [`Mailbox`](super::Mailbox).
#[pin_data]
pub struct Guarded<T> {
    /// A raw lock, so that on `PREEMPT_RT` a hard interrupt may take it too.
    #[pin]
    inside: RawSpinLockIrq<Inside<T>>,
    /// A permit for each value inside, and one more once it is closed.
    #[pin]
    values: Semaphore,
    /// A permit for each free slot, and one more once it is closed.
    #[pin]
    room: Semaphore,
    depth: usize,
    len: Atomic<usize>,
    closed: Atomic<bool>,
    full: Atomic<u64>,
    empty: Atomic<u64>,
}

/// Gets a permit as the caller waits. The errors are those of the other channel.
fn permit(of: &Semaphore, wait: Wait) -> Result<Permit<'_>> {
    match wait {
        Wait::No => of.try_down().ok_or(EAGAIN),
        Wait::Interruptible => of.down_interruptible().map_err(|_| ERESTARTSYS),
        Wait::Limit(limit) => of.down_timeout(limit).map_err(|_| ETIMEDOUT),
    }
}

fn slots<T>(depth: usize) -> Result<KVVec<Option<T>>> {
    let mut slots = KVVec::with_capacity(depth, GFP_KERNEL)?;
    for _ in 0..depth {
        slots.push(None, GFP_KERNEL)?;
    }
    Ok(slots)
}

impl<T: Send> Guarded<T> {
    /// Takes a value out, with a permit for one.
    fn take(&self) -> Option<T> {
        let mut inside = self.inside.lock();
        let value = inside.take();
        self.len.store(inside.len, Relaxed);
        value
    }
}

/// What is broken on purpose, so that tests can see it noticed.
#[cfg(CONFIG_CHILDKERNEL_TORTURE)]
impl<T: Send> Guarded<T> {
    /// Leaves out the last slot, as who wraps at the depth less one does.
    pub(super) fn wrap_early(&self) {
        let mut inside = self.inside.lock();
        let last = inside.slots.len().wrapping_sub(1);
        if inside.head & last == last {
            inside.head = inside.head.wrapping_add(1);
        }
    }

    /// Puts a value in and says to nobody that it is there. Who waits for it does so with a limit,
    /// or for ever.
    pub(super) fn push_silently(&self, value: T) -> Option<bool> {
        self.inside.lock().put(value).ok().map(|()| false)
    }
}

impl<T: Send> Channel<T> for Guarded<T> {
    fn new(depth: usize) -> impl PinInit<Self, Error> {
        // The mailbox has checked that it is not too much.
        let permits = u32::try_from(depth).unwrap_or(0);
        try_pin_init!(Self {
            inside <- new_raw_spinlock_irq!(
                Inside { slots: slots(depth)?, head: 0, len: 0, closed: false },
                "childkernel_mailbox_guarded"
            ),
            values <- new_semaphore!(0, "childkernel_mailbox_values"),
            room <- new_semaphore!(permits, "childkernel_mailbox_slots"),
            depth,
            len: Atomic::new(0),
            closed: Atomic::new(false),
            full: Atomic::new(0),
            empty: Atomic::new(0),
        })
    }

    fn send(&self, value: T, wait: Wait) -> Result<(), SendError<T>> {
        let permit = match (self.room.try_down(), wait) {
            (Some(permit), _) => permit,
            (None, _) if self.is_closed() => return Err(SendError::new(value, EPIPE)),
            (None, wait) => {
                self.full.fetch_add(1, Relaxed);
                match permit(&self.room, wait) {
                    Ok(permit) => permit,
                    Err(error) => return Err(SendError::new(value, error)),
                }
            }
        };
        let mut inside = self.inside.lock();
        if inside.closed {
            // Dropping the permit wakes the next one that waits.
            drop(inside);
            return Err(SendError::new(value, EPIPE));
        }
        if let Err(value) = inside.put(value) {
            drop(inside);
            return Err(SendError::new(value, EAGAIN));
        }
        self.len.store(inside.len, Relaxed);
        drop(inside);
        permit.keep();
        self.values.up();
        Ok(())
    }

    unsafe fn recv(&self, wait: Wait) -> Result<T> {
        let permit = match self.values.try_down() {
            Some(permit) => permit,
            None => {
                self.empty.fetch_add(1, Relaxed);
                permit(&self.values, wait)?
            }
        };
        // Without a value it is the permit of closing, which stays.
        let value = self.take().ok_or(EPIPE)?;
        permit.keep();
        self.room.up();
        Ok(value)
    }

    fn send_some(&self, values: &mut KVec<T>) -> Result<usize> {
        let mut sent: usize = 0;
        while let Ok(value) = values.remove(0) {
            if let Err(back) = self.send(value, Wait::No) {
                let error = back.error();
                // There is room, where it was taken from.
                let _ = values.insert_within_capacity(0, back.into_value());
                if sent == 0 {
                    return Err(error);
                }
                break;
            }
            sent = sent.wrapping_add(1);
        }
        Ok(sent)
    }

    unsafe fn recv_some(&self, into: &mut KVec<T>) -> usize {
        let mut taken: usize = 0;
        while into.len() < into.capacity() {
            let Some(permit) = self.values.try_down() else {
                break;
            };
            let Some(value) = self.take() else {
                break;
            };
            permit.keep();
            self.room.up();
            // There is room: that was the condition.
            let _ = into.push_within_capacity(value);
            taken = taken.wrapping_add(1);
        }
        taken
    }

    fn close(&self) {
        let mut inside = self.inside.lock();
        let was_closed = core::mem::replace(&mut inside.closed, true);
        self.closed.store(true, Relaxed);
        drop(inside);
        if !was_closed {
            self.values.up();
            self.room.up();
        }
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Relaxed)
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    fn full(&self) -> u64 {
        self.full.load(Relaxed)
    }

    fn empty(&self) -> u64 {
        self.empty.load(Relaxed)
    }

    fn wakes(&self) -> Option<u64> {
        None
    }
}
