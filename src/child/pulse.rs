// SPDX-License-Identifier: GPL-2.0

//! Signs of life of one thread, and whether it still has to give any.
//!
//! Nothing but atomics is needed here, so that models of it use this file as it is.
#![deny(unsafe_code)]

use crate::sync::atomic::{Acquire, Atomic, Relaxed, Release};

/// What one thread tells who watches. Only that thread writes the first three, so they have a
/// cache line for themselves.
#[repr(align(64))]
pub(super) struct Pulse {
    /// Signs of life.
    beats: Atomic<u64>,
    /// It waits in a way that ends when it is asked to stop: no sign of life is expected.
    idle: Atomic<bool>,
    /// It has returned from what it runs.
    returned: Atomic<bool>,
    /// Who watches has counted its death.
    counted: Atomic<bool>,
    /// The last beats that were seen, and when they were seen first.
    seen: Atomic<u64>,
    seen_at: Atomic<i64>,
}

impl Pulse {
    pub(super) const fn new() -> Self {
        Self {
            beats: Atomic::new(0),
            idle: Atomic::new(false),
            returned: Atomic::new(false),
            counted: Atomic::new(false),
            seen: Atomic::new(0),
            seen_at: Atomic::new(0),
        }
    }

    /// Gives a sign of life.
    #[inline]
    pub(super) fn beat(&self) {
        self.beats
            .store(self.beats.load(Relaxed).wrapping_add(1), Relaxed);
    }

    /// Runs `wait`, which ends when the thread is asked to stop. Who watches and finds the thread
    /// awake again finds a sign of life:
    ///
    /// ```text
    /// C MP+beat+awake
    ///
    /// (*
    ///  * Result: Never
    ///  *)
    ///
    /// {
    /// idle=1;
    /// }
    ///
    /// P0(int *beats, int *idle)
    /// {
    ///     WRITE_ONCE(*beats, 1);
    ///     smp_store_release(idle, 0);
    /// }
    ///
    /// P1(int *beats, int *idle)
    /// {
    ///     int r0;
    ///     int r1;
    ///
    ///     r0 = smp_load_acquire(idle);
    ///     r1 = READ_ONCE(*beats);
    /// }
    ///
    /// exists (1:r0=0 /\ 1:r1=0)
    /// ```
    #[inline]
    pub(super) fn idle<R>(&self, wait: impl FnOnce() -> R) -> R {
        // It may wait within a wait.
        let was_idle = self.idle.load(Relaxed);
        self.idle.store(true, Relaxed);
        let result = wait();
        self.beat();
        // Release: who sees it awake sees the beat as well.
        self.idle.store(was_idle, Release);
        result
    }

    /// The thread has returned.
    pub(super) fn returns(&self) {
        self.returned.store(true, Relaxed);
    }

    /// Whether the thread, which has exited, died before it could return. Says so once.
    pub(super) fn count_death(&self) -> bool {
        if self.returned.load(Relaxed) || self.counted.load(Relaxed) {
            return false;
        }
        self.counted.store(true, Relaxed);
        true
    }

    /// The thread is about to run: signs of life are expected from `now` on.
    pub(super) fn begin(&self, now: i64) {
        self.seen_at.store(now, Relaxed);
    }

    /// How long the thread has given no sign of life, in ns; 0 if none is expected.
    pub(super) fn silence(&self, now: i64) -> i64 {
        let over = self.returned.load(Relaxed) || self.counted.load(Relaxed);
        let expected = !self.idle.load(Acquire) && !over;
        let beats = self.beats.load(Relaxed);
        if !expected || beats != self.seen.load(Relaxed) {
            self.seen.store(beats, Relaxed);
            self.seen_at.store(now, Relaxed);
        }
        now.saturating_sub(self.seen_at.load(Relaxed))
    }
}
