// SPDX-License-Identifier: GPL-2.0

//! Sequence locks: readers that never make a writer wait.
//!
//! A reader copies the data and looks at a counter before and after; if a writer was there in
//! between, it throws the copy away and tries again. Good for small, plain data that is read much
//! more often than written: times, positions, statistics.
//!
//! As with spinlocks the context is part of the type: [`SeqLock`] for process context,
//! [`SeqLockBh`] for data that soft interrupts use, [`SeqLockIrq`] for hard ones. A reader needs
//! none of that for itself, but it waits for a writer: one that interrupted a writer on its own CPU
//! would wait for ever, so it is the writers that keep such readers out. Where the writers have
//! another lock already, take a [`SeqCount`](super::SeqCount) instead.
//!
//! What is read is a copy, so there is no closure to run on it and nothing to be undone when it is
//! thrown away. What it may be is said at [`Payload`].
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/seqlock.h`](srctree/include/linux/seqlock.h), [locking/seqlock](https://docs.kernel.org/locking/seqlock.html) |
//! | context | readers, locked ones and writers: process; process and softirq with `Bh`; those and hardirq with `Irq`. `try_read` waits for nobody, so it may be used anywhere; `try_write` too but with `Bh` in hardirq, though lockdep takes it for a mistake where a plain one succeeds in an interrupt |
//! | safe against | preempt-safe: yes; SMP-safe: yes; interrupt-safe: soft ones with `Bh`, all with `Irq` |
//! | sleeps | no: not a writer, not a locked reader, and neither must while it is inside |
//! | `PREEMPT_RT` | the spinlock inside sleeps and interrupts stay on; a reader that meets a writer sleeps until it is through. So process context only, but for `try_read`, which waits for nobody there either; in hardirq nothing but that. Who tries again and again may keep a preempted writer from its CPU, `read` and `read_or_lock` let it go on |
//! | fairness | writers queue as in a spinlock and never wait for lockless readers; those may retry for as long as there are writers, `read_or_lock` ends that |
//! | cost | a read: two loads of the counter and the copy, no store; a write: a spinlock, two increments, two write barriers |
//! | order | a read that returns sees all that the writer of that value did before it stored it |
//! | errors | none; `try_read` and `try_write` return `None` |

use super::words::Words;
use core::{marker::PhantomData, ops::Deref};
use kernel::{
    bindings,
    prelude::*,
    sync::LockClassKey,
    types::{NotThreadSafe, Opaque},
};

pub use super::{
    rwlock::{Bh, Irq, Plain},
    words::Payload,
};

/// Creates an initialiser for a [`SeqLock`], [`SeqLockBh`] or [`SeqLockIrq`] with the given name
/// and lock classes of its own.
#[macro_export]
macro_rules! new_seqlock {
    ($inner:expr, $name:literal) => {
        $crate::sync::seqlock::SeqLockIn::new(
            $inner,
            $crate::lock_name!($name),
            ::kernel::static_lock_class!(),
            ::kernel::static_lock_class!(),
        )
    };
}
pub use crate::new_seqlock;

/// For process context.
pub type SeqLock<T> = SeqLockIn<T, Plain>;
/// For process context and softirq.
pub type SeqLockBh<T> = SeqLockIn<T, Bh>;
/// For process context, softirq and hardirq.
pub type SeqLockIrq<T> = SeqLockIn<T, Irq>;

/// How the lock inside is taken. Implemented by [`Plain`], [`Bh`] and [`Irq`].
///
/// # Safety
///
/// The functions must be those of one native variant.
pub unsafe trait Variant {
    /// # Safety
    ///
    /// The lock must be initialised, here and in `try_write` and `read_excl`.
    unsafe fn write(lock: *mut bindings::seqlock_t);
    /// # Safety
    ///
    /// See `write`.
    unsafe fn try_write(lock: *mut bindings::seqlock_t) -> bool;
    /// # Safety
    ///
    /// The lock must have been taken by `write` or `try_write`, by this thread.
    unsafe fn write_unlock(lock: *mut bindings::seqlock_t);
    /// # Safety
    ///
    /// See `write`.
    unsafe fn read_excl(lock: *mut bindings::seqlock_t);
    /// # Safety
    ///
    /// The lock must have been taken by `read_excl`, by this thread.
    unsafe fn read_excl_unlock(lock: *mut bindings::seqlock_t);
}

macro_rules! variant {
    (
        $name:ident, $write:ident, $try_write:ident, $write_unlock:ident, $read_excl:ident,
        $read_excl_unlock:ident
    ) => {
        // SAFETY: These belong together.
        unsafe impl Variant for $name {
            #[inline]
            unsafe fn write(lock: *mut bindings::seqlock_t) {
                // SAFETY: By the safety requirements, here and below.
                unsafe { crate::ffi::$write(lock) }
            }
            #[inline]
            unsafe fn try_write(lock: *mut bindings::seqlock_t) -> bool {
                // SAFETY: See `write`.
                unsafe { crate::ffi::$try_write(lock) }
            }
            #[inline]
            unsafe fn write_unlock(lock: *mut bindings::seqlock_t) {
                // SAFETY: See `write`.
                unsafe { crate::ffi::$write_unlock(lock) }
            }
            #[inline]
            unsafe fn read_excl(lock: *mut bindings::seqlock_t) {
                // SAFETY: See `write`.
                unsafe { crate::ffi::$read_excl(lock) }
            }
            #[inline]
            unsafe fn read_excl_unlock(lock: *mut bindings::seqlock_t) {
                // SAFETY: See `write`.
                unsafe { crate::ffi::$read_excl_unlock(lock) }
            }
        }
    };
}

variant!(
    Plain,
    childkernel_write_seqlock,
    childkernel_write_tryseqlock,
    childkernel_write_sequnlock,
    childkernel_read_seqlock_excl,
    childkernel_read_sequnlock_excl
);
variant!(
    Bh,
    childkernel_write_seqlock_bh,
    childkernel_write_tryseqlock_bh,
    childkernel_write_sequnlock_bh,
    childkernel_read_seqlock_excl_bh,
    childkernel_read_sequnlock_excl_bh
);
variant!(
    Irq,
    childkernel_write_seqlock_irq,
    childkernel_write_tryseqlock_irq,
    childkernel_write_sequnlock_irq,
    childkernel_read_seqlock_excl_irq,
    childkernel_read_sequnlock_excl_irq
);

/// Data behind a native `seqlock_t` whose spinlock is taken as `V` says.
///
/// # Examples
///
/// ```ignore
/// let pos: Pin<KBox<SeqLock<[u64; 2]>>> =
///     KBox::pin_init(new_seqlock!([0, 0], "position"), GFP_KERNEL)?;
/// pos.write().store([3, 4]);
/// assert_eq!(pos.read(), [3, 4]);
/// pos.write().update(|[x, y]| [x + 1, y]);
/// assert_eq!(pos.read_or_lock(2), [4, 4]);
/// ```
#[pin_data]
pub struct SeqLockIn<T: Payload, V: Variant> {
    #[pin]
    lock: Opaque<bindings::seqlock_t>,
    data: Words<T>,
    _variant: PhantomData<V>,
}

// SAFETY: The data is plain and `Send`; a `seqlock_t` may be used from any thread.
unsafe impl<T: Payload, V: Variant> Send for SeqLockIn<T, V> {}
// SAFETY: Shared access gives out copies, and references only to those who have locked writers
// out and each other; `Words` may be used by many threads at once.
unsafe impl<T: Payload, V: Variant> Sync for SeqLockIn<T, V> {}

impl<T: Payload, V: Variant> SeqLockIn<T, V> {
    /// Creates an initialiser. Use [`new_seqlock!`], which makes the lock classes.
    pub fn new(
        value: T,
        name: &'static CStr,
        lock_key: Pin<&'static LockClassKey>,
        seq_key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes; name and keys are static.
            lock <- Opaque::ffi_init(|slot| unsafe {
                crate::ffi::childkernel_seqlock_init(
                    slot,
                    name.as_char_ptr(),
                    lock_key.as_ptr(),
                    seq_key.as_ptr(),
                )
            }),
            data: Words::new(value),
            _variant: PhantomData,
        })
    }

    /// Returns a consistent copy, trying as long as it takes.
    #[inline]
    pub fn read(&self) -> T {
        loop {
            // SAFETY: The lock is initialised, as in all methods below.
            let seq = unsafe { crate::ffi::childkernel_read_seqbegin(self.lock.get()) };
            let copy = self.data.load();
            // SAFETY: See above; `seq` is from the matching begin.
            if !unsafe { crate::ffi::childkernel_read_seqretry(self.lock.get(), seq) } {
                return copy;
            }
        }
    }

    /// Returns a consistent copy, or `None` if `tries` copies had to be thrown away.
    ///
    /// It ends even if a writer died inside its critical section, where [`read`](Self::read) would
    /// wait forever.
    #[inline]
    pub fn try_read(&self, tries: u32) -> Option<T> {
        for _ in 0..tries {
            let mut seq = 0;
            // SAFETY: The lock is initialised; `seq` is valid for writes.
            if unsafe { crate::ffi::childkernel_read_tryseqbegin(self.lock.get(), &mut seq) } {
                let copy = self.data.load();
                // SAFETY: As above; `seq` is from the matching begin.
                if !unsafe { crate::ffi::childkernel_read_seqretry(self.lock.get(), seq) } {
                    return Some(copy);
                }
            }
            core::hint::spin_loop();
        }
        None
    }

    /// Keeps writers out, and others that read locked, and lends the data.
    ///
    /// Lockless readers are not disturbed. For one who wants the data to stay as it is for longer
    /// than a copy takes.
    #[inline]
    pub fn read_locked(&self) -> ReadGuard<'_, T, V> {
        // SAFETY: The lock is initialised.
        unsafe { V::read_excl(self.lock.get()) };
        // INVARIANT: The lock was just taken.
        ReadGuard {
            lock: self,
            _not_send: NotThreadSafe,
        }
    }

    /// Returns a consistent copy: lockless if one of `tries` succeeds, else by locking.
    ///
    /// So no storm of writers keeps this reader for longer than it takes to queue behind them.
    #[inline]
    pub fn read_or_lock(&self, tries: u32) -> T {
        self.try_read(tries).unwrap_or_else(|| *self.read_locked())
    }

    /// Waits for other writers and begins to write.
    #[inline]
    pub fn write(&self) -> WriteGuard<'_, T, V> {
        // SAFETY: The lock is initialised.
        unsafe { V::write(self.lock.get()) };
        // INVARIANT: The write side was just taken.
        WriteGuard {
            lock: self,
            _not_send: NotThreadSafe,
        }
    }

    /// Begins to write if no other writer is there, nor one that reads locked.
    #[inline]
    #[must_use = "if unused, the lock is released at once"]
    pub fn try_write(&self) -> Option<WriteGuard<'_, T, V>> {
        // SAFETY: The lock is initialised.
        // INVARIANT: If so the write side was just taken.
        unsafe { V::try_write(self.lock.get()) }.then(|| WriteGuard {
            lock: self,
            _not_send: NotThreadSafe,
        })
    }
}

/// What is broken on purpose, so that tests can see it noticed.
#[cfg(CONFIG_CHILDKERNEL_TWINS)]
impl<T: Payload, V: Variant> SeqLockIn<T, V> {
    /// Copies without looking at the counter, so possibly torn: what a broken reader would do.
    pub(crate) fn read_torn(&self, pause: impl Fn()) -> T {
        self.data.load_with(pause)
    }

    /// Leaves the counter odd, as a writer that died in its critical section does; but the lock is
    /// free. Nothing but `try_read` and what locks returns from then on.
    pub fn leave_odd(&self) {
        let _kept_out = self.read_locked();
        // SAFETY: The lock is initialised, and held.
        unsafe { crate::ffi::childkernel_seqlock_leave_odd(self.lock.get()) };
    }
}

/// Lends what a [`SeqLockIn`] holds to one who reads locked.
///
/// # Invariants
///
/// The lock inside is held by this thread, without writing.
#[must_use = "the lock is released at once when the guard is unused"]
pub struct ReadGuard<'a, T: Payload, V: Variant> {
    lock: &'a SeqLockIn<T, V>,
    _not_send: NotThreadSafe,
}

impl<T: Payload, V: Variant> Deref for ReadGuard<'_, T, V> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant there is no writer, so all that others do is load.
        unsafe { self.lock.data.as_ref() }
    }
}

impl<T: Payload, V: Variant> Drop for ReadGuard<'_, T, V> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { V::read_excl_unlock(self.lock.lock.get()) };
    }
}

/// The write side of a [`SeqLockIn`].
///
/// There is no `DerefMut`: readers look at the data all the time, so it is stored to, not lent.
///
/// # Invariants
///
/// The write side is held by this thread as long as the guard lives.
#[must_use = "the write side is released at once when the guard is unused"]
pub struct WriteGuard<'a, T: Payload, V: Variant> {
    lock: &'a SeqLockIn<T, V>,
    _not_send: NotThreadSafe,
}

impl<T: Payload, V: Variant> WriteGuard<'_, T, V> {
    /// Returns the present value.
    #[inline]
    pub fn load(&self) -> T {
        self.lock.data.load()
    }

    /// Stores a new value.
    #[inline]
    pub fn store(&mut self, value: T) {
        self.lock.data.store(value);
    }

    /// Stores what `new` makes of the present value.
    #[inline]
    pub fn update(&mut self, new: impl FnOnce(T) -> T) {
        self.store(new(self.load()));
    }
}

impl<T: Payload, V: Variant> Drop for WriteGuard<'_, T, V> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant the write side is held.
        unsafe { V::write_unlock(self.lock.lock.get()) };
    }
}
