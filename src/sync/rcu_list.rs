// SPDX-License-Identifier: GPL-2.0

//! A list that is looked up under RCU: lookups take no lock and wait for nobody.
//!
//! Writers are serialised by a lock that the type names. An element is built, then published
//! behind a write barrier; after removal it is freed no sooner than a grace period later.
//!
//! C header: [`include/linux/rculist.h`](srctree/include/linux/rculist.h)
//!
//! Reference: <https://docs.kernel.org/RCU/listRCU.html>

use super::rcu;
use core::{marker::PhantomData, ops::Deref, ptr::NonNull};
use kernel::{
    alloc::Flags,
    bindings,
    prelude::*,
    sync::{
        barrier::{smp_mb, Write},
        lock::{spinlock::SpinLockBackend, Backend, Guard, Lock},
        LockClassKey,
    },
    types::Opaque,
};

/// Creates an [`RcuList`] initialiser with the given name and a lock class of its own.
#[macro_export]
macro_rules! new_rcu_list {
    ($name:literal) => {
        $crate::sync::RcuList::new(::kernel::c_str!($name), ::kernel::static_lock_class!())
    };
}
pub use crate::new_rcu_list;

/// What is linked: the element with its place in the list and what its deferred end needs.
#[pin_data]
struct Links<T> {
    #[pin]
    list: Opaque<bindings::list_head>,
    #[pin]
    reclaim: Opaque<rcu::Reclaim>,
    value: T,
}

impl<T> Links<T> {
    /// # Safety
    ///
    /// `list` must point to the field `list` of a live `Links<T>`.
    unsafe fn from_list(list: *mut bindings::list_head) -> *mut Self {
        // SAFETY: By the safety requirements of this function.
        unsafe { kernel::container_of!(Opaque::cast_from(list), Self, list) }.cast_mut()
    }
}

/// An element that is not in a list yet.
///
/// Allocating is apart from linking, so that no memory is allocated under the writers' lock.
pub struct Node<T>(Pin<KBox<Links<T>>>);

impl<T> Node<T> {
    /// Allocates an element.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub fn new(value: T, flags: Flags) -> Result<Self> {
        Ok(Self(KBox::pin_init(
            pin_init!(Links {
                list <- Opaque::uninit(),
                reclaim <- Opaque::uninit(),
                value,
            }),
            flags,
        )?))
    }
}

/// A list with lookups under RCU and writers under a lock `B`.
///
/// Context: lookups from process, softirq and hardirq; writers where `B` may be taken, by default
/// process context. Elements are dropped in process context.
///
/// Order: a lookup that finds an element sees all that was done before it was pushed.
///
/// # Invariants
///
/// `head` is the head of a circular list; all else in it are [`Links<T>`] that the list owns.
///
/// # Examples
///
/// ```ignore
/// let list = KBox::pin_init(new_rcu_list!("example"), GFP_KERNEL)?;
/// let node = Node::new(7, GFP_KERNEL)?;
/// list.lock().push_front(node);
/// assert!(list.iter(&rcu::read_lock()).any(|v| *v == 7));
/// if let Some(removed) = list.lock().remove(|v| *v == 7) {
///     removed.defer();
/// }
/// ```
#[pin_data(PinnedDrop)]
pub struct RcuList<T: Send + Sync + 'static, B: Backend = SpinLockBackend> {
    #[pin]
    head: Opaque<bindings::list_head>,
    #[pin]
    writers: Lock<(), B>,
    _owns: PhantomData<T>,
}

// SAFETY: The list owns its elements, which are `Send`.
unsafe impl<T: Send + Sync + 'static, B: Backend> Send for RcuList<T, B> {}
// SAFETY: Lookups share the elements, which are `Sync`; writers are serialised.
unsafe impl<T: Send + Sync + 'static, B: Backend> Sync for RcuList<T, B> {}

impl<T: Send + Sync + 'static, B: Backend> RcuList<T, B> {
    /// Creates an initialiser. Use [`new_rcu_list!`], which makes the lock class.
    pub fn new(name: &'static CStr, key: Pin<&'static LockClassKey>) -> impl PinInit<Self> {
        pin_init!(Self {
            // INVARIANT: The list is empty: its head points to itself.
            // SAFETY: `slot` is valid for writes and will not move.
            head <- Opaque::ffi_init(|slot| unsafe {
                crate::ffi::childkernel_init_list_head_rcu(slot)
            }),
            writers <- Lock::new((), name, key),
            _owns: PhantomData,
        })
    }

    /// Looks at the elements, the latest pushed to the front first.
    ///
    /// An element that is removed meanwhile may or may not be seen; one that is seen stays whole
    /// and allocated as long as the guard lives.
    #[inline]
    pub fn iter<'a>(&'a self, _guard: &'a rcu::Guard) -> Iter<'a, T> {
        Iter {
            head: self.head.get(),
            at: self.head.get(),
            _list: PhantomData,
        }
    }

    /// Takes the writers' lock.
    #[inline]
    pub fn lock(&self) -> Writer<'_, T, B> {
        Writer {
            list: self,
            _guard: self.writers.lock(),
        }
    }

    /// Takes the writers' lock if it is free.
    #[inline]
    #[must_use = "if unused, the lock is released at once"]
    pub fn try_lock(&self) -> Option<Writer<'_, T, B>> {
        let _guard = self.writers.try_lock()?;
        Some(Writer { list: self, _guard })
    }
}

#[pinned_drop]
impl<T: Send + Sync + 'static, B: Backend> PinnedDrop for RcuList<T, B> {
    fn drop(self: Pin<&mut Self>) {
        let head = self.head.get();
        // SAFETY: Lookups and writers borrow the list, so there are none any more, and no grace
        // period is needed: by the type invariant all that is linked is ours.
        unsafe {
            let mut at = (*head).next;
            while at != head {
                let next = (*at).next;
                drop(KBox::from_raw(Links::<T>::from_list(at)));
                at = next;
            }
        }
    }
}

/// A lookup in progress.
pub struct Iter<'a, T> {
    head: *mut bindings::list_head,
    at: *mut bindings::list_head,
    _list: PhantomData<&'a T>,
}

impl<'a, T> Iterator for Iter<'a, T> {
    type Item = &'a T;

    #[inline]
    fn next(&mut self) -> Option<&'a T> {
        // SAFETY: `at` is the head or an element that was reached under the RCU read lock, which
        // is held as long as `'a`. An element that was removed keeps its way on.
        self.at = unsafe { crate::ffi::childkernel_list_next_rcu(self.at) };
        if self.at == self.head {
            return None;
        }
        // SAFETY: By the invariant of the list, what is not the head is the field of a `Links`; it
        // is not freed before a grace period, that is, not within `'a`. The value is never lent
        // mutably once it is published.
        Some(unsafe { &(*Links::<T>::from_list(self.at)).value })
    }
}

/// The right to change an [`RcuList`].
pub struct Writer<'a, T: Send + Sync + 'static, B: Backend> {
    list: &'a RcuList<T, B>,
    _guard: Guard<'a, (), B>,
}

impl<T: Send + Sync + 'static, B: Backend> Writer<'_, T, B> {
    /// Publishes an element at the front.
    pub fn push_front(&mut self, node: Node<T>) {
        self.publish(node, crate::ffi::childkernel_list_add_rcu);
    }

    /// Publishes an element at the back.
    pub fn push_back(&mut self, node: Node<T>) {
        self.publish(node, crate::ffi::childkernel_list_add_tail_rcu);
    }

    /// Links a node so that whoever finds it sees it whole.
    ///
    /// `list_add_rcu()` links by a store-release, which orders all that was done to the node before
    /// the link. The explicit write barrier in front says the same once more, for the reader of
    /// this code and whatever way the native function takes; no test can tell that it is needed.
    /// Either pairs with the address dependency of `rcu_dereference()` in [`Iter::next`]. As a
    /// litmus test:
    ///
    /// ```text
    /// C MP+wmb+addr
    /// {
    /// int value = 0;
    /// int *link = &other;
    /// }
    /// P0(int *value, int **link) { WRITE_ONCE(*value, 1); smp_wmb(); WRITE_ONCE(*link, value); }
    /// P1(int **link) { int *r0 = rcu_dereference(*link); int r1 = READ_ONCE(*r0); }
    /// exists (1:r0=value /\ 1:r1=0)
    /// (* Result: Never *)
    /// ```
    fn publish(
        &mut self,
        node: Node<T>,
        link: unsafe extern "C" fn(*mut bindings::list_head, *mut bindings::list_head),
    ) {
        // SAFETY: The links are never moved out of their allocation.
        let links = KBox::into_raw(unsafe { Pin::into_inner_unchecked(node.0) });
        smp_mb(Write);
        // INVARIANT: The list owns the node from here on.
        // SAFETY: `links` is a live allocation that is in no list; the writers' lock is held.
        unsafe {
            // Not through a reference: lookups go from the field to the whole.
            let list = Opaque::cast_into(&raw const (*links).list);
            link(list, self.list.head.get())
        };
    }

    /// Looks at the elements.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.links().map(|links| {
            // SAFETY: The links are live. The element stays as long as nobody removes it, which
            // takes the writer mutably; the value is never lent mutably once it is published.
            unsafe { &(*links.as_ptr()).value }
        })
    }

    /// Goes through what is linked.
    fn links(&self) -> impl Iterator<Item = NonNull<Links<T>>> + '_ {
        let head = self.list.head.get();
        let mut at = head;
        core::iter::from_fn(move || {
            // SAFETY: The writers' lock is held, so nobody changes the links; `at` is the head or
            // an element.
            at = unsafe { (*at).next };
            if at == head {
                return None;
            }
            // SAFETY: By the invariant of the list, what is not the head is the field of a
            // `Links`.
            NonNull::new(unsafe { Links::<T>::from_list(at) })
        })
    }

    /// Unlinks the first element that `wanted` is true for.
    pub fn remove(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Option<Removed<T>> {
        let links = self.links().find(|links| {
            // SAFETY: As in `iter`.
            wanted(unsafe { &(*links.as_ptr()).value })
        })?;
        // INVARIANT: The list does not own the node any more, `Removed` does.
        // SAFETY: The node is in the list and the writers' lock is held.
        unsafe { crate::ffi::childkernel_list_del_rcu((*links.as_ptr()).list.get()) };
        Some(Removed(links))
    }
}

/// An element that was unlinked but that lookups may still see.
///
/// Dropping it defers its end, as [`defer`](Self::defer) does.
///
/// # Invariants
///
/// Owns a node that was allocated by [`Node::new`], was in a list and is not any more.
pub struct Removed<T: Send + Sync + 'static>(NonNull<Links<T>>);

// SAFETY: It owns a value that is `Send`.
unsafe impl<T: Send + Sync + 'static> Send for Removed<T> {}

impl<T: Send + Sync + 'static> Removed<T> {
    /// Drops the element in process context, some time after a grace period. Does not wait.
    ///
    /// [`rcu::flush`] waits for it.
    pub fn defer(self) {}

    /// Waits for a grace period, then drops the element. Process context, may sleep.
    pub fn synchronize(self) {
        let links = self.0;
        core::mem::forget(self);
        rcu::synchronize_rcu();
        // SAFETY: By the type invariant it is ours, and after the grace period nobody sees it.
        drop(unsafe { KBox::from_raw(links.as_ptr()) });
    }

    /// # Safety
    ///
    /// Only to be called by the reclaim queue, with what `drop` gave to it.
    unsafe extern "C" fn free(item: *mut rcu::Reclaim) {
        // SAFETY: `item` is inside the links that `drop` gave away.
        unsafe {
            let links = kernel::container_of!(Opaque::cast_from(item), Links<T>, reclaim);
            drop(KBox::from_raw(links.cast_mut()));
        }
    }
}

impl<T: Send + Sync + 'static> Deref for Removed<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: By the type invariant the node is live; the value is only ever shared.
        unsafe { &(*self.0.as_ptr()).value }
    }
}

impl<T: Send + Sync + 'static> Drop for Removed<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant the node is live and ours until `free` runs, and the field
        // is in no other use. `free` is made in the crate that knows `T`, as is the end of `T`.
        unsafe {
            let item = Opaque::cast_into(&raw const (*self.0.as_ptr()).reclaim);
            rcu::reclaim(item, Self::free)
        };
    }
}
