// SPDX-License-Identifier: GPL-2.0

//! A pointer that is read under RCU: readers take no lock and wait for nobody.
//!
//! Read-mostly data of any size and kind: a configuration, a table, a set of operations. A writer
//! makes a new value and exchanges the pointer; readers see the old value or the new one, whole.
//! For data that is small and plain a [`SeqLock`](super::SeqLock) needs no memory for each write;
//! but its readers retry.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h) |
//! | context | reading, exchanging and deferring the old value's end: process, softirq, hardirq; `synchronize`: process; values are dropped in process context |
//! | safe against | preempt-safe: yes; SMP-safe: yes; interrupt-safe: yes, an interrupt may read and exchange too |
//! | sleeps | no; only [`Retired::synchronize`] does |
//! | `PREEMPT_RT` | the same; readers are preemptible, as with `CONFIG_PREEMPT_RCU` |
//! | fairness | readers never wait; writers exchange in some order, none waits for another |
//! | cost | reading: a load; writing: an allocation, an atomic exchange and a grace period later a free |
//! | order | who reads a value sees all that was done before it was published; `xchg()` is a full barrier |
//! | errors | `ENOMEM` from [`Node::new`]; [`Rcu::try_replace`] gives the new value back if it lost |

use super::{
    atomic::{Atomic, Full, Relaxed},
    rcu::{self, retired::Object},
};
use core::{marker::PhantomData, mem::offset_of, ptr::NonNull};
use kernel::prelude::*;

pub use super::rcu::retired::{Node, Retired};

/// An owning pointer to a `T`, or none, that is read under RCU.
///
/// Writers need no lock: exchanging is atomic. Where the new value is made from the old one either
/// a lock keeps other writers out, or [`try_replace`](Self::try_replace) sees whether one came
/// in between.
///
/// Values that were replaced pile up until a grace period is over, which takes far longer than
/// replacing: a writer that goes on and on has to [`synchronize`](Retired::synchronize) once in so
/// many.
///
/// # Invariants
///
/// `object` is null, or an object from [`Node::into_raw`] that is ours and that is lent only
/// shared, except through `&mut self`.
///
/// # Examples
///
/// ```ignore
/// let config = Rcu::new(Node::new(Config { limit: 1 }, GFP_KERNEL)?);
/// let limit = config.read(&rcu::read_lock()).map(|c| c.limit);
/// if let Some(old) = config.replace(Node::new(Config { limit: 2 }, GFP_KERNEL)?) {
///     old.defer(); // Readers may still be looking at it.
/// }
/// ```
pub struct Rcu<T: Send + Sync + 'static> {
    object: Atomic<*mut Object<T, ()>>,
    _owns: PhantomData<T>,
}

// SAFETY: It owns a value that is `Send`.
unsafe impl<T: Send + Sync + 'static> Send for Rcu<T> {}
// SAFETY: Readers share a value that is `Sync`; any thread may take it out, as it is `Send`.
unsafe impl<T: Send + Sync + 'static> Sync for Rcu<T> {}

impl<T: Send + Sync + 'static> Rcu<T> {
    /// Makes a pointer to a value.
    pub fn new(value: Node<T>) -> Self {
        Self {
            // INVARIANT: The object comes from the node. Whoever shares the pointer publishes it.
            object: Atomic::new(value.into_raw().as_ptr()),
            _owns: PhantomData,
        }
    }

    /// Makes a pointer to nothing yet.
    pub const fn empty() -> Self {
        Self {
            // INVARIANT: It is null.
            object: Atomic::new(core::ptr::null_mut()),
            _owns: PhantomData,
        }
    }

    /// Reads: `rcu_dereference()`.
    ///
    /// The value may be replaced meanwhile; it stays whole and allocated as long as the guard
    /// lives.
    #[inline]
    pub fn read<'a>(&'a self, _guard: &'a rcu::Guard) -> Option<&'a T> {
        let field = self.object.as_ptr().cast();
        // SAFETY: The field is valid for reads, and the RCU read lock is held.
        let object = unsafe { crate::ffi::childkernel_rcu_dereference(field) };
        let object = object.cast::<Object<T, ()>>();
        if object.is_null() {
            return None;
        }
        // SAFETY: By the type invariant it is an object of ours. Who takes it out does not free it
        // before a grace period, that is, not within `'a`; nor is the pointer dropped within it.
        Some(unsafe { &(*object).value })
    }

    /// Whether there is nothing just now.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.object.load(Relaxed).is_null()
    }

    /// Publishes `value` in the place of what is there, which is given back.
    #[inline]
    pub fn replace(&self, value: Node<T>) -> Option<Retired<T>> {
        self.publish(value.into_raw().as_ptr())
    }

    /// Takes out what is there. Readers find nothing from then on.
    #[inline]
    #[must_use = "its end is deferred when it is unused: say so by `defer`, or `synchronize`"]
    pub fn take(&self) -> Option<Retired<T>> {
        self.publish(core::ptr::null_mut())
    }

    /// Exchanges the pointer so that whoever finds the new object sees it whole.
    ///
    /// `rcu_assign_pointer()` is a store-release; `xchg()` is that and more: a full barrier. It
    /// pairs with the address dependency of `rcu_dereference()` in [`read`](Self::read). As a
    /// litmus test:
    ///
    /// ```text
    /// C MP+xchg+addr
    ///
    /// (*
    ///  * Result: Never
    ///  *)
    ///
    /// {
    /// ptr=other;
    /// }
    ///
    /// P0(int *value, int **ptr)
    /// {
    ///     int *r0;
    ///
    ///     WRITE_ONCE(*value, 1);
    ///     r0 = xchg(ptr, value);
    /// }
    ///
    /// P1(int **ptr)
    /// {
    ///     int *r0;
    ///     int r1;
    ///
    ///     rcu_read_lock();
    ///     r0 = rcu_dereference(*ptr);
    ///     r1 = READ_ONCE(*r0);
    ///     rcu_read_unlock();
    /// }
    ///
    /// exists (1:r0=value /\ 1:r1=0)
    /// ```
    ///
    /// And the other end: what was taken out is not changed before a grace period is over.
    ///
    /// ```text
    /// C MP+xchg-sync+rcu
    ///
    /// (*
    ///  * Result: Never
    ///  *)
    ///
    /// {
    /// ptr=value;
    /// }
    ///
    /// P0(int *value, int *other, int **ptr)
    /// {
    ///     int *r0;
    ///
    ///     r0 = xchg(ptr, other);
    ///     synchronize_rcu();
    ///     WRITE_ONCE(*value, 1);
    /// }
    ///
    /// P1(int **ptr)
    /// {
    ///     int *r0;
    ///     int r1;
    ///
    ///     rcu_read_lock();
    ///     r0 = rcu_dereference(*ptr);
    ///     r1 = READ_ONCE(*r0);
    ///     rcu_read_unlock();
    /// }
    ///
    /// exists (1:r0=value /\ 1:r1=1)
    /// ```
    #[inline]
    fn publish(&self, object: *mut Object<T, ()>) -> Option<Retired<T>> {
        // INVARIANT: The new object is ours from here on, and the old one no more.
        let old = NonNull::new(self.object.xchg(object, Full))?;
        // SAFETY: By the type invariant it comes from `Node::into_raw`; only this exchange has got
        // it, and readers find the new object.
        Some(unsafe { Retired::from_raw(old) })
    }

    /// Publishes `value` if what is there is still what was `seen`, or still nothing.
    ///
    /// So writers that make the new value from the old one need no lock: who loses reads again.
    /// The order is that of [`replace`](Self::replace) if it succeeds, and none otherwise. As long
    /// as the reference lives its memory is not used again, so what is equal is the same.
    ///
    /// # Errors
    ///
    /// Gives `value` back if another writer came in between.
    ///
    /// # Examples
    ///
    /// ```ignore
    /// let mut node = Node::new(0, GFP_KERNEL)?;
    /// let guard = rcu::read_lock();
    /// let seen = counter.read(&guard);
    /// *node = seen.map_or(0, |n| *n) + 1;
    /// match counter.try_replace(seen, node) {
    ///     Ok(old) => drop(old), // Deferred.
    ///     Err(node) => drop(node), // Or try again with it.
    /// }
    /// ```
    pub fn try_replace(
        &self,
        seen: Option<&T>,
        value: Node<T>,
    ) -> Result<Option<Retired<T>>, Node<T>> {
        // Only an address to compare with: the reference need not be to a value of this pointer.
        let seen = seen.map_or(core::ptr::null_mut(), |value| {
            core::ptr::from_ref(value)
                .wrapping_byte_sub(offset_of!(Object<T, ()>, value))
                .cast::<Object<T, ()>>()
                .cast_mut()
        });
        let new = value.into_raw();
        match self.object.cmpxchg(seen, new.as_ptr(), Full) {
            // INVARIANT: As in `publish`.
            Ok(old) => Ok(NonNull::new(old).map(|old| {
                // SAFETY: As in `publish`.
                unsafe { Retired::from_raw(old) }
            })),
            // SAFETY: It was not published.
            Err(_) => Err(unsafe { Node::from_raw(new) }),
        }
    }

    /// Lends the value for changing. There are no readers: they borrow the pointer.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        let object = self.object.load(Relaxed);
        // SAFETY: By the type invariant it is null or ours, and all readers borrow `self`.
        unsafe { object.as_mut() }.map(|object| &mut object.value)
    }
}

impl<T: Send + Sync + 'static> Drop for Rcu<T> {
    /// Drops the value at once, in this context: readers borrow the pointer, so there are none.
    fn drop(&mut self) {
        let object = self.object.load(Relaxed);
        if !object.is_null() {
            // SAFETY: By the type invariant it is ours and comes from a `KBox`.
            drop(unsafe { KBox::from_raw(object) });
        }
    }
}
