// SPDX-License-Identifier: GPL-2.0

//! A list that is looked up under RCU: lookups take no lock and wait for nobody.
//!
//! For linked data that is looked up much more often than it is changed. Writers are serialised by
//! a lock that the type names. An element is built, then published behind a write barrier; after
//! removal it is freed no sooner than a grace period later.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/rculist.h`](srctree/include/linux/rculist.h) |
//! | context | lookups and deferring an end: process, softirq, hardirq; writers: where their lock may be taken, by default process; elements are dropped in process context |
//! | safe against | lookups: preempt-safe, SMP-safe and interrupt-safe; writers: as their lock |
//! | sleeps | lookups never; writers as their lock; `synchronize` does |
//! | `PREEMPT_RT` | lookups are the same, and preemptible; writers as their lock, the default one sleeps |
//! | fairness | lookups never wait; writers as their lock |
//! | cost | looking up: a load for each element; removing: a grace period later a free |
//! | order | who finds an element sees all that was done before it was published |
//! | errors | `ENOMEM` from [`Node::new`]; what could not be placed is given back |
//!
//! Reference: <https://docs.kernel.org/RCU/listRCU.html>

mod cursor;

pub use cursor::Cursor;

use super::rcu::{
    self,
    retired::{self, Object},
};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::{
    bindings,
    prelude::*,
    sync::{
        lock::{spinlock::SpinLockBackend, Backend, Guard, Lock},
        LockClassKey,
    },
    types::Opaque,
};

/// Creates an [`RcuList`] initialiser with the given name and a lock class of its own.
#[macro_export]
macro_rules! new_rcu_list {
    ($name:literal) => {
        $crate::sync::RcuList::new($crate::lock_name!($name), ::kernel::static_lock_class!())
    };
}
pub use crate::new_rcu_list;

/// What is linked.
type Links<T> = Object<T, bindings::list_head>;

impl<T> Links<T> {
    /// # Safety
    ///
    /// `list` must point to the place of a live object.
    unsafe fn from_list(list: *mut bindings::list_head) -> *mut Self {
        // SAFETY: By the safety requirements of this function.
        unsafe { kernel::container_of!(Opaque::cast_from(list), Self, place) }.cast_mut()
    }

    /// Its place, with the right to go from there to the whole.
    fn list(this: NonNull<Self>) -> *mut bindings::list_head {
        // SAFETY: Only an address is computed; no reference is made of it.
        Opaque::cast_into(unsafe { &raw const (*this.as_ptr()).place })
    }
}

/// An element that is not in a list yet.
pub type Node<T> = retired::Node<T, bindings::list_head>;

/// An element that was unlinked but that lookups may still see.
pub type Removed<T> = retired::Retired<T, bindings::list_head>;

/// A list with lookups under RCU and writers under a lock `B`.
///
/// Elements that were removed pile up until a grace period is over, which takes far longer than
/// removing: a writer that goes on and on has to [`synchronize`](Removed::synchronize) once in so
/// many.
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
        self.cursor().insert_after(node);
    }

    /// Publishes an element at the back.
    pub fn push_back(&mut self, node: Node<T>) {
        self.cursor().insert_before(node);
    }

    /// Publishes an element behind the first one that `wanted` is true for.
    ///
    /// # Errors
    ///
    /// Gives `node` back if there is none.
    pub fn insert_after(
        &mut self,
        wanted: impl FnMut(&T) -> bool,
        node: Node<T>,
    ) -> Result<(), Node<T>> {
        self.beside(wanted, node, |cursor, node| cursor.insert_after(node))
    }

    /// Publishes an element in front of the first one that `wanted` is true for.
    ///
    /// # Errors
    ///
    /// Gives `node` back if there is none.
    pub fn insert_before(
        &mut self,
        wanted: impl FnMut(&T) -> bool,
        node: Node<T>,
    ) -> Result<(), Node<T>> {
        self.beside(wanted, node, |cursor, node| cursor.insert_before(node))
    }

    fn beside(
        &mut self,
        wanted: impl FnMut(&T) -> bool,
        node: Node<T>,
        insert: impl FnOnce(&mut Cursor<'_, T>, Node<T>),
    ) -> Result<(), Node<T>> {
        let Some(mut cursor) = self.find(wanted) else {
            return Err(node);
        };
        insert(&mut cursor, node);
        Ok(())
    }

    /// Publishes an element in the place of the first one that `wanted` is true for.
    ///
    /// A lookup finds either the one or the other.
    ///
    /// # Errors
    ///
    /// Gives `node` back if there is none.
    pub fn replace(
        &mut self,
        wanted: impl FnMut(&T) -> bool,
        node: Node<T>,
    ) -> Result<Removed<T>, Node<T>> {
        match self.find(wanted) {
            Some(mut cursor) => cursor.replace(node),
            None => Err(node),
        }
    }

    /// Unlinks the first element that `wanted` is true for.
    pub fn remove(&mut self, wanted: impl FnMut(&T) -> bool) -> Option<Removed<T>> {
        self.find(wanted)?.remove()
    }

    /// Looks at the elements.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let head = self.list.head.get();
        let mut at = head;
        core::iter::from_fn(move || {
            // SAFETY: The writers' lock is held, so nobody changes the links; `at` is the head or
            // an element.
            at = unsafe { (*at).next };
            if at == head {
                return None;
            }
            // SAFETY: By the invariant of the list, what is not the head is the place of an
            // element. It stays as long as nobody removes it, which takes the writer mutably; the
            // value is never lent mutably once it is published.
            Some(unsafe { &(*Links::<T>::from_list(at)).value })
        })
    }

    /// Begins to go through the list, to change it on the way. Stands at its two ends at first.
    pub fn cursor(&mut self) -> Cursor<'_, T> {
        // SAFETY: `head` is that of a list of `Links<T>`, which the writers' lock, held as long as
        // `self` is borrowed, keeps others from changing.
        unsafe { Cursor::new(self.list.head.get()) }
    }

    /// Stands at the first element that `wanted` is true for, if there is one.
    pub fn find(&mut self, mut wanted: impl FnMut(&T) -> bool) -> Option<Cursor<'_, T>> {
        let mut cursor = self.cursor();
        while cursor.move_next() {
            if cursor.peek().is_some_and(&mut wanted) {
                return Some(cursor);
            }
        }
        None
    }
}
