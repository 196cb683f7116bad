// SPDX-License-Identifier: GPL-2.0

//! Reader-writer spinlocks: many readers or one writer, none of which sleeps.
//!
//! Worth it only where readers stay long enough to meet each other: all of them write the lock's
//! own cache line. For small data a sequence lock, for linked data RCU is nearly always better.
//!
//! As with spinlocks the context is part of the type: [`RwLock`] for process context, [`RwLockBh`]
//! for data that soft interrupts use, [`RwLockIrq`] for hard ones.
//!
//! No upgrade from reading to writing exists, and none can: of two readers that both wanted it each
//! would spin for the other to leave. Leave, take it for writing, and look again at what was read.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/rwlock.h`](srctree/include/linux/rwlock.h) |
//! | context | [`RwLock`] process, [`RwLockBh`] process and softirq, [`RwLockIrq`] all; `try_read` and `try_write` the same, but those of [`RwLock`] anywhere |
//! | safe against | preempt-safe: yes; SMP-safe: yes; interrupt-safe: `Bh` against soft interrupts, `Irq` against both, the other against neither |
//! | sleeps | no, and nothing that sleeps may be done while one is held |
//! | `PREEMPT_RT` | a sleeping lock: preemption and interrupts stay on, hard interrupts must not even try; writers may starve |
//! | fairness | readers and writers queue as for a spinlock; but a reader in an interrupt, or with bottom halves off as all of [`RwLockBh`], goes past a writer that waits, so enough of them starve it |
//! | cost | an atomic operation each way, readers too, all on one cache line |
//! | order | taking is an acquire, releasing a release: readers see what writers did before, writers all that readers did |
//! | errors | none: it waits for ever; a thread that reads twice does so as soon as a writer waits in between |

use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ops::{Deref, DerefMut},
};
use kernel::{
    bindings,
    prelude::*,
    sync::LockClassKey,
    types::{NotThreadSafe, Opaque},
};

/// Creates an initialiser for an [`RwLock`], [`RwLockBh`] or [`RwLockIrq`] with the given name and
/// a lock class of its own.
#[macro_export]
macro_rules! new_rwlock {
    ($inner:expr, $name:literal) => {
        $crate::sync::rwlock::RwLockIn::new(
            $inner,
            $crate::lock_name!($name),
            ::kernel::static_lock_class!(),
        )
    };
}
pub use crate::new_rwlock;

/// For process context.
pub type RwLock<T> = RwLockIn<T, Plain>;
/// For process context and softirq.
pub type RwLockBh<T> = RwLockIn<T, Bh>;
/// For process context, softirq and hardirq.
pub type RwLockIrq<T> = RwLockIn<T, Irq>;

/// How the lock is taken. Implemented by [`Plain`], [`Bh`] and [`Irq`].
///
/// # Safety
///
/// The functions must be those of one native variant.
pub unsafe trait Variant {
    /// # Safety
    ///
    /// The lock must be initialised, here and in `try_read`, `write` and `try_write`.
    unsafe fn read(lock: *mut bindings::rwlock_t);
    /// # Safety
    ///
    /// See `read`.
    unsafe fn try_read(lock: *mut bindings::rwlock_t) -> bool;
    /// # Safety
    ///
    /// The lock must have been taken by `read` or `try_read`, by this thread.
    unsafe fn read_unlock(lock: *mut bindings::rwlock_t);
    /// # Safety
    ///
    /// See `read`.
    unsafe fn write(lock: *mut bindings::rwlock_t);
    /// # Safety
    ///
    /// See `read`.
    unsafe fn try_write(lock: *mut bindings::rwlock_t) -> bool;
    /// # Safety
    ///
    /// The lock must have been taken by `write` or `try_write`, by this thread.
    unsafe fn write_unlock(lock: *mut bindings::rwlock_t);
}

macro_rules! variant {
    (
        $(#[$doc:meta])*
        $name:ident, $read:ident, $try_read:ident, $read_unlock:ident,
        $write:ident, $try_write:ident, $write_unlock:ident
    ) => {
        $(#[$doc])*
        pub struct $name;

        // SAFETY: These belong together.
        unsafe impl Variant for $name {
            #[inline]
            unsafe fn read(lock: *mut bindings::rwlock_t) {
                // SAFETY: By the safety requirements, here and below.
                unsafe { crate::ffi::$read(lock) }
            }
            #[inline]
            unsafe fn try_read(lock: *mut bindings::rwlock_t) -> bool {
                // SAFETY: See `read`.
                unsafe { crate::ffi::$try_read(lock) }
            }
            #[inline]
            unsafe fn read_unlock(lock: *mut bindings::rwlock_t) {
                // SAFETY: See `read`.
                unsafe { crate::ffi::$read_unlock(lock) }
            }
            #[inline]
            unsafe fn write(lock: *mut bindings::rwlock_t) {
                // SAFETY: See `read`.
                unsafe { crate::ffi::$write(lock) }
            }
            #[inline]
            unsafe fn try_write(lock: *mut bindings::rwlock_t) -> bool {
                // SAFETY: See `read`.
                unsafe { crate::ffi::$try_write(lock) }
            }
            #[inline]
            unsafe fn write_unlock(lock: *mut bindings::rwlock_t) {
                // SAFETY: See `read`.
                unsafe { crate::ffi::$write_unlock(lock) }
            }
        }
    };
}

variant!(
    /// Leaves interrupts and bottom halves as they are.
    Plain,
    childkernel_read_lock,
    childkernel_read_trylock,
    childkernel_read_unlock,
    childkernel_write_lock,
    childkernel_write_trylock,
    childkernel_write_unlock
);
variant!(
    /// Keeps bottom halves off this CPU.
    Bh,
    childkernel_read_lock_bh,
    childkernel_read_trylock_bh,
    childkernel_read_unlock_bh,
    childkernel_write_lock_bh,
    childkernel_write_trylock_bh,
    childkernel_write_unlock_bh
);
variant!(
    /// Keeps interrupts off this CPU. They are counted off, so guards may be dropped in any order.
    Irq,
    childkernel_read_lock_irq,
    childkernel_read_trylock_irq,
    childkernel_read_unlock_irq,
    childkernel_write_lock_irq,
    childkernel_write_trylock_irq,
    childkernel_write_unlock_irq
);

/// Data behind a native `rwlock_t` that is taken as `V` says.
///
/// # Examples
///
/// ```ignore
/// let table: Pin<KBox<RwLock<u64>>> = KBox::pin_init(new_rwlock!(1, "table"), GFP_KERNEL)?;
/// *table.write() += 1;
/// assert_eq!(*table.read(), 2);
/// ```
#[pin_data]
pub struct RwLockIn<T, V: Variant> {
    #[pin]
    lock: Opaque<bindings::rwlock_t>,
    data: UnsafeCell<T>,
    _variant: PhantomData<V>,
}

// SAFETY: It owns the data.
unsafe impl<T: Send, V: Variant> Send for RwLockIn<T, V> {}
// SAFETY: Writers need `Send`, as each may be another thread; readers share, which needs `Sync`.
unsafe impl<T: Send + Sync, V: Variant> Sync for RwLockIn<T, V> {}

impl<T, V: Variant> RwLockIn<T, V> {
    /// Creates an initialiser. Use [`new_rwlock!`], which makes the lock class.
    pub fn new(
        value: T,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes; name and key are static.
            lock <- Opaque::ffi_init(|slot| unsafe {
                crate::ffi::childkernel_rwlock_init(slot, name.as_char_ptr(), key.as_ptr())
            }),
            data: UnsafeCell::new(value),
            _variant: PhantomData,
        })
    }

    #[inline]
    pub(super) fn as_raw(&self) -> *mut bindings::rwlock_t {
        self.lock.get()
    }

    fn read_guard(&self) -> ReadGuard<'_, T, V> {
        ReadGuard {
            lock: self,
            _not_send: NotThreadSafe,
        }
    }

    fn write_guard(&self) -> WriteGuard<'_, T, V> {
        WriteGuard {
            lock: self,
            _not_send: NotThreadSafe,
        }
    }

    /// Spins until there is no writer. Those that wait go first, but not before a reader in an
    /// interrupt, or with bottom halves off.
    #[inline]
    pub fn read(&self) -> ReadGuard<'_, T, V> {
        // SAFETY: The lock is initialised, as in all methods below.
        unsafe { V::read(self.lock.get()) };
        self.read_guard()
    }

    /// Reads if there is no writer, nor one that waits.
    #[inline]
    #[must_use = "if unused, the lock is released at once"]
    pub fn try_read(&self) -> Option<ReadGuard<'_, T, V>> {
        // SAFETY: See `read`.
        unsafe { V::try_read(self.lock.get()) }.then(|| self.read_guard())
    }

    /// Spins until nobody is there.
    #[inline]
    pub fn write(&self) -> WriteGuard<'_, T, V> {
        // SAFETY: See `read`.
        unsafe { V::write(self.lock.get()) };
        self.write_guard()
    }

    /// Writes if nobody is there.
    #[inline]
    #[must_use = "if unused, the lock is released at once"]
    pub fn try_write(&self) -> Option<WriteGuard<'_, T, V>> {
        // SAFETY: See `read`.
        unsafe { V::try_write(self.lock.get()) }.then(|| self.write_guard())
    }
}

/// Shares what an [`RwLockIn`] holds.
///
/// # Invariants
///
/// The lock is held for reading by this thread.
#[must_use = "the lock is released at once when the guard is unused"]
pub struct ReadGuard<'a, T, V: Variant> {
    lock: &'a RwLockIn<T, V>,
    _not_send: NotThreadSafe,
}

impl<T, V: Variant> Deref for ReadGuard<'_, T, V> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant there is no writer.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T, V: Variant> Drop for ReadGuard<'_, T, V> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { V::read_unlock(self.lock.lock.get()) };
    }
}

/// Has what an [`RwLockIn`] holds for itself.
///
/// # Invariants
///
/// The lock is held for writing by this thread.
#[must_use = "the lock is released at once when the guard is unused"]
pub struct WriteGuard<'a, T, V: Variant> {
    lock: &'a RwLockIn<T, V>,
    _not_send: NotThreadSafe,
}

impl<'a, T, V: Variant> WriteGuard<'a, T, V> {
    /// The lock that is held.
    #[inline]
    pub fn lock_ref(&self) -> &'a RwLockIn<T, V> {
        self.lock
    }
}

impl<T, V: Variant> Deref for WriteGuard<'_, T, V> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant nobody else is there.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T, V: Variant> DerefMut for WriteGuard<'_, T, V> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: By the type invariant nobody else is there.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T, V: Variant> Drop for WriteGuard<'_, T, V> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { V::write_unlock(self.lock.lock.get()) };
    }
}
