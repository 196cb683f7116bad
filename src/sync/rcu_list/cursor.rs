// SPDX-License-Identifier: GPL-2.0

//! A writer's way through an RCU list, and the one place where elements are published.

use super::{Links, Node, Removed};
use core::{marker::PhantomData, ptr::NonNull};
use kernel::{
    bindings,
    sync::barrier::{smp_mb, Write},
};

/// Where a writer stands in an [`RcuList`](super::RcuList): at an element, or at the ends.
///
/// The ends are one place, behind the last element and before the first: moving on from there
/// leads to the first, moving back to the last.
///
/// Lookups go on meanwhile and see each change by itself, not all together.
///
/// # Invariants
///
/// `head` is the head of a list of [`Links<T>`] that only this cursor changes as long as it lives.
/// `at` is the head or the place of an element that is in this list.
///
/// # Examples
///
/// A list that is kept in order:
///
/// ```ignore
/// let mut writer = list.lock();
/// let mut cursor = writer.cursor();
/// while cursor.move_next() && cursor.peek().is_some_and(|v| *v < *node) {}
/// cursor.insert_before(node); // At the ends: as the last one.
/// ```
pub struct Cursor<'a, T: Send + Sync + 'static> {
    head: *mut bindings::list_head,
    at: *mut bindings::list_head,
    _writer: PhantomData<&'a mut T>,
}

impl<T: Send + Sync + 'static> Cursor<'_, T> {
    /// Stands at the ends.
    ///
    /// # Safety
    ///
    /// `head` must be the head of a list of `Links<T>` that nobody else changes, nor takes
    /// anything out of, as long as the cursor lives.
    pub(super) unsafe fn new(head: *mut bindings::list_head) -> Self {
        // INVARIANT: By the safety requirements of this function.
        Self {
            head,
            at: head,
            _writer: PhantomData,
        }
    }

    /// The element at a place, unless that is the head.
    fn links(&self, at: *mut bindings::list_head) -> Option<NonNull<Links<T>>> {
        if at == self.head {
            return None;
        }
        // SAFETY: By the type invariant, what is not the head is the place of an element.
        NonNull::new(unsafe { Links::from_list(at) })
    }

    fn value(&self, at: *mut bindings::list_head) -> Option<&T> {
        let links = self.links(at)?;
        // SAFETY: The element is in the list as long as `self` is borrowed, as removing takes it
        // mutably; the value is never lent mutably once it is published.
        Some(unsafe { &(*links.as_ptr()).value })
    }

    fn next(&self) -> *mut bindings::list_head {
        // SAFETY: By the type invariant `at` is in the list, and nobody changes the links.
        unsafe { (*self.at).next }
    }

    fn prev(&self) -> *mut bindings::list_head {
        // SAFETY: As in `next`. Only of what was unlinked the way back is lost.
        unsafe { (*self.at).prev }
    }

    /// The element here, or `None` at the ends.
    pub fn peek(&self) -> Option<&T> {
        self.value(self.at)
    }

    /// The element that follows, or `None` if this is the last.
    pub fn peek_next(&self) -> Option<&T> {
        self.value(self.next())
    }

    /// The element before, or `None` if this is the first.
    pub fn peek_prev(&self) -> Option<&T> {
        self.value(self.prev())
    }

    /// Moves on to the next element, or to the ends. Says whether there is an element.
    pub fn move_next(&mut self) -> bool {
        // INVARIANT: What follows in the list is in the list.
        self.at = self.next();
        self.at != self.head
    }

    /// Moves back to the element before, or to the ends. Says whether there is an element.
    pub fn move_prev(&mut self) -> bool {
        // INVARIANT: As in `move_next`.
        self.at = self.prev();
        self.at != self.head
    }

    /// Publishes an element behind this one; at the ends, as the first. Stays where it is.
    pub fn insert_after(&mut self, node: Node<T>) {
        self.publish(node, crate::ffi::childkernel_list_add_rcu);
    }

    /// Publishes an element in front of this one; at the ends, as the last. Stays where it is.
    pub fn insert_before(&mut self, node: Node<T>) {
        self.publish(node, crate::ffi::childkernel_list_add_tail_rcu);
    }

    /// Publishes an element in the place of this one, and stands at the new one.
    ///
    /// A lookup finds either the one or the other.
    ///
    /// # Errors
    ///
    /// Gives `node` back at the ends.
    pub fn replace(&mut self, node: Node<T>) -> Result<Removed<T>, Node<T>> {
        let Some(old) = self.links(self.at) else {
            return Err(node);
        };
        // INVARIANT: The new one is in the list, in this place.
        self.at = self.publish(node, crate::ffi::childkernel_list_replace_rcu);
        // SAFETY: It came from a node, and the list, which has owned it, has the new one instead.
        Ok(unsafe { Removed::from_raw(old) })
    }

    /// Unlinks the element here and moves on to the next. `None` at the ends.
    pub fn remove(&mut self) -> Option<Removed<T>> {
        let links = self.links(self.at)?;
        // INVARIANT: What follows stays in the list.
        self.at = self.next();
        // SAFETY: The element is in the list, and by the type invariant nobody else changes it.
        unsafe { crate::ffi::childkernel_list_del_rcu(Links::list(links)) };
        // SAFETY: It came from a node, and the list, which has owned it, has it no more.
        Some(unsafe { Removed::from_raw(links) })
    }

    /// Links a node here so that whoever finds it sees it whole. All publishing is done by this.
    ///
    /// `list_add_rcu()` and `list_replace_rcu()` link by a store-release, which orders all that was
    /// done to the node before the link. The explicit write barrier in front says the same once
    /// more, for the reader of this code and whatever way the native function takes; no test can
    /// tell that it is needed. Either pairs with the address dependency of `rcu_dereference()` in
    /// [`Iter::next`](super::Iter). As a litmus test:
    ///
    /// ```text
    /// C MP+wmb+addr
    ///
    /// (*
    ///  * Result: Never
    ///  *)
    ///
    /// {
    /// link=other;
    /// }
    ///
    /// P0(int *value, int **link)
    /// {
    ///     WRITE_ONCE(*value, 1);
    ///     smp_wmb();
    ///     WRITE_ONCE(*link, value);
    /// }
    ///
    /// P1(int **link)
    /// {
    ///     int *r0;
    ///     int r1;
    ///
    ///     rcu_read_lock();
    ///     r0 = rcu_dereference(*link);
    ///     r1 = READ_ONCE(*r0);
    ///     rcu_read_unlock();
    /// }
    ///
    /// exists (1:r0=value /\ 1:r1=0)
    /// ```
    fn publish(
        &mut self,
        node: Node<T>,
        link: unsafe extern "C" fn(new: *mut bindings::list_head, at: *mut bindings::list_head),
    ) -> *mut bindings::list_head {
        let list = Links::list(node.into_raw());
        smp_mb(Write);
        // SAFETY: `list` is the place of a live object that is in no list; `at` is in the list,
        // which by the type invariant nobody else changes. The list owns the object from here on.
        unsafe { link(list, self.at) };
        list
    }
}
