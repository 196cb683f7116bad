// SPDX-License-Identifier: GPL-2.0

//! The mailbox's own channel: the ring, in the kernel's memory, and completions to sleep at.

use super::{
    ring::{self, PopError, PushError, Ring, Sleepers, Slot, Word},
    wait_for, Channel, SendError, Wait,
};
use crate::{
    new_completion,
    sync::{
        atomic::{Acquire, Atomic, Full, Relaxed, Release},
        barrier::smp_mb,
        Completion,
    },
};
use core::{cell::UnsafeCell, mem::MaybeUninit};
use kernel::prelude::*;

/// The kernel's memory, and its memory model.
struct Kernel;

impl Word for Atomic<usize> {
    fn new(value: usize) -> Self {
        Atomic::new(value)
    }

    #[inline]
    fn load_relaxed(&self) -> usize {
        self.load(Relaxed)
    }

    #[inline]
    fn load_acquire(&self) -> usize {
        self.load(Acquire)
    }

    #[inline]
    fn store_relaxed(&self, value: usize) {
        self.store(value, Relaxed);
    }

    #[inline]
    fn store_release(&self, value: usize) {
        self.store(value, Release);
    }

    #[inline]
    fn cas_relaxed(&self, old: usize, new: usize) -> Result<(), usize> {
        self.cmpxchg(old, new, Relaxed).map(drop)
    }
}

impl<T> ring::Cell<T> for UnsafeCell<MaybeUninit<T>> {
    fn vacant() -> Self {
        UnsafeCell::new(MaybeUninit::uninit())
    }

    #[inline]
    unsafe fn put(&self, value: T) {
        // SAFETY: The caller promises that nobody else uses it.
        unsafe { (*self.get()).write(value) };
    }

    #[inline]
    unsafe fn take(&self) -> T {
        // SAFETY: The caller promises that there is a value, and that nobody else uses it.
        unsafe { (*self.get()).assume_init_read() }
    }
}

// SAFETY: A vector that nobody changes gives the same slots each time, and may be shared as these;
// the kernel's atomics and barriers are what they say.
unsafe impl ring::Memory for Kernel {
    type Word = Atomic<usize>;
    type Cell<T> = UnsafeCell<MaybeUninit<T>>;
    type Slots<T> = KVVec<Slot<T, Self>>;

    #[inline]
    fn full_barrier() {
        smp_mb(Full);
    }
}

/// The lock-free channel: see [`Mailbox`](super::Mailbox).
#[pin_data]
pub struct LockFree<T> {
    ring: Ring<T, Kernel>,
    /// The receiver, if it sleeps.
    receiver: Sleepers<Kernel>,
    #[pin]
    arrived: Completion,
    /// Senders that sleep.
    senders: Sleepers<Kernel>,
    #[pin]
    room: Completion,
    full: Atomic<u64>,
    empty: Atomic<u64>,
    wakes: Atomic<u64>,
}

/// Lock classes of their own, and not one for each type of message.
fn arrived() -> impl PinInit<Completion> {
    new_completion!("childkernel_mailbox_arrived")
}

fn room() -> impl PinInit<Completion> {
    new_completion!("childkernel_mailbox_room")
}

fn ring<T>(depth: usize) -> Result<Ring<T, Kernel>> {
    let mut slots = KVVec::with_capacity(depth, GFP_KERNEL)?;
    for _ in 0..depth {
        slots.push(Slot::vacant(), GFP_KERNEL)?;
    }
    Ring::new(slots).map_err(|_| EINVAL)
}

impl<T: Send> LockFree<T> {
    /// Wakes the receiver if it sleeps, after a value was put in. From any context.
    #[inline]
    fn wake_receiver(&self) {
        if self.receiver.claim(1) != 0 {
            self.wakes.fetch_add(1, Relaxed);
            self.arrived.complete();
        }
    }

    /// Wakes as many senders as there is new room for.
    #[inline]
    fn wake_senders(&self, slots: usize) {
        for _ in 0..self.senders.claim(slots) {
            self.room.complete();
        }
    }

    /// Takes the caller's announcement back, or else the wake-up that is on its way.
    fn stay_awake(sleepers: &Sleepers<Kernel>, wakeup: &Completion) {
        if !sleepers.retract() {
            // Who has claimed it does nothing before it completes: this is short.
            wakeup.wait();
        }
    }

    #[inline]
    fn push(&self, value: T) -> Result<(), PushError<T>> {
        self.ring.push(value)?;
        self.wake_receiver();
        Ok(())
    }

    #[cold]
    fn push_waiting(&self, mut value: T, mut wait: Wait) -> Result<(), SendError<T>> {
        loop {
            self.senders.announce();
            match self.push(value) {
                Err(PushError::Full(back)) => value = back,
                done => {
                    Self::stay_awake(&self.senders, &self.room);
                    return done.map_err(|error| SendError::of(error, EAGAIN));
                }
            }
            let waited = wait_for(&self.room, &mut wait);
            if waited.is_err() {
                Self::stay_awake(&self.senders, &self.room);
            }
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
        loop {
            self.receiver.announce();
            // SAFETY: The caller is the only receiver.
            match unsafe { self.ring.pop() } {
                Err(PopError::Empty) => (),
                done => {
                    Self::stay_awake(&self.receiver, &self.arrived);
                    return done.map_err(|_| EPIPE);
                }
            }
            let waited = wait_for(&self.arrived, &mut wait);
            if waited.is_err() {
                Self::stay_awake(&self.receiver, &self.arrived);
            }
            // SAFETY: The caller is the only receiver.
            match unsafe { self.ring.pop() } {
                Ok(value) => return Ok(value),
                Err(PopError::Closed) => return Err(EPIPE),
                Err(PopError::Empty) => waited?,
            }
        }
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
            receiver: Sleepers::new(),
            arrived <- arrived(),
            senders: Sleepers::new(),
            room <- room(),
            full: Atomic::new(0),
            empty: Atomic::new(0),
            wakes: Atomic::new(0),
        })
    }

    #[inline]
    fn send(&self, value: T, wait: Wait) -> Result<(), SendError<T>> {
        match self.push(value) {
            Err(PushError::Full(value)) => {
                self.full.fetch_add(1, Relaxed);
                match wait {
                    Wait::No => Err(SendError::new(value, EAGAIN)),
                    wait => self.push_waiting(value, wait),
                }
            }
            done => done.map_err(|error| SendError::of(error, EAGAIN)),
        }
    }

    #[inline]
    unsafe fn recv(&self, wait: Wait) -> Result<T> {
        // SAFETY: The caller is the only receiver.
        let value = match unsafe { self.ring.pop() } {
            Ok(value) => value,
            Err(PopError::Closed) => return Err(EPIPE),
            Err(PopError::Empty) => {
                self.empty.fetch_add(1, Relaxed);
                match wait {
                    Wait::No => return Err(EAGAIN),
                    // SAFETY: The caller is the only receiver.
                    wait => unsafe { self.pop_waiting(wait) }?,
                }
            }
        };
        self.wake_senders(1);
        Ok(value)
    }

    unsafe fn recv_more(&self, into: &mut KVec<T>) -> usize {
        let mut taken: usize = 0;
        while into.len() < into.capacity() {
            // SAFETY: The caller is the only receiver.
            let Ok(value) = (unsafe { self.ring.pop() }) else {
                break;
            };
            // There is room: that was the condition.
            let _ = into.push_within_capacity(value);
            taken = taken.wrapping_add(1);
        }
        if taken != 0 {
            // One barrier for all of them.
            self.wake_senders(taken);
        }
        taken
    }

    fn close(&self) {
        self.ring.close();
        for _ in 0..self.receiver.claim(usize::MAX) {
            self.arrived.complete();
        }
        self.wake_senders(usize::MAX);
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
