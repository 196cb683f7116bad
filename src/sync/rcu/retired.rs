// SPDX-License-Identifier: GPL-2.0

//! Objects that readers reach under RCU: how they begin, and how they end.
//!
//! [`RcuList`](rcu::RcuList) and [`Rcu`](rcu::Rcu) publish such objects. Allocating is apart
//! from publishing, so that no memory is allocated under a writers' lock; and what was unlinked
//! ends no sooner than a grace period later, in process context, without having to allocate
//! anything for that.

use crate::sync::rcu;
use core::{
    ops::{Deref, DerefMut},
    ptr::NonNull,
};
use kernel::{alloc::Flags, prelude::*, types::Opaque};

/// What is allocated: a value, its place `H` in a structure, and what its deferred end needs.
#[pin_data]
pub(in crate::sync) struct Object<T, H> {
    #[pin]
    pub(in crate::sync) place: Opaque<H>,
    #[pin]
    reclaim: Opaque<rcu::Reclaim>,
    pub(in crate::sync) value: T,
}

/// A value that nobody can reach yet.
///
/// # Invariants
///
/// The object is in no structure; neither its place nor its deferred end is in use.
pub struct Node<T, H = ()>(Pin<KBox<Object<T, H>>>);

// SAFETY: By the type invariant only the value is in use, and that is `Send`.
unsafe impl<T: Send, H> Send for Node<T, H> {}

impl<T, H> Node<T, H> {
    /// Allocates memory for a value.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(value: T, flags: Flags) -> Result<Self> {
        // INVARIANT: The object is new.
        Ok(Self(KBox::pin_init(
            pin_init!(Object {
                place <- Opaque::uninit(),
                reclaim <- Opaque::uninit(),
                value,
            }),
            flags,
        )?))
    }

    /// Gives the object away. It stays where it is.
    pub(in crate::sync) fn into_raw(self) -> NonNull<Object<T, H>> {
        // SAFETY: The object is never moved out of its allocation.
        let object = KBox::leak(unsafe { Pin::into_inner_unchecked(self.0) });
        NonNull::from(object)
    }

    /// Takes an object back that was not published.
    ///
    /// # Safety
    ///
    /// `object` must come from [`into_raw`](Self::into_raw), and nobody else may have it.
    pub(in crate::sync) unsafe fn from_raw(object: NonNull<Object<T, H>>) -> Self {
        // INVARIANT: Nobody has got at it meanwhile.
        // SAFETY: By the safety requirements of this function; it was not moved.
        Self(unsafe { Pin::new_unchecked(KBox::from_raw(object.as_ptr())) })
    }
}

impl<T, H> Deref for Node<T, H> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T, H> DerefMut for Node<T, H> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().project().value
    }
}

/// A value that was unpublished, but that readers may still see.
///
/// Dropping it defers its end, as [`defer`](Self::defer) does.
///
/// # Invariants
///
/// Owns an object that was published and that readers can not newly find any more.
#[must_use = "its end is deferred when it is unused: say so by `defer`, or `synchronize`"]
pub struct Retired<T: Send + Sync + 'static, H: 'static = ()>(NonNull<Object<T, H>>);

// SAFETY: It owns a value that is `Send`, and only shares it, as it is `Sync`.
unsafe impl<T: Send + Sync + 'static, H> Send for Retired<T, H> {}
// SAFETY: A shared reference gives no more than a shared reference to the value, which is `Sync`.
unsafe impl<T: Send + Sync + 'static, H> Sync for Retired<T, H> {}

impl<T: Send + Sync + 'static, H> Retired<T, H> {
    /// Takes over an object that was unpublished.
    ///
    /// # Safety
    ///
    /// `object` must come from [`Node::into_raw`], must have been unlinked from where readers find
    /// it, and be owned by nobody else.
    pub(in crate::sync) unsafe fn from_raw(object: NonNull<Object<T, H>>) -> Self {
        // INVARIANT: By the safety requirements of this function.
        Self(object)
    }

    /// Drops the value in process context, some time after a grace period. Does not wait.
    ///
    /// [`rcu::flush`] waits for it, and so does every module that goes, inside the notifier chain of
    /// modules: so a destructor neither loads or unloads one, nor has itself told of them.
    pub fn defer(self) {}

    /// Waits for a grace period, then drops the value. Process context, may sleep.
    pub fn synchronize(self) {
        let object = self.0;
        core::mem::forget(self);
        rcu::synchronize_rcu();
        // SAFETY: By the type invariant it is ours, and after the grace period nobody sees it.
        drop(unsafe { KBox::from_raw(object.as_ptr()) });
    }

    /// # Safety
    ///
    /// Only to be called by the reclaim queue, with what `drop` gave to it.
    unsafe extern "C" fn free(item: *mut rcu::Reclaim) {
        // SAFETY: `item` is inside the object that `drop` gave away.
        unsafe {
            let object = kernel::container_of!(Opaque::cast_from(item), Object<T, H>, reclaim);
            drop(KBox::from_raw(object.cast_mut()));
        }
    }
}

impl<T: Send + Sync + 'static, H> Deref for Retired<T, H> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: By the type invariant the object is live; the value is only ever shared.
        unsafe { &(*self.0.as_ptr()).value }
    }
}

impl<T: Send + Sync + 'static, H> Drop for Retired<T, H> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the object is live and ours until `free` runs, and the
        // field is in no other use. A value whose end needs the code of a module does not outlive
        // that module, so the module is still there.
        unsafe {
            let item = Opaque::cast_into(&raw const (*self.0.as_ptr()).reclaim);
            rcu::reclaim(item, Self::free)
        };
    }
}
