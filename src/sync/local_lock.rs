// SPDX-License-Identifier: GPL-2.0

//! Local locks: per-CPU data whose fields have to agree, on every kernel.
//!
//! Disabling preemption, bottom halves or interrupts keeps a CPU's own data from two users at
//! once, but does not say which data. A local lock has the data inside. On most kernels it is
//! just that, and costs no more; on `PREEMPT_RT`, where long sections that are not preemptible are
//! what one wants to get rid of, it is a spinlock for each CPU, held by a thread that stays on its
//! CPU and may be preempted.
//!
//! | data is shared with | take |
//! |---|---|
//! | process context only | [`LocalLock`] |
//! | soft interrupts | [`LocalLockBh`] |
//! | hard interrupts | [`LocalLockIrq`] |
//!
//! As with spinlocks the context is part of the type.
//!
//! # Why the guard is no `&mut`
//!
//! But on `PREEMPT_RT`, nothing notices a thread that takes the lock again while it holds it, nor
//! an interrupt that takes one of the wrong type: both are inside. With `&mut` that would be two
//! exclusive references to one value. So a guard gives a shared reference, and `T` is `Sync`: its
//! fields are `Atomic`, moved by relaxed loads and stores, which are plain moves. Used in the right
//! way the fields agree whenever the lock is taken; in the wrong way they do not, and nothing worse.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/local_lock.h`](srctree/include/linux/local_lock.h) |
//! | context | `LocalLock`: process; `LocalLockBh`: process, softirq; `LocalLockIrq`: process, softirq, hardirq |
//! | safe against | preempt-safe; interrupt-safe against soft interrupts with `Bh`, against hard ones with `Irq`; SMP-safe as each CPU has its own |
//! | sleeps | no, and no sleeping while it is held |
//! | `PREEMPT_RT` | it is a spinlock that sleeps: not in hardirq, nor under a raw spinlock or a token; interrupts stay on; taking it twice is a deadlock |
//! | fairness | nobody waits, and `try_lock` gets it; on `PREEMPT_RT` by priority |
//! | cost | as the token: a few instructions on this CPU's own memory |
//! | order | for who takes it next on the same CPU; none for others: what they read needs its own |
//! | errors | `ENOMEM` when made |

use super::{percpu::PerCpu, preempt::CpuPinned};
use core::{marker::PhantomData, ops::Deref};
use kernel::{
    bindings,
    cpu::CpuId,
    prelude::*,
    sync::LockClassKey,
    types::{NotThreadSafe, Opaque},
};

/// Creates a [`LocalLock`], [`LocalLockBh`] or [`LocalLockIrq`] with the given name and a lock class
/// of its own, from a closure that makes the value of each CPU.
#[macro_export]
macro_rules! new_local_lock {
    ($value:expr, $name:literal) => {
        $crate::sync::local_lock::LocalLockIn::new(
            $value,
            $crate::lock_name!($name),
            ::kernel::static_lock_class!(),
        )
    };
}
pub use crate::new_local_lock;

/// For process context.
pub type LocalLock<T> = LocalLockIn<T, Plain>;
/// For process context and softirq.
pub type LocalLockBh<T> = LocalLockIn<T, Bh>;
/// For process context, softirq and hardirq.
pub type LocalLockIrq<T> = LocalLockIn<T, Irq>;

/// How the lock is taken. Implemented by [`Plain`], [`Bh`] and [`Irq`].
///
/// # Safety
///
/// The functions must be those of one native variant, and while the lock is held its thread must
/// not be moved to another CPU unless it sleeps.
pub unsafe trait Variant {
    /// # Safety
    ///
    /// `lock` must be the per-CPU address of locks that are initialised.
    unsafe fn lock(lock: *mut bindings::local_lock_t);
    /// # Safety
    ///
    /// See `lock`.
    unsafe fn try_lock(lock: *mut bindings::local_lock_t) -> bool;
    /// # Safety
    ///
    /// This CPU's lock must have been taken by `lock` or `try_lock`, by this thread.
    unsafe fn unlock(lock: *mut bindings::local_lock_t);
}

macro_rules! variant {
    ($(#[$doc:meta])* $name:ident, $lock:ident, $try_lock:ident, $unlock:ident) => {
        $(#[$doc])*
        pub struct $name;

        // SAFETY: These belong together. They disable preemption, or, where it is a lock that
        // sleeps, migration.
        unsafe impl Variant for $name {
            #[inline]
            unsafe fn lock(lock: *mut bindings::local_lock_t) {
                // SAFETY: By the safety requirements.
                unsafe { crate::ffi::$lock(lock) }
            }

            #[inline]
            unsafe fn try_lock(lock: *mut bindings::local_lock_t) -> bool {
                // SAFETY: By the safety requirements.
                unsafe { crate::ffi::$try_lock(lock) }
            }

            #[inline]
            unsafe fn unlock(lock: *mut bindings::local_lock_t) {
                // SAFETY: By the safety requirements.
                unsafe { crate::ffi::$unlock(lock) }
            }
        }
    };
}

variant!(
    /// Keeps off other threads of this CPU.
    Plain, childkernel_local_lock, childkernel_local_trylock, childkernel_local_unlock
);
variant!(
    /// Keeps off soft interrupts of this CPU too.
    Bh, childkernel_local_lock_bh, childkernel_local_trylock_bh, childkernel_local_unlock_bh
);
variant!(
    /// Keeps off all interrupts of this CPU too. They are counted off, so guards may be dropped in
    /// any order.
    Irq, childkernel_local_lock_irq, childkernel_local_trylock_irq, childkernel_local_unlock_irq
);

/// What each CPU has. The lock comes first: its address is also that of the slot.
#[pin_data]
#[repr(C)]
struct Slot<T> {
    #[pin]
    lock: Opaque<bindings::local_lock_t>,
    value: T,
}

// SAFETY: A `local_lock_t` is not bound to a thread while nobody holds it.
unsafe impl<T: Send> Send for Slot<T> {}
// SAFETY: A `local_lock_t` is there to be shared; of the value shared references are given out.
unsafe impl<T: Sync> Sync for Slot<T> {}

/// A `T` for each possible CPU behind that CPU's native `local_lock_t`.
///
/// # Examples
///
/// ```ignore
/// struct Traffic {
///     packets: Atomic<u64>,
///     bytes: Atomic<u64>,
/// }
///
/// let traffic: LocalLock<Traffic> = new_local_lock!(
///     |_cpu| Traffic { packets: Atomic::new(0), bytes: Atomic::new(0) },
///     "traffic"
/// )?;
/// let mine = traffic.lock();
/// mine.packets.store(mine.packets.load(Relaxed) + 1, Relaxed);
/// mine.bytes.store(mine.bytes.load(Relaxed) + 1500, Relaxed);
/// drop(mine);
/// assert_eq!(traffic.sum(|t| t.bytes.load(Relaxed)), 1500);
/// ```
pub struct LocalLockIn<T: Send + Sync, V: Variant> {
    slots: PerCpu<Slot<T>>,
    _variant: PhantomData<V>,
}

// SAFETY: The variant is no data.
unsafe impl<T: Send + Sync, V: Variant> Send for LocalLockIn<T, V> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync, V: Variant> Sync for LocalLockIn<T, V> {}

impl<T: Send + Sync, V: Variant> LocalLockIn<T, V> {
    /// Makes a lock and a value for each possible CPU. Use [`new_local_lock!`], which makes the lock
    /// class.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(
        mut value: impl FnMut(CpuId) -> T,
        name: &'static CStr,
        key: Pin<&'static LockClassKey>,
    ) -> Result<Self> {
        let slots = PerCpu::pin_init(|cpu| {
            let value = value(cpu);
            pin_init!(Slot {
                // SAFETY: `slot` is valid for writes; name and key are static.
                lock <- Opaque::ffi_init(|slot| unsafe {
                    crate::ffi::childkernel_local_lock_init(slot, name.as_char_ptr(), key.as_ptr())
                }),
                value,
            })
        })?;
        Ok(Self {
            slots,
            _variant: PhantomData,
        })
    }

    fn as_raw(&self) -> *mut bindings::local_lock_t {
        self.slots.as_ptr().cast()
    }

    /// Takes this CPU's lock. Not again by who holds it.
    #[inline]
    pub fn lock(&self) -> LocalLockGuard<'_, T, V> {
        // SAFETY: `as_raw` is the per-CPU address of initialised locks.
        unsafe { V::lock(self.as_raw()) };
        // INVARIANT: It was just taken.
        LocalLockGuard {
            lock: self,
            _not_send: NotThreadSafe,
        }
    }

    /// Takes this CPU's lock if that needs no waiting: always, but on `PREEMPT_RT`, where disabling
    /// bottom halves may have to wait before. Not by who holds it.
    #[inline]
    #[must_use = "if unused, the lock is released at once"]
    pub fn try_lock(&self) -> Option<LocalLockGuard<'_, T, V>> {
        // SAFETY: See `lock`.
        // INVARIANT: It was just taken.
        unsafe { V::try_lock(self.as_raw()) }.then(|| LocalLockGuard {
            lock: self,
            _not_send: NotThreadSafe,
        })
    }

    /// The value of a CPU, if there can be such a CPU, without its lock: the fields of one that is
    /// in use need not agree.
    #[inline]
    pub fn peek(&self, cpu: CpuId) -> Option<&T> {
        self.slots.of(cpu).map(|slot| &slot.value)
    }

    /// Adds up what `f` makes of the value of each possible CPU, modulo 2^64, without locking.
    ///
    /// Exact when nobody writes meanwhile.
    pub fn sum(&self, mut f: impl FnMut(&T) -> u64) -> u64 {
        self.slots.sum(|slot| f(&slot.value))
    }
}

/// Holds this CPU's lock of a [`LocalLockIn`]. A token for other per-CPU data as well.
///
/// # Invariants
///
/// The lock of the CPU that this thread is on is held.
#[must_use = "the lock is released at once when the guard is unused"]
pub struct LocalLockGuard<'a, T: Send + Sync, V: Variant> {
    lock: &'a LocalLockIn<T, V>,
    _not_send: NotThreadSafe,
}

// SAFETY: Says `Variant`; it is not `Send`.
unsafe impl<T: Send + Sync, V: Variant> CpuPinned for LocalLockGuard<'_, T, V> {}

impl<T: Send + Sync, V: Variant> Deref for LocalLockGuard<'_, T, V> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.lock.slots.get(self).value
    }
}

impl<T: Send + Sync, V: Variant> Drop for LocalLockGuard<'_, T, V> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant this CPU's lock is held.
        unsafe { V::unlock(self.lock.as_raw()) };
    }
}
