// SPDX-License-Identifier: GPL-2.0

//! The mailbox's own channel: the ring, in the kernel's memory, and completions to sleep at.

use super::{
    memory::{Memory, Slot},
    native::Kernel,
    ring::{Doze, PopError, PushError, Ring},
    sleepers::Sleepers,
    wait_for, Channel, SendError, Wait,
};
use crate::{
    new_completion,
    sync::{
        atomic::{Atomic, Relaxed},
        Completion,
    },
};
use core::ptr::NonNull;
use kernel::prelude::*;

/// The lock-free channel: see [`Mailbox`](super::Mailbox).
#[pin_data]
pub struct LockFree<T> {
    ring: Ring<T, Kernel>,
    /// Only the receiver writes it.
    empty: Atomic<u64>,
    /// The receiver sleeps here.
    #[pin]
    arrived: Completion,
    wakes: Atomic<u64>,
    /// Senders that sleep.
    senders: Sleepers<Kernel>,
    #[pin]
    room: Completion,
    full: Atomic<u64>,
}

/// Lock classes of their own, and not one for each type of message.
fn arrived() -> impl PinInit<Completion> {
    new_completion!("childkernel_mailbox_arrived")
}

fn room() -> impl PinInit<Completion> {
    new_completion!("childkernel_mailbox_room")
}

/// Takes the first `count` values off a vector, which somebody else has now.
///
/// # Safety
///
/// There are so many, and they are no longer used.
unsafe fn take_front<T>(values: &mut KVec<T>, count: usize) {
    let ptr = values.as_mut_ptr();
    let left = values.len().wrapping_sub(count);
    if left != 0 {
        // SAFETY: The rest, which is in the vector behind them, takes their place.
        unsafe { ptr.copy_from(ptr.add(count), left) };
    }
    // SAFETY: It is what the vector is made of, with the values that are left of it.
    let rest = unsafe { KVec::from_raw_parts(ptr, left, values.capacity()) };
    // Nothing is freed: this may be a hard interrupt, and the memory is that of the rest.
    core::mem::forget(core::mem::replace(values, rest));
}

fn ring<T>(depth: usize) -> Result<Ring<T, Kernel>> {
    let mut slots = KVVec::with_capacity(depth, GFP_KERNEL)?;
    for _ in 0..depth {
        slots.push(Slot::vacant(), GFP_KERNEL)?;
    }
    Ring::new(slots).map_err(|_| EINVAL)
}

/// So often the receiver looks again for a value that a sender is just putting in, before it
/// sleeps for a moment.
const LOOKS: u32 = 200;

impl<T: Send> LockFree<T> {
    /// Wakes the receiver, after a value was put in whose sender found that it sleeps. From any
    /// context.
    #[cold]
    fn wake_receiver(&self) {
        self.wakes.fetch_add(1, Relaxed);
        self.arrived.complete();
    }

    /// Wakes as many senders as there is new room for, after the receiver found that some sleep.
    #[cold]
    fn wake_senders(&self, slots: usize) {
        for _ in 0..self.ring.wanted(&self.senders, slots) {
            self.room.complete();
        }
    }

    #[inline(always)]
    fn push(&self, value: T) -> Result<(), PushError<T>> {
        if self.ring.push(value)? {
            self.wake_receiver();
        }
        Ok(())
    }

    /// # Safety
    ///
    /// See [`Channel::recv`].
    #[inline(always)]
    unsafe fn pop(&self) -> Result<T, PopError> {
        // SAFETY: The caller is the only receiver.
        let (value, wanted) = unsafe { self.ring.pop() }?;
        if wanted {
            self.wake_senders(1);
        }
        Ok(value)
    }

    /// Takes a sender's announcement back, or else the wake-up that is on its way.
    fn sender_stays_awake(&self) {
        if !self.senders.retract() {
            // Who has claimed it does nothing before it completes: this is short.
            self.room.wait();
        }
    }

    /// Has found no room for a value.
    #[cold]
    fn no_room(&self, value: T, wait: Wait) -> Result<(), SendError<T>> {
        self.full.fetch_add(1, Relaxed);
        match wait {
            Wait::No => Err(SendError::new(value, EAGAIN)),
            wait => self.push_waiting(value, wait),
        }
    }

    fn push_waiting(&self, mut value: T, mut wait: Wait) -> Result<(), SendError<T>> {
        loop {
            self.senders.announce();
            let waited = match self.ring.want_room() {
                true => wait_for(&self.room, &mut wait).inspect_err(|_| self.sender_stays_awake()),
                false => {
                    self.sender_stays_awake();
                    Ok(())
                }
            };
            // Also if the wait has ended for another reason: room that we were told of, and no
            // other sender, is not left unused.
            match (self.push(value), waited) {
                (Err(PushError::Full(back)), Ok(())) => value = back,
                (Err(error), waited) => {
                    return Err(SendError::of(error, waited.err().unwrap_or(EAGAIN)));
                }
                (Ok(()), _) => return Ok(()),
            }
        }
    }

    /// # Safety
    ///
    /// See [`Channel::recv`].
    #[cold]
    unsafe fn pop_waiting(&self, mut wait: Wait) -> Result<T> {
        // Only we write it.
        let empty = self.empty.load(Relaxed).wrapping_add(1);
        self.empty.store(empty, Relaxed);
        if let Wait::No = wait {
            return Err(EAGAIN);
        }
        loop {
            // SAFETY: The caller is the only receiver.
            let waited = match unsafe { self.ring.fall_asleep() } {
                Doze::Asleep => {
                    let waited = wait_for(&self.arrived, &mut wait);
                    if waited.is_err() && !self.ring.stay_awake() {
                        // Who has found us asleep does nothing before it completes but put a
                        // value in: this is short.
                        self.arrived.wait();
                    }
                    waited
                }
                // SAFETY: The caller is the only receiver.
                Doze::Late => unsafe { self.wait_for_sender(&mut wait) },
                Doze::Awake => Ok(()),
                Doze::Over => return Err(EPIPE),
            };
            // SAFETY: The caller is the only receiver.
            match unsafe { self.pop() } {
                Ok(value) => return Ok(value),
                Err(PopError::Closed) => return Err(EPIPE),
                Err(PopError::Empty) => waited?,
            }
        }
    }

    /// Waits for a sender that has a place already and was interrupted before its value was in.
    /// It wakes nobody then.
    ///
    /// # Safety
    ///
    /// See [`Channel::recv`].
    unsafe fn wait_for_sender(&self, wait: &mut Wait) -> Result {
        for _ in 0..LOOKS {
            // SAFETY: The caller is the only receiver.
            if unsafe { self.ring.is_ready() } {
                return Ok(());
            }
            Kernel::relax();
        }
        // Nothing completes this, as nobody was told of it: a jiffy's sleep, or a stop.
        let mut moment = match wait {
            Wait::Limit(0) => return Err(ETIMEDOUT),
            Wait::Limit(left) => {
                *left = left.saturating_sub(1);
                Wait::Limit(1)
            }
            _ => Wait::Limit(1),
        };
        match wait_for(&self.arrived, &mut moment) {
            Err(error) if error == ETIMEDOUT => Ok(()),
            other => other,
        }
    }
}

/// What is broken on purpose, so that tests can see it noticed.
#[cfg(CONFIG_CHILDKERNEL_TORTURE)]
impl<T: Send> LockFree<T> {
    /// Puts a value in and does not wake the receiver, if it sleeps. Says whether it does, which
    /// ends only if it is woken late.
    pub(super) fn push_silently(&self, value: T) -> Option<bool> {
        self.ring.push(value).ok()
    }

    pub(super) fn wake_late(&self) {
        self.wake_receiver();
    }
}

impl<T> SendError<T> {
    fn of(error: PushError<T>, full: Error) -> Self {
        match error {
            PushError::Full(value) => Self::new(value, full),
            PushError::Closed(value) => Self::new(value, EPIPE),
        }
    }
}

impl<T: Send> Channel<T> for LockFree<T> {
    fn new(depth: usize) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            ring: ring(depth)?,
            empty: Atomic::new(0),
            arrived <- arrived(),
            wakes: Atomic::new(0),
            senders: Sleepers::new(),
            room <- room(),
            full: Atomic::new(0),
        })
    }

    #[inline(always)]
    fn send(&self, value: T, wait: Wait) -> Result<(), SendError<T>> {
        match self.push(value) {
            Ok(()) => Ok(()),
            Err(PushError::Full(value)) => self.no_room(value, wait),
            Err(PushError::Closed(value)) => Err(SendError::new(value, EPIPE)),
        }
    }

    fn send_some(&self, values: &mut KVec<T>) -> Result<usize> {
        let count = values.len();
        let Some(from) = NonNull::new(values.as_mut_ptr()).filter(|_| count != 0) else {
            return Ok(0);
        };
        // SAFETY: There are so many. Those that are taken in are the vector's no longer: below.
        let taken = match unsafe { self.ring.push_some(from, count) } {
            Ok((taken, asleep)) => {
                // SAFETY: They were taken in.
                unsafe { take_front(values, taken) };
                if asleep {
                    self.wake_receiver();
                }
                taken
            }
            Err(PushError::Full(())) => 0,
            Err(PushError::Closed(())) => return Err(EPIPE),
        };
        if taken != count {
            self.full.fetch_add(1, Relaxed);
        }
        match taken {
            0 => Err(EAGAIN),
            taken => Ok(taken),
        }
    }

    #[inline(always)]
    unsafe fn recv(&self, wait: Wait) -> Result<T> {
        // SAFETY: The caller is the only receiver.
        match unsafe { self.pop() } {
            Ok(value) => Ok(value),
            Err(PopError::Closed) => Err(EPIPE),
            // SAFETY: The caller is the only receiver.
            Err(PopError::Empty) => unsafe { self.pop_waiting(wait) },
        }
    }

    #[inline]
    unsafe fn recv_some(&self, into: &mut KVec<T>) -> usize {
        // SAFETY: The caller is the only receiver.
        match unsafe { self.ring.pop_some(into.spare_capacity_mut()) } {
            Ok((taken, wanted)) => {
                // SAFETY: So many were written there.
                unsafe { into.inc_len(taken) };
                if wanted {
                    self.wake_senders(taken);
                }
                taken
            }
            Err(_) => 0,
        }
    }

    fn close(&self) {
        if self.ring.close() {
            self.arrived.complete();
        }
        for _ in 0..self.senders.claim(usize::MAX) {
            self.room.complete();
        }
    }

    fn is_closed(&self) -> bool {
        self.ring.is_closed()
    }

    fn depth(&self) -> usize {
        self.ring.depth()
    }

    fn len(&self) -> usize {
        self.ring.len()
    }

    fn full(&self) -> u64 {
        self.full.load(Relaxed)
    }

    fn empty(&self) -> u64 {
        self.empty.load(Relaxed)
    }

    fn wakes(&self) -> Option<u64> {
        Some(self.wakes.load(Relaxed))
    }
}
