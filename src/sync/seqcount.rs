// SPDX-License-Identifier: GPL-2.0

//! Sequence counts: data that is read without a lock, where its writers have one already.
//!
//! As a [`SeqLock`](super::SeqLock), but the writers' lock is of any kind that fits, and protects
//! more than what is read lockless: a clock whose owner keeps a whole state under a mutex, and
//! shows the time of it to everybody. Lock and count are one object here. So there is no writing
//! without the lock, nor under another one, and lockdep and `PREEMPT_RT` know the lock as well.
//!
//! The lock says which readers there may be. One in an interrupt must not find a writer on its own
//! CPU, which it would wait for for ever: that takes a lock that keeps such interrupts off.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/seqlock.h`](srctree/include/linux/seqlock.h): `seqcount_spinlock_t`, `seqcount_raw_spinlock_t`, `seqcount_rwlock_t`, `seqcount_mutex_t` |
//! | context | readers: process; softirq and hardirq if the lock keeps these off, or by `try_read`, which waits for nobody. Writers: where the lock may be taken |
//! | safe against | preempt-safe: yes, the write side disables preemption if the lock does not; SMP-safe: yes; interrupt-safe: as the lock |
//! | sleeps | readers no; taking the lock if it is one that sleeps; nobody inside the write side, whatever the lock |
//! | `PREEMPT_RT` | the write side stays preemptible unless the lock is a raw one; a reader that meets such a writer takes the lock and so sleeps: process context only, but for `try_read`. Who tries again and again may keep a preempted writer from its CPU, `read` and `read_or_lock` let it go on |
//! | fairness | writers as the lock, and never for lockless readers; those may retry for as long as there are writers, `read_or_lock` ends that |
//! | cost | a read: two loads of the counter and the copy, no store; a write: two increments and two write barriers beside the lock |
//! | order | a read that returns sees all that the writer of that value did before it stored it |
//! | errors | `EINVAL` for the guard of another lock; `try_read` and `try_lock` return `None` |

use super::words::Words;
use core::ops::{Deref, DerefMut};
use kernel::{
    prelude::*,
    sync::LockClassKey,
    types::{NotThreadSafe, Opaque},
};

mod outer;

pub use super::words::Payload;
pub use outer::{Native, Outer};

/// Creates a [`SeqCount`] initialiser from a value, an initialiser of the writers' lock, and a name
/// for the count, with a lock class of its own.
#[macro_export]
macro_rules! new_seqcount {
    ($inner:expr, $outer:expr, $name:literal) => {
        $crate::sync::seqcount::SeqCount::new(
            $inner,
            $outer,
            $crate::lock_name!($name),
            ::kernel::static_lock_class!(),
        )
    };
}
pub use crate::new_seqcount;

/// A `T` that is read without a lock and written by who holds `L`, which protects more.
///
/// # Invariants
///
/// `count` is associated with the lock inside `outer`.
///
/// # Examples
///
/// ```ignore
/// let clock: Pin<KBox<SeqCount<[u64; 2], Mutex<State>>>> = KBox::pin_init(
///     new_seqcount!([0, 0], new_mutex!(State::new(), "clock_state"), "clock"),
///     GFP_KERNEL,
/// )?;
/// let mut state = clock.lock();
/// state.advance();
/// let now = [state.seconds, state.ns];
/// state.write().store(now);
/// drop(state);
/// assert_eq!(clock.read(), now);
/// ```
#[pin_data]
pub struct SeqCount<T: Payload, L: Outer> {
    #[pin]
    outer: L,
    #[pin]
    count: Opaque<<L::Native as Native>::Count>,
    data: Words<T>,
}

// SAFETY: The data is plain and `Send`, the lock is `Send`; a count may be used from any thread.
unsafe impl<T: Payload, L: Outer + Send> Send for SeqCount<T, L> {}
// SAFETY: Shared access gives out copies, and the lock, which is `Sync`; the count is written only
// by who holds the lock.
unsafe impl<T: Payload, L: Outer + Sync> Sync for SeqCount<T, L> {}

impl<T: Payload, L: Outer> SeqCount<T, L> {
    /// Creates an initialiser. Use [`new_seqcount!`], which makes the lock class.
    pub fn new(
        value: T,
        outer: impl PinInit<L>,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            outer <- outer,
            // INVARIANT: Associated with the lock just initialised.
            // SAFETY: `slot` is valid for writes. The lock is initialised, and pinned beside the
            // count; name and key are static.
            count <- Opaque::ffi_init(|slot| unsafe {
                L::Native::init(slot, outer.as_raw(), name.as_char_ptr(), key.as_ptr())
            }),
            data: Words::new(value),
        })
    }

    /// The writers' lock, to be taken in another way than [`lock`](Self::lock) does.
    #[inline]
    pub fn outer(&self) -> &L {
        &self.outer
    }

    /// Returns a consistent copy, trying as long as it takes.
    #[inline]
    pub fn read(&self) -> T {
        loop {
            // SAFETY: The count is initialised, as in all methods below.
            let seq = unsafe { L::Native::read_begin(self.count.get()) };
            let copy = self.data.load();
            // SAFETY: See above; `seq` is from the matching begin.
            if !unsafe { L::Native::retry(self.count.get(), seq) } {
                return copy;
            }
        }
    }

    /// Returns a consistent copy, or `None` if `tries` copies had to be thrown away.
    ///
    /// It ends even if a writer died inside its critical section.
    #[inline]
    pub fn try_read(&self, tries: u32) -> Option<T> {
        for _ in 0..tries {
            let mut seq = 0;
            // SAFETY: The count is initialised; `seq` is valid for writes.
            if unsafe { L::Native::try_begin(self.count.get(), &mut seq) } {
                let copy = self.data.load();
                // SAFETY: As above; `seq` is from the matching begin.
                if !unsafe { L::Native::retry(self.count.get(), seq) } {
                    return Some(copy);
                }
            }
            core::hint::spin_loop();
        }
        None
    }

    /// Returns a consistent copy: lockless if one of `tries` succeeds, else with the writers' lock
    /// taken, so from where that may be.
    #[inline]
    pub fn read_or_lock(&self, tries: u32) -> T {
        self.try_read(tries).unwrap_or_else(|| self.lock().load())
    }

    /// Copies without looking at the count, so possibly torn: what a broken reader would do.
    #[cfg(CONFIG_CHILDKERNEL_TWINS)]
    pub(crate) fn read_torn(&self, pause: impl Fn()) -> T {
        self.data.load_with(pause)
    }

    /// Takes the writers' lock.
    #[inline]
    pub fn lock(&self) -> SeqGuard<'_, T, L> {
        // INVARIANT: The guard is of our lock.
        SeqGuard {
            count: self,
            guard: self.outer.take(),
        }
    }

    /// Takes the writers' lock if it is free.
    #[inline]
    #[must_use = "if unused, the lock is released at once"]
    pub fn try_lock(&self) -> Option<SeqGuard<'_, T, L>> {
        let guard = self.outer.try_take()?;
        // INVARIANT: The guard is of our lock.
        Some(SeqGuard { count: self, guard })
    }

    /// Goes on with a guard of the writers' lock that was taken through [`outer`](Self::outer).
    ///
    /// # Errors
    ///
    /// `EINVAL` if it is the guard of another lock, which is then released.
    #[inline]
    pub fn adopt<'a>(&'a self, guard: L::Guard<'a>) -> Result<SeqGuard<'a, T, L>> {
        if !core::ptr::eq(L::held(&guard), &self.outer) {
            return Err(EINVAL);
        }
        // INVARIANT: The guard is of our lock, as it was just found.
        Ok(SeqGuard { count: self, guard })
    }
}

/// Holds the writers' lock of a [`SeqCount`], and lends what that protects beside.
///
/// # Invariants
///
/// `guard` holds the lock inside `count`. So it is never lent mutably: it could be exchanged.
#[must_use = "the lock is released at once when the guard is unused"]
pub struct SeqGuard<'a, T: Payload, L: Outer> {
    count: &'a SeqCount<T, L>,
    guard: L::Guard<'a>,
}

impl<'a, T: Payload, L: Outer + 'a> SeqGuard<'a, T, L> {
    /// Returns the present value.
    #[inline]
    pub fn load(&self) -> T {
        self.count.data.load()
    }

    /// Begins to write: readers wait, or retry, from here on. Must not sleep until it ends.
    #[inline]
    pub fn write(&mut self) -> WriteGuard<'_, 'a, T, L> {
        // SAFETY: By the type invariant the lock is held.
        unsafe { L::Native::write_begin(self.count.count.get()) };
        // INVARIANT: The write side was just entered.
        WriteGuard {
            guard: self,
            _not_send: NotThreadSafe,
        }
    }
}

impl<'a, T: Payload, L: Outer + 'a> Deref for SeqGuard<'a, T, L> {
    type Target = L::Data;

    #[inline]
    fn deref(&self) -> &L::Data {
        &self.guard
    }
}

impl<'a, T: Payload, L: Outer + 'a> DerefMut for SeqGuard<'a, T, L>
where
    L::Guard<'a>: DerefMut,
{
    #[inline]
    fn deref_mut(&mut self) -> &mut L::Data {
        &mut self.guard
    }
}

/// The write side of a [`SeqCount`].
///
/// # Invariants
///
/// This thread is inside the write side as long as the guard lives, and holds the lock.
#[must_use = "the write side is left at once when the guard is unused"]
pub struct WriteGuard<'g, 'a, T: Payload, L: Outer> {
    guard: &'g mut SeqGuard<'a, T, L>,
    _not_send: NotThreadSafe,
}

impl<T: Payload, L: Outer> WriteGuard<'_, '_, T, L> {
    /// Returns the present value.
    #[inline]
    pub fn load(&self) -> T {
        self.guard.load()
    }

    /// Stores a new value.
    #[inline]
    pub fn store(&mut self, value: T) {
        self.guard.count.data.store(value);
    }

    /// Stores what `new` makes of the present value.
    #[inline]
    pub fn update(&mut self, new: impl FnOnce(T) -> T) {
        self.store(new(self.load()));
    }
}

impl<T: Payload, L: Outer> Drop for WriteGuard<'_, '_, T, L> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { L::Native::write_end(self.guard.count.count.get()) };
    }
}
