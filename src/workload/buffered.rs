// SPDX-License-Identifier: GPL-2.0

//! A row of words in two buffers: readers copy one of them, inside SRCU, while the other is written.
//!
//! A writer waits for the readers of the buffer that was current before it lets go, so that the next
//! writer finds it free.
#![deny(unsafe_code)]

use crate::sync::{
    atomic::{Acquire, Atomic, Relaxed, Release},
    new_mutex, new_srcu,
    order::Sleeping,
    Lockable, Mutex, MutexGuard, Srcu,
};
use kernel::prelude::*;

struct Buffer<const WORDS: usize>([Atomic<u64>; WORDS]);

impl<const WORDS: usize> Buffer<WORDS> {
    fn new(value: [u64; WORDS]) -> Self {
        Self(value.map(Atomic::new))
    }

    fn store(&self, value: &[u64; WORDS]) {
        for (word, value) in self.0.iter().zip(value) {
            word.store(*value, Relaxed);
        }
    }

    /// Copies word by word. `pause` is called before the last one.
    fn load(&self, pause: impl Fn()) -> [u64; WORDS] {
        let mut copy = [0; WORDS];
        for (i, (word, copy)) in self.0.iter().zip(copy.iter_mut()).enumerate() {
            if i == WORDS.saturating_sub(1) {
                pause();
            }
            *copy = word.load(Relaxed);
        }
        copy
    }
}

#[pin_data]
pub(super) struct Buffered<const WORDS: usize> {
    #[pin]
    srcu: Srcu,
    one: Buffer<WORDS>,
    two: Buffer<WORDS>,
    /// Readers are to take the second one.
    second: Atomic<bool>,
    #[pin]
    turn: Mutex<()>,
}

impl<const WORDS: usize> Buffered<WORDS> {
    pub(super) fn new(value: [u64; WORDS]) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            srcu <- new_srcu!("childkernel_buffered"),
            one: Buffer::new(value),
            two: Buffer::new(value),
            second: Atomic::new(false),
            turn <- new_mutex!((), "childkernel_buffered"),
        })
    }

    /// Copies the words as a reader. `pause` is called while they are in use.
    pub(super) fn read(&self, pause: impl Fn()) -> [u64; WORDS] {
        let inside = self.srcu.read_lock();
        // The words of the buffer that is named here have been stored.
        let buffer = if self.second.load(Acquire) {
            &self.two
        } else {
            &self.one
        };
        let copy = buffer.load(pause);
        drop(inside);
        copy
    }
}

/// The right to write.
pub(super) struct Writing<'a, const WORDS: usize> {
    buffered: &'a Buffered<WORDS>,
    _turn: MutexGuard<'a, ()>,
}

impl<const WORDS: usize> Writing<'_, WORDS> {
    pub(super) fn load(&self) -> [u64; WORDS] {
        self.buffered.read(|| ())
    }

    /// Stores the words and waits until nobody copies those before.
    pub(super) fn store(&mut self, value: &[u64; WORDS]) {
        let this = self.buffered;
        let second = !this.second.load(Relaxed);
        let free = if second { &this.two } else { &this.one };
        free.store(value);
        this.second.store(second, Release);
        this.srcu.synchronize();
    }
}

/// Counts the writers; readers take nothing that could be counted.
impl<const WORDS: usize> Lockable for Buffered<WORDS> {
    const KIND: &'static str = "srcu";
    type Wait = Sleeping;
    type Guard<'a>
        = Writing<'a, WORDS>
    where
        Self: 'a;

    fn acquire(&self) -> Self::Guard<'_> {
        Writing {
            buffered: self,
            _turn: self.turn.lock(),
        }
    }

    fn try_acquire(&self) -> Option<Self::Guard<'_>> {
        Some(Writing {
            buffered: self,
            _turn: self.turn.try_lock()?,
        })
    }
}
