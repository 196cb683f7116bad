// SPDX-License-Identifier: GPL-2.0

//! Those that sleep at a ring, as a number. Like the ring, it knows nothing of the kernel.

use super::memory::{Memory, Word};

/// How many sleep, or are about to.
///
/// Store buffering: who is about to sleep says so, and looks again; who has done something says so,
/// and looks whether anybody sleeps. With a full barrier between the two on both sides at least one
/// sees the other.
///
/// ```text
/// C SB+announce+claim
///
/// (*
///  * Result: Never
///  *)
///
/// {}
///
/// P0(int *count, int *head)
/// {
///     int r0;
///
///     WRITE_ONCE(*count, 1);
///     smp_mb();
///     r0 = READ_ONCE(*head);
/// }
///
/// P1(int *count, int *head)
/// {
///     int r0;
///
///     WRITE_ONCE(*head, 1);
///     smp_mb();
///     r0 = READ_ONCE(*count);
/// }
///
/// exists (0:r0=0 /\ 1:r0=0)
/// ```
///
/// Each [`announce`](Self::announce) is answered exactly once: by a wake-up of who has
/// [claimed](Self::claim) it, or by [`retract`](Self::retract) with `true`. A sleeper that gets
/// `false` there has been claimed: its wake-up is on its way and has to be taken.
pub struct Sleepers<M: Memory> {
    count: M::Word,
}

impl<M: Memory> Default for Sleepers<M> {
    fn default() -> Self {
        Self::new()
    }
}

impl<M: Memory> Sleepers<M> {
    /// Nobody.
    pub fn new() -> Self {
        Self {
            count: M::Word::new(0),
        }
    }

    /// Says that the caller is about to sleep: it has to look once more before it does.
    pub fn announce(&self) {
        let mut count = self.count.load_relaxed();
        while let Err(now) = self.count.cas_relaxed(count, count.wrapping_add(1)) {
            count = now;
        }
        // Pairs with the barrier of `claim`: either our next look sees what was done before that,
        // or it sees our announcement.
        M::full_barrier();
    }

    /// Takes an announcement back. If there is none left, a wake-up is on its way instead.
    #[must_use]
    pub fn retract(&self) -> bool {
        self.take(1) == 1
    }

    /// Takes up to `most` announcements, after something was done that they wait for. The caller
    /// has to wake as many as this returns.
    #[must_use]
    pub fn claim(&self, most: usize) -> usize {
        // Pairs with the barrier of `announce`.
        M::full_barrier();
        self.take(most)
    }

    /// Whether any are left, after a [`claim`](Self::claim).
    pub fn any(&self) -> bool {
        self.count.load_relaxed() != 0
    }

    fn take(&self, most: usize) -> usize {
        let mut count = self.count.load_relaxed();
        loop {
            let taken = count.min(most);
            if taken == 0 {
                return 0;
            }
            // Relaxed: what was done is seen through the ring, and the wake-up orders by itself.
            match self.count.cas_relaxed(count, count.wrapping_sub(taken)) {
                Ok(()) => return taken,
                Err(now) => count = now,
            }
        }
    }
}
