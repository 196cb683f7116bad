// SPDX-License-Identifier: GPL-2.0

//! RCU pointers and grace periods: what readers see, and when and where what they saw ends.

use super::{
    a_while,
    element::{Element, Inside, Tally},
    eventually, is_done, spawn,
};
use childkernel::{
    child::Handle,
    sync::{atomic::Relaxed, new_srcu, rcu, rcu_pointer::Node, Rcu},
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta},
};

cases!(sync_rcu:
    rcu_pointer_replaces,
    rcu_pointer_try_replace,
    rcu_pointer_defers,
    rcu_pointer_synchronizes,
    rcu_waits_for_readers,
    srcu_waits_for_sleepers,
);

fn element(key: u64, tally: &Arc<Tally>) -> Result<Node<Element>> {
    Node::new(Element::new(key, tally), GFP_KERNEL)
}

fn rcu_pointer_replaces() -> Result {
    let tally = Tally::new()?;
    let mut pointer = Rcu::empty();
    let key = |pointer: &Rcu<Element>| pointer.read(&rcu::read_lock()).map(Element::key);
    ensure!(pointer.is_empty() && key(&pointer).is_none());
    ensure!(pointer.get_mut().is_none());
    ensure!(pointer.take().is_none());
    ensure!(pointer.replace(element(1, &tally)?).is_none());
    ensure!(!pointer.is_empty() && key(&pointer) == Some(1));
    let old = pointer.replace(element(2, &tally)?).ok_or(EINVAL)?;
    ensure!(old.key() == 1 && old.is_whole() && key(&pointer) == Some(2));
    old.synchronize();
    ensure!(tally.freed() == 1);
    ensure!(pointer.get_mut().is_some_and(|e| e.key() == 2));
    let old = pointer.take().ok_or(EINVAL)?;
    ensure!(old.key() == 2 && pointer.is_empty() && key(&pointer).is_none());
    drop(old);
    rcu::flush();
    ensure!(tally.freed() == 2);

    // What is still there ends with the pointer, at once; and so does what was never published.
    let pointer = Rcu::new(element(3, &tally)?);
    ensure!(key(&pointer) == Some(3));
    drop(pointer);
    ensure!(tally.freed() == 3);
    drop(element(4, &tally)?);
    ensure!(tally.is_clean_at(4));
    Ok(())
}

/// Only if nobody else came first; the value comes back otherwise.
fn rcu_pointer_try_replace() -> Result {
    let tally = Tally::new()?;
    let pointer = Rcu::empty();
    let nodes = [
        element(1, &tally)?,
        element(2, &tally)?,
        element(3, &tally)?,
        element(4, &tally)?,
    ];
    let [first, second, third, fourth] = nodes;
    let guard = rcu::read_lock();
    let began = pointer
        .try_replace(None, first)
        .is_ok_and(|old| old.is_none());
    let again = pointer.try_replace(None, second).err();
    let came_back = again.as_ref().map(|node| node.key()) == Some(2);
    let seen = pointer.read(&guard);
    let replaced = pointer.try_replace(seen, third);
    let old = replaced.as_ref().ok().and_then(|old| old.as_ref());
    let was_first = old.is_some_and(|old| old.key() == 1);
    // `seen` is not there any more, though it still can be looked at.
    let still = seen.is_some_and(|e| e.key() == 1 && e.is_whole());
    let late = pointer.try_replace(seen, fourth).err();
    let now = pointer.read(&guard).map(Element::key);
    drop(guard);
    let lost = late.is_some();
    drop((replaced, again, late));
    ensure!(began && came_back && was_first && still && lost);
    ensure!(now == Some(3));
    drop(pointer);
    rcu::flush();
    ensure!(tally.is_clean_at(4));
    Ok(())
}

/// A child that reads element 1 and stays inside.
fn reader(pointer: &Arc<Rcu<Element>>, inside: &Arc<Inside>) -> Result<Handle> {
    let (pointer, flag) = (pointer.clone(), inside.clone());
    let child = spawn(c"reader", move |_| {
        let guard = rcu::read_lock();
        let seen = pointer.read(&guard).ok_or(EINVAL)?;
        flag.stay(|| seen.key() == 1 && seen.is_whole());
        Ok(())
    })?;
    if !eventually(|| inside.is_in()) {
        return Err(ETIMEDOUT);
    }
    Ok(child)
}

/// The end of what was replaced does not come as long as a reader has it; then it comes once.
fn rcu_pointer_defers() -> Result {
    let tally = Tally::new()?;
    let pointer = Arc::new(Rcu::new(element(1, &tally)?), GFP_KERNEL)?;
    let inside = Inside::new()?;
    let child = reader(&pointer, &inside)?;
    let old = pointer.replace(element(2, &tally)?);
    let was_first = old.as_ref().is_some_and(|e| e.key() == 1);
    let now = pointer.read(&rcu::read_lock()).map(Element::key);
    old.ok_or(EINVAL)?.defer();
    a_while();
    a_while();
    let early = tally.freed();
    inside.leave();
    let done = is_done(&child);
    rcu::flush();
    ensure!(was_first && now == Some(2) && done);
    ensure!(early == 0 && inside.wrong.load(Relaxed) == 0);
    ensure!(tally.is_clean_at(1));
    Ok(())
}

/// The same by waiting: it ends before the wait returns, and not before the reader has left.
fn rcu_pointer_synchronizes() -> Result {
    let tally = Tally::new()?;
    let pointer = Arc::new(Rcu::new(element(1, &tally)?), GFP_KERNEL)?;
    let inside = Inside::new()?;
    let child = reader(&pointer, &inside)?;
    let usher = inside.usher()?;
    let old = pointer.take().ok_or(EINVAL)?;
    old.synchronize();
    let left = inside.has_left();
    let freed = tally.freed();
    ensure!(is_done(&child) && is_done(&usher));
    ensure!(left && freed == 1 && inside.wrong.load(Relaxed) == 0);
    ensure!(tally.is_clean_at(1));
    Ok(())
}

/// Each way to wait for a grace period waits for a reader that is inside.
fn rcu_waits_for_readers() -> Result {
    let waits: [fn(); 2] = [rcu::synchronize, rcu::synchronize_expedited];
    for wait in waits {
        let inside = Inside::new()?;
        let flag = inside.clone();
        let child = spawn(c"reader", move |_| {
            let guard = rcu::read_lock();
            flag.stay(|| true);
            drop(guard);
            Ok(())
        })?;
        ensure!(eventually(|| inside.is_in()));
        let usher = inside.usher()?;
        wait();
        let left = inside.has_left();
        ensure!(is_done(&child) && is_done(&usher));
        ensure!(left);
    }
    Ok(())
}

/// A reader may sleep inside; who synchronizes waits for it, but not for one of another domain.
fn srcu_waits_for_sleepers() -> Result {
    let srcu = Arc::pin_init(new_srcu!("test_srcu"), GFP_KERNEL)?;
    let another = Arc::pin_init(new_srcu!("test_another"), GFP_KERNEL)?;
    for expedited in [false, true] {
        let inside = Inside::new()?;
        let (domain, flag) = (srcu.clone(), inside.clone());
        // Not what a child should do that might crash: see the documentation.
        let child = spawn(c"sleeper", move |_| {
            let guard = domain.read_lock();
            flag.stay(|| {
                fsleep(Delta::from_millis(1));
                true
            });
            drop(guard);
            Ok(())
        })?;
        ensure!(eventually(|| inside.is_in()));
        another.synchronize();
        let not_ours = inside.is_in();
        let usher = inside.usher()?;
        if expedited {
            srcu.synchronize_expedited();
        } else {
            srcu.synchronize();
        }
        let left = inside.has_left();
        ensure!(is_done(&child) && is_done(&usher));
        ensure!(not_ours && left);
    }
    Ok(())
}
