// SPDX-License-Identifier: GPL-2.0

//! A lock with statistics around any lock without.
#![deny(unsafe_code)]

use super::{
    hold::{Hold, Since},
    lock_stats::LockStats,
    mode,
};
use crate::sync::Lockable;
use core::{
    ops::{Deref, DerefMut},
    panic::Location,
};
use kernel::{prelude::*, sync::Arc};

/// Whether this kernel looks for a wrong order of locks, or for a wait where none may be.
const LOOKED_AT: bool = cfg!(any(CONFIG_PROVE_LOCKING, CONFIG_DEBUG_ATOMIC_SLEEP));

/// A lock of kind `L` with statistics, listed in debugfs as long as it lives.
///
/// Context and order are those of `L`. Creating and dropping it sleeps.
///
/// It is tried first, so as to know whether it waits. Lockdep does not take a lock that was tried
/// for one that might have been waited for; so on a kernel that looks for wrong orders or contexts
/// it is let go of and taken again, and a wait in between is not counted. Nor is that for a lock
/// that can only be looked at, if it is taken just then.
///
/// Who waits on a condition with its guard does so by [`CountedGuard::wait_by`].
///
/// # Examples
///
/// ```ignore
/// let n = KBox::pin_init(Counted::new(c"requests", new_spinlock!(0u64)), GFP_KERNEL)?;
/// **n.lock() += 1;
/// ```
#[pin_data]
pub struct Counted<L: Lockable> {
    #[pin]
    lock: L,
    stats: Arc<LockStats>,
    /// Kept by all locks that share the statistics.
    listed: Arc<Listed>,
    hold: Hold,
}

impl<L: Lockable> Counted<L> {
    /// Creates an initialiser for a lock that the statistics call `name`.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new<'a, E: 'a>(
        name: &'a CStr,
        lock: impl PinInit<L, E> + 'a,
    ) -> impl PinInit<Self, Error> + 'a
    where
        L: 'a,
        Error: From<E>,
    {
        try_pin_init!(Self {
            lock <- lock,
            listed: Listed::new(name, L::KIND)?,
            stats: listed.0.clone(),
            hold: Hold::new(),
        })
    }

    /// Creates an initialiser for one more lock with the statistics of `with`: for locks of which
    /// there are many, such as those of the buckets of a table, where the sum says enough. They
    /// stay listed, once, as long as any of these locks lives.
    pub fn sharing<'a, E: 'a>(
        with: &'a Self,
        lock: impl PinInit<L, E> + 'a,
    ) -> impl PinInit<Self, Error> + 'a
    where
        L: 'a,
        Error: From<E>,
    {
        try_pin_init!(Self {
            lock <- lock,
            listed: with.listed.clone(),
            stats: with.stats.clone(),
            hold: Hold::new(),
        })
    }

    #[inline]
    fn guard<'a>(&'a self, guard: L::Guard<'a>, since: Since) -> CountedGuard<'a, L> {
        CountedGuard {
            guard,
            counted: self,
            since,
        }
    }

    /// Takes the lock. Where that may fail, and does, it counts as a wait and not as taken.
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> CountedGuard<'_, L> {
        if !mode::may_count() {
            return self.guard(self.lock.acquire(), Since::UNTIMED);
        }
        if mode::may_time() {
            let (guard, since) = self.take_timed(Location::caller());
            return self.guard(guard, since);
        }
        // Before, so that nobody waits for it to be counted, unless it has to be seen whether it is.
        if !L::MAY_FAIL {
            self.stats.acquired();
        }
        let guard = self.take(Location::caller());
        if L::MAY_FAIL && L::holds(&guard) {
            self.stats.acquired();
        }
        self.guard(guard, Since::UNTIMED)
    }

    /// Takes the lock, and counts if it has to wait. It waits in the caller's own function, which is
    /// the one that perf is to name.
    #[inline]
    fn take(&self, at: &'static Location<'static>) -> L::Guard<'_> {
        match self.lock.try_acquire() {
            Some(guard) if L::MAY_FAIL && !L::holds(&guard) => {
                self.count_wait(at);
                guard
            }
            Some(guard) if LOOKED_AT && !L::MAY_FAIL => {
                drop(guard);
                self.lock.acquire()
            }
            Some(guard) => guard,
            None => {
                self.count_wait(at);
                self.lock.acquire()
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn count_wait(&self, at: &'static Location<'static>) {
        self.stats.contended(at);
    }

    /// Takes the lock, and takes the time if that is this one's turn. Not a whole guard is returned,
    /// as that would have to be in memory, whatever the mode.
    #[inline(never)]
    fn take_timed(&self, at: &'static Location<'static>) -> (L::Guard<'_>, Since) {
        let mut sampled = L::MAY_FAIL || self.stats.acquired_sampled();
        let wanted = if sampled { self.stats.now() } else { 0 };
        let guard = self.take(at);
        if L::MAY_FAIL {
            sampled = L::holds(&guard) && self.stats.acquired_sampled();
        }
        if !sampled {
            return (guard, Since::UNTIMED);
        }
        let now = self.stats.now();
        self.stats.waited(now.saturating_sub(wanted));
        (guard, self.begin(now))
    }

    /// Takes the lock if that needs no waiting. Only what was taken is counted.
    #[inline]
    #[must_use = "if unused, the lock is released at once"]
    pub fn try_lock(&self) -> Option<CountedGuard<'_, L>> {
        let guard = self.lock.try_acquire()?;
        let mut since = Since::UNTIMED;
        if mode::may_count() && L::holds(&guard) {
            if mode::may_time() {
                since = self.taken_timed();
            } else {
                self.stats.acquired();
            }
        }
        Some(self.guard(guard, since))
    }

    /// Counts what was taken without waiting.
    #[inline(never)]
    fn taken_timed(&self) -> Since {
        if !self.stats.acquired_sampled() {
            return Since::UNTIMED;
        }
        self.stats.waited(0);
        self.begin(self.stats.now())
    }

    /// Notes that the lock was taken at `now`. Called by its holder.
    fn begin(&self, now: u64) -> Since {
        if L::EXCLUSIVE {
            self.hold.begin(now);
            Since::UNTIMED
        } else {
            Since::at(now)
        }
    }

    /// Records how long it was held, if that is timed, and says whether it is. Called by its holder.
    #[inline]
    fn end(&self, since: Since) -> bool {
        let since = if L::EXCLUSIVE { self.hold.end() } else { since };
        let Some(since) = since.time() else {
            return false;
        };
        self.stats.held(since);
        true
    }

    /// The lock itself, for what is not counted: lookups, reads.
    #[inline]
    pub fn inner(&self) -> &L {
        &self.lock
    }

    /// Its statistics.
    pub fn stats(&self) -> &LockStats {
        &self.stats
    }
}

/// Counted as a lock is, so that it can be given a place in the lock order.
impl<L: Lockable> Lockable for Counted<L> {
    const KIND: &'static str = L::KIND;
    const EXCLUSIVE: bool = L::EXCLUSIVE;
    const MAY_FAIL: bool = L::MAY_FAIL;
    type Wait = L::Wait;
    type Guard<'a>
        = CountedGuard<'a, L>
    where
        Self: 'a;

    #[inline]
    #[track_caller]
    fn acquire(&self) -> Self::Guard<'_> {
        self.lock()
    }

    #[inline]
    fn try_acquire(&self) -> Option<Self::Guard<'_>> {
        self.try_lock()
    }

    #[inline]
    fn holds(guard: &Self::Guard<'_>) -> bool {
        L::holds(&guard.guard)
    }
}

/// Statistics that are listed, and no longer so when dropped.
struct Listed(Arc<LockStats>);

impl Listed {
    fn new(name: &CStr, kind: &str) -> Result<Arc<Self>> {
        let stats = LockStats::register(name, kind)?;
        // If there is no memory for it, it is dropped, and so taken off the list.
        Ok(Arc::new(Self(stats), GFP_KERNEL)?)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.0.unregister();
    }
}

/// Holds a [`Counted`] lock.
// The time is recorded while the lock is still held: one acquisition in many has one, and a guard
// that has to look afterwards as well costs all others more.
pub struct CountedGuard<'a, L: Lockable> {
    guard: L::Guard<'a>,
    counted: &'a Counted<L>,
    /// Of a lock that is exclusive the lock itself knows, and guards have nothing to carry.
    since: Since,
}

impl<'a, L: Lockable + 'a> CountedGuard<'a, L> {
    /// Has `wait` let go of the lock and take it again, as waiting on a condition does. Meanwhile
    /// nothing counts as held.
    ///
    /// # Examples
    ///
    /// ```ignore
    /// let mut requests = queue.lock();
    /// while requests.is_empty() {
    ///     requests.wait_by(|guard| arrived.wait(guard));
    /// }
    /// ```
    pub fn wait_by<R>(&mut self, wait: impl FnOnce(&mut L::Guard<'a>) -> R) -> R {
        let timed = mode::may_time() && self.counted.end(self.since);
        self.since = Since::UNTIMED;
        let done = wait(&mut self.guard);
        if timed {
            self.since = self.counted.begin(self.counted.stats.now());
        }
        done
    }
}

impl<'a, L: Lockable + 'a> Drop for CountedGuard<'a, L> {
    #[inline]
    fn drop(&mut self) {
        if mode::may_time() {
            self.counted.end(self.since);
        }
    }
}

impl<'a, L: Lockable + 'a> Deref for CountedGuard<'a, L> {
    type Target = L::Guard<'a>;

    #[inline]
    fn deref(&self) -> &Self::Target {
        &self.guard
    }
}

impl<'a, L: Lockable + 'a> DerefMut for CountedGuard<'a, L> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.guard
    }
}
