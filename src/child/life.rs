// SPDX-License-Identifier: GPL-2.0

//! One generation, as its threads and who watches them see it: nothing in it is its owner's code.
#![deny(unsafe_code)]

use super::{
    arena::{Arena, Meter},
    generation::Generation,
    pulse::Pulse,
};
use crate::{
    new_completion,
    sync::{
        atomic::{Acquire, Atomic, Full, Relaxed},
        Completion,
    },
};
use kernel::{
    prelude::*,
    sync::{new_spinlock, Arc, SpinLock},
};

/// The life of one generation.
#[pin_data]
pub(super) struct Life {
    /// Which generation this is, from 1.
    pub(super) number: u32,
    /// It was told to end.
    stop: Atomic<bool>,
    /// Threads that have neither returned nor died.
    alive: Atomic<u32>,
    /// The first error, as a negative errno, or 0.
    error: Atomic<i32>,
    pulses: KVec<Pulse>,
    /// Thread 0 has made, or could not make, what the threads share.
    #[pin]
    pub(super) ready: Completion,
    /// No thread is left.
    #[pin]
    pub(super) over: Completion,
    #[pin]
    pub(super) arena: Arena,
    /// What is left of generations before, for thread 0 to drop.
    #[pin]
    remains: SpinLock<Option<KBox<Generation>>>,
}

impl Life {
    pub(super) fn new(
        number: u32,
        threads: usize,
        memory: Arc<Meter>,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            number,
            stop: Atomic::new(false),
            alive: Atomic::new(u32::try_from(threads)?),
            error: Atomic::new(0),
            pulses: Self::pulses(threads)?,
            ready <- new_completion!("childkernel_ready"),
            over <- new_completion!("childkernel_over"),
            arena <- Arena::metered(memory),
            remains <- new_spinlock!(None, "childkernel_remains"),
        })
    }

    fn pulses(threads: usize) -> Result<KVec<Pulse>> {
        let mut pulses = KVec::with_capacity(threads, GFP_KERNEL)?;
        for _ in 0..threads {
            pulses.push(Pulse::new(), GFP_KERNEL)?;
        }
        Ok(pulses)
    }

    /// Its threads are about to run.
    pub(super) fn begin(&self, now: i64) {
        for pulse in &self.pulses {
            pulse.begin(now);
        }
    }

    pub(super) fn pulse(&self, index: usize) -> Option<&Pulse> {
        self.pulses.get(index)
    }

    /// Tells all threads to end. Their waits have to be interrupted besides.
    pub(super) fn stop(&self) {
        self.stop.store(true, Relaxed);
    }

    /// Whether they were told to, or one has failed.
    #[inline]
    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Relaxed) || self.error.load(Relaxed) != 0
    }

    /// Whether they were told to.
    #[inline]
    pub(super) fn was_stopped(&self) -> bool {
        self.stop.load(Relaxed)
    }

    /// The first error counts.
    pub(super) fn fail(&self, error: Error) {
        let _ = self.error.cmpxchg(0, error.to_errno(), Relaxed);
    }

    /// The first error.
    pub(super) fn error(&self) -> Option<Error> {
        match self.error.load(Relaxed) {
            0 => None,
            errno => Some(Error::from_errno(errno)),
        }
    }

    /// How many threads have neither returned nor died.
    pub(super) fn alive(&self) -> u32 {
        self.alive.load(Acquire)
    }

    /// A thread says that it has returned.
    pub(super) fn returns(&self, index: usize) {
        if let Some(pulse) = self.pulse(index) {
            pulse.returns();
        }
        self.leave();
    }

    /// Whether the thread, which has exited, died before it could return. Says so once.
    pub(super) fn count_death(&self, index: usize) -> bool {
        let died = self.pulse(index).is_some_and(Pulse::count_death);
        if died {
            self.leave();
        }
        died
    }

    fn leave(&self) {
        // Full: who finds that nobody is left sees what all have done.
        if self.alive.fetch_sub(1, Full) == 1 {
            self.over.complete_all();
        }
    }

    /// The longest silence of its threads, in ns.
    pub(super) fn silence(&self, now: i64) -> i64 {
        let longest = self.pulses.iter().map(|pulse| pulse.silence(now)).max();
        longest.unwrap_or(0)
    }

    /// Leaves to thread 0 what has to be dropped before it begins.
    pub(super) fn bequeath(&self, remains: Option<KBox<Generation>>) {
        let none = core::mem::replace(&mut *self.remains.lock(), remains);
        drop(none);
    }

    /// Takes it.
    pub(super) fn inherit(&self) -> Option<KBox<Generation>> {
        self.remains.lock().take()
    }
}
