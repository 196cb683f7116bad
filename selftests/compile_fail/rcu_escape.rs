// SPDX-License-Identifier: GPL-2.0

//! What is read under RCU is freed some time after the guard is dropped, or the writer took it out.

use childkernel::sync::{rcu, rcu_list, Rcu, RcuList};
use core::cell::Cell;
use kernel::prelude::*;

pub fn send<T: Send>(_: T) {}

#[cfg(right)]
pub fn all(pointer: &Rcu<u32>, list: &RcuList<u32>, node: rcu::Node<u32>) -> Option<u32> {
    let guard = rcu::read_lock();
    let found = pointer.read(&guard).copied();
    drop(guard);
    // What was taken out ends wherever its owner is.
    send(pointer.replace(node));
    send(list.lock().remove(|_| true));
    found
}

#[cfg(not(right))]
pub fn after_guard(pointer: &Rcu<u32>) -> Option<u32> {
    let guard = rcu::read_lock();
    let found = pointer.read(&guard);
    drop(guard); //~ E0505
    found.copied()
}

#[cfg(not(right))]
pub fn returned(pointer: &Rcu<u32>) -> Option<&u32> {
    pointer.read(&rcu::read_lock()) //~ E0515
}

#[cfg(not(right))]
pub fn after_pointer(pointer: Rcu<u32>) -> Option<u32> {
    let guard = rcu::read_lock();
    let found = pointer.read(&guard);
    drop(pointer); //~ E0505
    found.copied()
}

#[cfg(not(right))]
pub fn exclusive(mut pointer: Rcu<u32>) {
    let guard = rcu::read_lock();
    let found = pointer.read(&guard);
    let changed = pointer.get_mut(); //~ E0502
    assert_eq!(found.copied(), changed.copied());
}

/// It cannot be changed where readers may be looking at it.
#[cfg(not(right))]
pub fn changed(pointer: &Rcu<u32>, node: rcu::Node<u32>) {
    if let Some(mut old) = pointer.replace(node) {
        *old += 1; //~ E0594
    }
}

#[cfg(not(right))]
pub fn ended(pointer: &Rcu<u32>) -> Option<u32> {
    let old = pointer.take()?;
    let value = &*old;
    old.synchronize(); //~ E0505
    Some(*value)
}

#[cfg(not(right))]
pub fn element(list: &RcuList<u32>) -> Option<&u32> {
    list.iter(&rcu::read_lock()).next() //~ E0515
}

/// Not of what is on the stack, which ends sooner.
#[cfg(not(right))]
pub fn borrows() -> Result {
    let local = 1;
    drop(Rcu::new(rcu::Node::new(&local, GFP_KERNEL)?)); //~ E0597
    Ok(())
}

#[cfg(not(right))]
pub fn unshared(_: &Rcu<Cell<u32>>) {} //~ E0277

/// A writer looks at what it may remove.
#[cfg(not(right))]
pub fn removed(list: &RcuList<u32>) -> Option<u32> {
    let mut writer = list.lock();
    let first = writer.iter().next();
    writer.remove(|_| true); //~ E0502
    first.copied()
}

#[cfg(not(right))]
pub fn under_cursor(list: &RcuList<u32>) -> Option<u32> {
    let mut writer = list.lock();
    let mut cursor = writer.cursor();
    cursor.move_next();
    let first = cursor.peek();
    cursor.remove(); //~ E0502
    first.copied()
}

#[cfg(not(right))]
pub fn two_cursors(list: &RcuList<u32>) {
    let mut writer = list.lock();
    let mut one = writer.cursor();
    let mut two = writer.cursor(); //~ E0499
    one.remove();
    two.remove();
}

#[cfg(not(right))]
pub fn unlocked(list: &RcuList<u32>) -> Option<rcu_list::Removed<u32>> {
    let mut writer = list.lock();
    let mut cursor = writer.cursor();
    drop(writer); //~ E0505
    cursor.remove()
}
