// SPDX-License-Identifier: GPL-2.0

//! Reader-writer semaphores: many readers or one writer, all of which may sleep.
//!
//! [`RwSemaphore`] is the usual one. [`PerCpuRwSemaphore`] is for data that is hardly ever written:
//! its readers touch nothing but their own CPU, its writers wait for a grace period. Linux has no
//! waits for that one that a signal or a stop could end, and no attempt to write.
//!
//! There is no upgrade from reading to writing: of two readers that both wanted it each would wait
//! for the other to leave. Going down is safe, and has no gap: [`WriteGuard::downgrade`].
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/rwsem.h`](srctree/include/linux/rwsem.h), [`include/linux/percpu-rwsem.h`](srctree/include/linux/percpu-rwsem.h) |
//! | context | process; `try_read` and `try_write` too, if need be with preemption off, but not in an interrupt: a task is the owner |
//! | safe against | preempt-safe: yes; SMP-safe: yes; interrupt-safe: no, interrupts can not use it |
//! | sleeps | yes, and so may who holds it |
//! | `PREEMPT_RT` | [`RwSemaphore`]: a writer's priority is inherited, readers' are not, and readers that keep coming may starve a writer; nothing should be tried with preemption off. [`PerCpuRwSemaphore`]: the same |
//! | fairness | [`RwSemaphore`]: newcomers may go ahead, but who has waited for 4 ms is handed it, so neither side starves. [`PerCpuRwSemaphore`]: queued; a writer whose turn it is keeps new readers out |
//! | cost | [`RwSemaphore`]: an atomic operation each way, readers too, on one cache line. [`PerCpuRwSemaphore`]: an addition on this CPU for readers, an RCU grace period (milliseconds) for writers |
//! | order | taking is an acquire, releasing a release: readers see what writers did before, writers all that readers did |
//! | errors | `EINTR` from [`read_interruptible`](RwSemaphore::read_interruptible) on a signal or a stop, from the killable waits on a fatal signal; `ENOMEM` making a [`PerCpuRwSemaphore`] |
//!
//! A thread must not read an [`RwSemaphore`] twice at once: a writer that waits keeps out the second.

use crate::ffi::to_result;
use core::{
    cell::UnsafeCell,
    mem::ManuallyDrop,
    ops::{Deref, DerefMut},
};
use kernel::{
    bindings,
    prelude::*,
    sync::LockClassKey,
    types::{NotThreadSafe, Opaque},
};

/// Creates an [`RwSemaphore`] initialiser with the given name and a lock class of its own.
#[macro_export]
macro_rules! new_rwsem {
    ($inner:expr, $name:literal) => {
        $crate::sync::RwSemaphore::new(
            $inner,
            $crate::lock_name!($name),
            ::kernel::static_lock_class!(),
        )
    };
}
pub use crate::new_rwsem;

/// Creates a [`PerCpuRwSemaphore`] initialiser with the given name and a lock class of its own.
#[macro_export]
macro_rules! new_percpu_rwsem {
    ($inner:expr, $name:literal) => {
        $crate::sync::rwsem::PerCpuRwSemaphore::new(
            $inner,
            $crate::lock_name!($name),
            ::kernel::static_lock_class!(),
        )
    };
}
pub use crate::new_percpu_rwsem;

/// Data behind a native `struct rw_semaphore`.
///
/// # Examples
///
/// ```ignore
/// let table = KBox::pin_init(new_rwsem!([0u8; 16], "table"), GFP_KERNEL)?;
/// let mut guard = table.write();
/// guard[0] = 1;
/// let guard = guard.downgrade(); // Other readers come in, no other writer was in between.
/// assert_eq!(guard[0], 1);
/// ```
#[pin_data]
pub struct RwSemaphore<T> {
    #[pin]
    sem: Opaque<bindings::rw_semaphore>,
    data: UnsafeCell<T>,
}

// SAFETY: It owns the data.
unsafe impl<T: Send> Send for RwSemaphore<T> {}
// SAFETY: Writers need `Send`, as each may be another thread; readers share, which needs `Sync`.
unsafe impl<T: Send + Sync> Sync for RwSemaphore<T> {}

impl<T> RwSemaphore<T> {
    /// Creates an initialiser. Use [`new_rwsem!`], which makes the lock class.
    pub fn new(
        value: T,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes; name and key are static.
            sem <- Opaque::ffi_init(|slot| unsafe {
                bindings::__init_rwsem(slot, name.as_char_ptr(), key.as_ptr())
            }),
            data: UnsafeCell::new(value),
        })
    }

    fn read_guard(&self) -> ReadGuard<'_, T> {
        ReadGuard {
            lock: self,
            _not_send: NotThreadSafe,
        }
    }

    fn write_guard(&self) -> WriteGuard<'_, T> {
        WriteGuard {
            lock: self,
            _not_send: NotThreadSafe,
        }
    }

    /// Waits to read, however long it takes.
    #[inline]
    pub fn read(&self) -> ReadGuard<'_, T> {
        // SAFETY: The semaphore is initialised, as in all methods below.
        unsafe { bindings::down_read(self.sem.get()) };
        self.read_guard()
    }

    /// Waits to read; a signal or a request to stop ends the wait.
    ///
    /// # Errors
    ///
    /// `EINTR` when interrupted.
    #[inline]
    pub fn read_interruptible(&self) -> Result<ReadGuard<'_, T>> {
        // SAFETY: See `read`.
        to_result(unsafe { bindings::down_read_interruptible(self.sem.get()) })?;
        Ok(self.read_guard())
    }

    /// Waits to read; a fatal signal ends the wait.
    ///
    /// # Errors
    ///
    /// `EINTR` when killed.
    #[inline]
    pub fn read_killable(&self) -> Result<ReadGuard<'_, T>> {
        // SAFETY: See `read`.
        to_result(unsafe { bindings::down_read_killable(self.sem.get()) })?;
        Ok(self.read_guard())
    }

    /// Reads if no writer is there and nobody waits.
    #[inline]
    #[must_use = "if unused, the semaphore is released at once"]
    pub fn try_read(&self) -> Option<ReadGuard<'_, T>> {
        // SAFETY: See `read`.
        let got = unsafe { bindings::down_read_trylock(self.sem.get()) } != 0;
        got.then(|| self.read_guard())
    }

    /// Waits to write, however long it takes.
    #[inline]
    pub fn write(&self) -> WriteGuard<'_, T> {
        // SAFETY: See `read`.
        unsafe { bindings::down_write(self.sem.get()) };
        self.write_guard()
    }

    /// Waits to write; a fatal signal ends the wait. (Linux has no interruptible one.)
    ///
    /// # Errors
    ///
    /// `EINTR` when killed.
    #[inline]
    pub fn write_killable(&self) -> Result<WriteGuard<'_, T>> {
        // SAFETY: See `read`.
        to_result(unsafe { bindings::down_write_killable(self.sem.get()) })?;
        Ok(self.write_guard())
    }

    /// Writes if nobody is there.
    #[inline]
    #[must_use = "if unused, the semaphore is released at once"]
    pub fn try_write(&self) -> Option<WriteGuard<'_, T>> {
        // SAFETY: See `read`.
        let got = unsafe { bindings::down_write_trylock(self.sem.get()) } != 0;
        got.then(|| self.write_guard())
    }
}

/// Shares what an [`RwSemaphore`] holds.
///
/// # Invariants
///
/// The semaphore is held for reading by this thread.
#[must_use = "the semaphore is released at once when the guard is unused"]
pub struct ReadGuard<'a, T> {
    lock: &'a RwSemaphore<T>,
    _not_send: NotThreadSafe,
}

impl<T> Deref for ReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant there is no writer.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> Drop for ReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::up_read(self.lock.sem.get()) };
    }
}

/// Has what an [`RwSemaphore`] holds for itself.
///
/// # Invariants
///
/// The semaphore is held for writing by this thread.
#[must_use = "the semaphore is released at once when the guard is unused"]
pub struct WriteGuard<'a, T> {
    lock: &'a RwSemaphore<T>,
    _not_send: NotThreadSafe,
}

impl<'a, T> WriteGuard<'a, T> {
    /// Goes on as a reader. Other readers come in; no writer was in between.
    #[inline]
    pub fn downgrade(self) -> ReadGuard<'a, T> {
        let this = ManuallyDrop::new(self);
        // SAFETY: By the type invariant; `drop` does not run.
        unsafe { bindings::downgrade_write(this.lock.sem.get()) };
        // INVARIANT: It is held for reading now.
        this.lock.read_guard()
    }
}

impl<T> Deref for WriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant nobody else is there.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> DerefMut for WriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: By the type invariant nobody else is there.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T> Drop for WriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::up_write(self.lock.sem.get()) };
    }
}

/// Data behind a native `struct percpu_rw_semaphore`.
///
/// A reader adds to a counter of its own CPU and nothing else; a writer waits for an RCU grace
/// period and then for the readers.
///
/// # Examples
///
/// ```ignore
/// let config = KBox::pin_init(new_percpu_rwsem!(7, "config"), GFP_KERNEL)?;
/// assert_eq!(*config.read(), 7);
/// ```
#[pin_data(PinnedDrop)]
pub struct PerCpuRwSemaphore<T> {
    #[pin]
    sem: Opaque<bindings::percpu_rw_semaphore>,
    data: UnsafeCell<T>,
}

// SAFETY: It owns the data.
unsafe impl<T: Send> Send for PerCpuRwSemaphore<T> {}
// SAFETY: As for `RwSemaphore`.
unsafe impl<T: Send + Sync> Sync for PerCpuRwSemaphore<T> {}

impl<T> PerCpuRwSemaphore<T> {
    /// Creates an initialiser. Use [`new_percpu_rwsem!`], which makes the lock class.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(
        value: T,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            // SAFETY: `slot` is valid for writes; name and key are static.
            sem <- Opaque::try_ffi_init(|slot| to_result(unsafe {
                bindings::__percpu_init_rwsem(slot, name.as_char_ptr(), key.as_ptr())
            })),
            data: UnsafeCell::new(value),
        })
    }

    /// Waits to read: for no longer than a writer is there.
    #[inline]
    pub fn read(&self) -> PerCpuReadGuard<'_, T> {
        // SAFETY: The semaphore is initialised, as in all methods below.
        unsafe { crate::ffi::childkernel_percpu_down_read(self.sem.get()) };
        PerCpuReadGuard {
            lock: self,
            _not_send: NotThreadSafe,
        }
    }

    /// Reads if no writer is there, nor waits for readers to leave.
    #[inline]
    #[must_use = "if unused, the semaphore is released at once"]
    pub fn try_read(&self) -> Option<PerCpuReadGuard<'_, T>> {
        // SAFETY: See `read`.
        let got = unsafe { crate::ffi::childkernel_percpu_down_read_trylock(self.sem.get()) };
        got.then(|| PerCpuReadGuard {
            lock: self,
            _not_send: NotThreadSafe,
        })
    }

    /// Waits for a grace period and for all readers.
    pub fn write(&self) -> PerCpuWriteGuard<'_, T> {
        // SAFETY: See `read`.
        unsafe { bindings::percpu_down_write(self.sem.get()) };
        PerCpuWriteGuard {
            lock: self,
            _not_send: NotThreadSafe,
        }
    }
}

#[pinned_drop]
impl<T> PinnedDrop for PerCpuRwSemaphore<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: It was initialised, and no guard borrows it any more.
        unsafe { bindings::percpu_free_rwsem(self.sem.get()) };
    }
}

/// Shares what a [`PerCpuRwSemaphore`] holds.
///
/// # Invariants
///
/// The semaphore is held for reading by this thread.
#[must_use = "the semaphore is released at once when the guard is unused"]
pub struct PerCpuReadGuard<'a, T> {
    lock: &'a PerCpuRwSemaphore<T>,
    _not_send: NotThreadSafe,
}

impl<T> Deref for PerCpuReadGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant there is no writer.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> Drop for PerCpuReadGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { crate::ffi::childkernel_percpu_up_read(self.lock.sem.get()) };
    }
}

/// Has what a [`PerCpuRwSemaphore`] holds for itself.
///
/// # Invariants
///
/// The semaphore is held for writing by this thread.
#[must_use = "the semaphore is released at once when the guard is unused"]
pub struct PerCpuWriteGuard<'a, T> {
    lock: &'a PerCpuRwSemaphore<T>,
    _not_send: NotThreadSafe,
}

impl<T> Deref for PerCpuWriteGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: By the type invariant nobody else is there.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> DerefMut for PerCpuWriteGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: By the type invariant nobody else is there.
        unsafe { &mut *self.lock.data.get() }
    }
}

impl<T> Drop for PerCpuWriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::percpu_up_write(self.lock.sem.get()) };
    }
}
