// SPDX-License-Identifier: GPL-2.0

//! Types and functions of C.

#![allow(non_camel_case_types)]

use crate::orderings;
use loom::sync::atomic::{AtomicPtr, Ordering};

/// A module. There is none.
pub enum module {}

/// The links of a list. Who changes them, under a lock, uses `next` and `prev`. Who looks them up
/// follows `looked_up`, which is the same as `next` but for the order in which it is seen.
#[repr(C)]
pub struct list_head {
    /// The way on, for who has the lock.
    pub next: *mut list_head,
    /// The way back.
    pub prev: *mut list_head,
    looked_up: AtomicPtr<list_head>,
}

impl list_head {
    fn to(next: *mut Self, prev: *mut Self) -> Self {
        Self {
            next,
            prev,
            looked_up: AtomicPtr::new(next),
        }
    }

    /// `INIT_LIST_HEAD_RCU()`.
    ///
    /// # Safety
    ///
    /// It is valid for writes.
    pub unsafe fn init(head: *mut Self) {
        // SAFETY: By the safety requirements.
        unsafe { head.write(Self::to(head, head)) };
    }

    /// `__list_add_rcu()`: `rcu_assign_pointer()`, which is a store-release.
    ///
    /// # Safety
    ///
    /// The two are neighbours in a list that nobody else changes; `new` is valid for writes.
    pub unsafe fn add_between(new: *mut Self, prev: *mut Self, next: *mut Self) {
        // SAFETY: By the safety requirements.
        unsafe {
            new.write(Self::to(next, prev));
            (*prev).assign(new);
            (*next).prev = new;
        }
    }

    /// `list_replace_rcu()`.
    ///
    /// # Safety
    ///
    /// `old` is in a list that nobody else changes; `new` is valid for writes.
    pub unsafe fn replace(old: *mut Self, new: *mut Self) {
        // SAFETY: By the safety requirements.
        unsafe {
            let (prev, next) = ((*old).prev, (*old).next);
            new.write(Self::to(next, prev));
            (*prev).assign(new);
            (*next).prev = new;
        }
    }

    /// `list_del_rcu()`: `WRITE_ONCE()`.
    ///
    /// # Safety
    ///
    /// It is in a list that nobody else changes.
    pub unsafe fn del(entry: *mut Self) {
        // SAFETY: By the safety requirements.
        unsafe {
            let (prev, next) = ((*entry).prev, (*entry).next);
            (*next).prev = prev;
            (*prev).next = next;
            (*prev).looked_up.store(next, Ordering::Relaxed);
        }
    }

    fn assign(&mut self, new: *mut Self) {
        self.next = new;
        let order = orderings::native("rcu_assign_pointer()", Ordering::Release);
        self.looked_up.store(new, order);
    }

    /// `rcu_dereference()` of the way on.
    ///
    /// # Safety
    ///
    /// It is the head of a list, or was found in one in this read section.
    pub unsafe fn next_rcu(entry: *const Self) -> *mut Self {
        // SAFETY: By the safety requirements.
        unsafe { &*entry }.looked_up.load(dependency())
    }
}

/// An address dependency orders what is reached by the address. Here it is an acquire, as there is
/// nothing nearer to it.
pub fn dependency() -> Ordering {
    orderings::native("rcu_dereference()", Ordering::Acquire)
}

/// Waits for a grace period.
///
/// # Safety
///
/// None.
pub unsafe fn synchronize_rcu_expedited() {
    crate::sync::rcu::synchronize_rcu();
}
