// SPDX-License-Identifier: GPL-2.0

//! A lock with statistics around any lock without.
#![deny(unsafe_code)]

use super::{
    lock_stats::{elapsed, LockStats},
    mode,
    Mode, //
};
use crate::sync::Lockable;
use core::{
    ops::{Deref, DerefMut},
    panic::Location,
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{Instant, Monotonic},
};

/// A lock of kind `L` with statistics, listed in debugfs as long as it lives.
///
/// Context and order are those of `L`. Creating and dropping it sleeps.
///
/// # Examples
///
/// ```ignore
/// let n = KBox::pin_init(Counted::new(c"requests", new_spinlock!(0u64)), GFP_KERNEL)?;
/// **n.lock() += 1;
/// ```
#[pin_data]
pub struct Counted<L: Lockable> {
    stats: Arc<LockStats>,
    /// Kept by all locks that share the statistics.
    listed: Arc<Listed>,
    #[pin]
    lock: L,
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
        })
    }

    /// Takes the lock.
    #[inline]
    #[track_caller]
    pub fn lock(&self) -> CountedGuard<'_, L> {
        match mode() {
            Mode::Off => CountedGuard {
                guard: self.lock.acquire(),
                hold: Hold::unsampled(&self.stats),
            },
            mode => self.lock_counted(mode, Location::caller()),
        }
    }

    fn lock_counted(&self, mode: Mode, at: &'static Location<'static>) -> CountedGuard<'_, L> {
        let sampled = if mode == Mode::Times {
            self.stats.acquired_sampled()
        } else {
            self.stats.acquired();
            false
        };
        let wanted = sampled.then(Instant::<Monotonic>::now);
        let guard = match self.lock.try_acquire() {
            Some(guard) => guard,
            None => {
                self.stats.contended(at);
                self.lock.acquire()
            }
        };
        if let Some(wanted) = wanted {
            self.stats.waited(wanted);
        }
        CountedGuard {
            guard,
            hold: Hold {
                stats: &self.stats,
                since: sampled.then(Instant::<Monotonic>::now),
                ns: 0,
            },
        }
    }

    /// Takes the lock if that needs no waiting. Only what was taken is counted.
    #[inline]
    #[must_use = "if unused, the lock is released at once"]
    pub fn try_lock(&self) -> Option<CountedGuard<'_, L>> {
        let guard = self.lock.try_acquire()?;
        let mut hold = Hold::unsampled(&self.stats);
        match mode() {
            Mode::Off => {}
            Mode::Contended => self.stats.acquired(),
            Mode::Times => {
                if self.stats.acquired_sampled() {
                    let now = Instant::<Monotonic>::now();
                    self.stats.waited(now);
                    hold.since = Some(now);
                }
            }
        }
        Some(CountedGuard { guard, hold })
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
// Fields are dropped in this order: first the lock is released, then the time is recorded.
pub struct CountedGuard<'a, L: Lockable + 'a> {
    guard: L::Guard<'a>,
    hold: Hold<'a>,
}

struct Hold<'a> {
    stats: &'a LockStats,
    since: Option<Instant<Monotonic>>,
    ns: u64,
}

impl<'a> Hold<'a> {
    #[inline]
    fn unsampled(stats: &'a LockStats) -> Self {
        Self {
            stats,
            since: None,
            ns: 0,
        }
    }
}

impl<'a, L: Lockable + 'a> Drop for CountedGuard<'a, L> {
    #[inline]
    fn drop(&mut self) {
        if let Some(since) = self.hold.since {
            self.hold.ns = elapsed(since);
        }
    }
}

impl Drop for Hold<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.since.is_some() {
            self.stats.held(self.ns);
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
