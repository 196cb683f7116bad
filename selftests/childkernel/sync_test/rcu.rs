// SPDX-License-Identifier: GPL-2.0

//! RCU: what readers see, and when and where what they have seen ends.

use super::{
    a_while,
    element::{Element, Tally},
    eventually, is_done, spawn,
};
use childkernel::{
    new_rcu_list,
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        new_srcu, rcu,
        rcu_list::{self, Removed},
        rcu_pointer::Node,
        Rcu, RcuList,
    },
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{
        delay::{fsleep, udelay},
        Delta,
    },
};

cases!(sync_rcu:
    rcu_pointer_replaces,
    rcu_pointer_try_replace,
    rcu_pointer_defers,
    rcu_pointer_synchronizes,
    rcu_list_order,
    rcu_list_cursor,
    rcu_list_not_found,
    rcu_list_reader_keeps_way,
    rcu_list_drops_with_it,
    rcu_waits_for_readers,
    srcu_waits_for_sleepers,
);

/// The keys, in their order.
fn keys(list: &RcuList<Element>) -> Result<KVec<u64>> {
    let mut keys = KVec::with_capacity(16, GFP_KERNEL)?;
    let guard = rcu::read_lock();
    for element in list.iter(&guard) {
        // No memory is allocated here, as there is enough.
        keys.push_within_capacity(element.key())
            .map_err(|_| E2BIG)?;
    }
    Ok(keys)
}

fn element(key: u64, tally: &Arc<Tally>) -> Result<Node<Element>> {
    Node::new(Element::new(key, tally), GFP_KERNEL)
}

fn node(key: u64, tally: &Arc<Tally>) -> Result<rcu_list::Node<Element>> {
    rcu_list::Node::new(Element::new(key, tally), GFP_KERNEL)
}

fn list() -> Result<Arc<RcuList<Element>>> {
    Arc::pin_init(new_rcu_list!("test_list"), GFP_KERNEL)
}

/// A child that looks while it is inside, until it is told to leave.
struct Inside {
    /// 1: it is inside; 2: it may leave; 3: it has left, or is about to.
    state: Atomic<u32>,
    wrong: Atomic<u32>,
}

impl Inside {
    fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                state: Atomic::new(0),
                wrong: Atomic::new(0),
            },
            GFP_KERNEL,
        )?)
    }

    /// Stays inside, 20 s at most, as long as what is seen is so.
    fn stay(&self, so: impl Fn() -> bool) {
        self.state.store(1, Release);
        for _ in 0..20_000 {
            if self.state.load(Acquire) == 2 {
                break;
            }
            if !so() {
                self.wrong.fetch_add(1, Relaxed);
            }
            udelay(Delta::from_millis(1));
        }
        self.state.store(3, Release);
    }

    fn is_in(&self) -> bool {
        self.state.load(Acquire) == 1
    }

    fn has_left(&self) -> bool {
        self.state.load(Acquire) == 3
    }

    fn leave(&self) {
        self.state.store(2, Release);
    }
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
    ensure!(tally.freed() == 4);
    ensure!(tally.is_clean());
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
    ensure!(tally.freed() == 4 && tally.is_clean());
    Ok(())
}

/// A child that reads element 1 and stays inside.
fn reader(pointer: &Arc<Rcu<Element>>, inside: &Arc<Inside>) -> Result<childkernel::child::Handle> {
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
    ensure!(tally.freed() == 1 && tally.is_clean());
    Ok(())
}

/// The same by waiting: it ends before the wait returns, and not before the reader has left.
fn rcu_pointer_synchronizes() -> Result {
    let tally = Tally::new()?;
    let pointer = Arc::new(Rcu::new(element(1, &tally)?), GFP_KERNEL)?;
    let inside = Inside::new()?;
    let child = reader(&pointer, &inside)?;
    let flag = inside.clone();
    let usher = spawn(c"usher", move |ctx| {
        ctx.sleep(80);
        flag.leave();
        Ok(())
    })?;
    let old = pointer.take().ok_or(EINVAL)?;
    old.synchronize();
    let left = inside.has_left();
    let freed = tally.freed();
    ensure!(is_done(&child) && is_done(&usher));
    ensure!(left && freed == 1 && inside.wrong.load(Relaxed) == 0);
    ensure!(tally.is_clean());
    Ok(())
}

/// Each way to insert and to remove does it in its place.
fn rcu_list_order() -> Result {
    let tally = Tally::new()?;
    let list = list()?;
    ensure!(keys(&list)?.is_empty());
    list.lock().push_back(node(3, &tally)?);
    list.lock().push_front(node(1, &tally)?);
    list.lock().push_back(node(5, &tally)?);
    ensure!(*keys(&list)? == [1, 3, 5]);
    let new = [
        node(2, &tally)?,
        node(4, &tally)?,
        node(6, &tally)?,
        node(0, &tally)?,
    ];
    let [two, four, six, zero] = new;
    let mut writer = list.lock();
    let inserted = [
        writer.insert_after(|e| e.key() == 1, two).is_ok(),
        writer.insert_before(|e| e.key() == 5, four).is_ok(),
        writer.insert_after(|e| e.key() == 5, six).is_ok(),
        writer.insert_before(|e| e.key() == 1, zero).is_ok(),
    ];
    let in_order = writer.iter().map(Element::key).eq(0..=6);
    let busy = list.try_lock().is_none();
    drop(writer);
    ensure!(inserted == [true; 4] && in_order && busy);
    ensure!(*keys(&list)? == [0, 1, 2, 3, 4, 5, 6]);

    // In the middle and at both ends.
    for key in [3, 0, 6] {
        let new = node(10 + key, &tally)?;
        let old = list
            .lock()
            .replace(|e| e.key() == key, new)
            .map_err(|_| EINVAL)?;
        ensure!(old.key() == key && old.is_whole());
        drop(old);
    }
    ensure!(*keys(&list)? == [10, 1, 2, 13, 4, 5, 16]);
    for key in [13, 10, 16] {
        let old = list.lock().remove(|e| e.key() == key).ok_or(EINVAL)?;
        ensure!(old.key() == key && old.is_whole());
        old.defer();
    }
    ensure!(*keys(&list)? == [1, 2, 4, 5]);
    let mut backwards = list.lock();
    let mut cursor = backwards.cursor();
    let back = [5, 4, 2, 1].iter().all(|key| {
        // The links back are right too.
        cursor.move_prev() && cursor.peek().map(Element::key) == Some(*key)
    });
    let end = !cursor.move_prev();
    drop(backwards);
    ensure!(back && end);
    rcu::flush();
    ensure!(tally.freed() == 6);
    drop(list);
    ensure!(tally.freed() == 10 && tally.is_clean());
    Ok(())
}

fn rcu_list_cursor() -> Result {
    let tally = Tally::new()?;
    let list = list()?;
    let mut nodes = KVec::new();
    for key in [7, 1, 4, 2, 3] {
        nodes.push(node(key, &tally)?, GFP_KERNEL)?;
    }
    let mut writer = list.lock();
    // Kept in order while it is filled.
    for node in nodes {
        let mut cursor = writer.cursor();
        while cursor.move_next() && cursor.peek().is_some_and(|e| e.key() < node.key()) {}
        cursor.insert_before(node);
    }
    let sorted = writer.iter().map(Element::key).eq([1, 2, 3, 4, 7]);
    drop(writer);
    ensure!(sorted);

    let new = [
        node(0, &tally)?,
        node(8, &tally)?,
        node(9, &tally)?,
        node(5, &tally)?,
    ];
    let [zero, eight, nine, five] = new;
    let key = |e: Option<&Element>| e.map(Element::key);
    let mut removed: [Option<Removed<Element>>; 4] = [const { None }; 4];
    let mut writer = list.lock();
    let mut cursor = writer.cursor();
    // At the ends there is nothing, but a place before the first and behind the last.
    let mut so = key(cursor.peek()).is_none()
        && key(cursor.peek_next()) == Some(1)
        && key(cursor.peek_prev()) == Some(7);
    removed[0] = cursor.remove();
    so &= removed[0].is_none();
    let nowhere = cursor.replace(nine).err();
    so &= nowhere.is_some();
    cursor.insert_after(zero);
    cursor.insert_before(eight);
    so &= key(cursor.peek()).is_none();
    so &= cursor.move_next() && key(cursor.peek()) == Some(0);
    so &= cursor.move_next() && cursor.move_next() && key(cursor.peek()) == Some(2);
    // Removing moves on.
    removed[1] = cursor.remove();
    so &= key(cursor.peek()) == Some(3) && key(cursor.peek_prev()) == Some(1);
    removed[2] = cursor.remove();
    so &= key(cursor.peek()) == Some(4) && key(cursor.peek_next()) == Some(7);
    // Replacing stays.
    let replaced = cursor.replace(five);
    so &= key(cursor.peek()) == Some(5) && key(cursor.peek_prev()) == Some(1);
    so &= cursor.move_next() && cursor.move_next() && key(cursor.peek()) == Some(8);
    so &= key(cursor.peek_next()).is_none();
    removed[3] = cursor.remove();
    // It was the last.
    so &= key(cursor.peek()).is_none() && key(cursor.peek_prev()) == Some(7);
    so &= !{
        cursor.move_prev();
        cursor.move_next()
    };
    drop(writer);
    ensure!(so);
    ensure!(replaced.is_ok_and(|old| old.key() == 4));
    let mut out = removed.iter().flatten().map(|old| old.key());
    ensure!(out.next() == Some(2) && out.next() == Some(3) && out.next() == Some(8));
    ensure!(*keys(&list)? == [0, 1, 5, 7]);
    drop((removed, nowhere));
    rcu::flush();
    ensure!(tally.freed() == 5);
    drop(list);
    ensure!(tally.freed() == 9 && tally.is_clean());
    Ok(())
}

/// Where there is nothing that is wanted, nothing changes, and the node comes back.
fn rcu_list_not_found() -> Result {
    let tally = Tally::new()?;
    let list = list()?;
    list.lock().push_back(node(1, &tally)?);
    let mut back = Some(node(2, &tally)?);
    let mut writer = list.lock();
    let no = |e: &Element| e.key() == 9;
    for attempt in 0..3 {
        back = back.and_then(|node| match attempt {
            0 => writer.insert_after(no, node).err(),
            1 => writer.insert_before(no, node).err(),
            _ => writer.replace(no, node).err(),
        });
    }
    let removed = writer.remove(no);
    let found = writer.find(no).is_some();
    drop(writer);
    ensure!(back.is_some_and(|node| node.key() == 2));
    ensure!(removed.is_none() && !found);
    ensure!(*keys(&list)? == [1]);
    ensure!(tally.freed() == 1);
    Ok(())
}

/// A reader at an element that is removed, or replaced, sees it whole, and finds its way on.
fn rcu_list_reader_keeps_way() -> Result {
    let tally = Tally::new()?;
    let list = list()?;
    for key in 1..=4 {
        list.lock().push_back(node(key, &tally)?);
    }
    let inside = Inside::new()?;
    let (other, flag) = (list.clone(), inside.clone());
    let child = spawn(c"reader", move |_| {
        let guard = rcu::read_lock();
        let mut at = other.iter(&guard);
        let seen = at.find(|e| e.key() == 2).ok_or(EINVAL)?;
        flag.stay(|| seen.key() == 2 && seen.is_whole());
        // 3 is gone before it has got there. Replaced elements lead to what followed then.
        if at.map(Element::key).eq([4]) {
            Ok(())
        } else {
            Err(EINVAL)
        }
    })?;
    ensure!(eventually(|| inside.is_in()));
    let new = node(12, &tally)?;
    let mut writer = list.lock();
    let removed = writer.remove(|e| e.key() == 3);
    let replaced = writer.replace(|e| e.key() == 2, new);
    drop(writer);
    let both = removed.is_some() && replaced.is_ok();
    drop((removed, replaced));
    a_while();
    a_while();
    let early = tally.freed();
    inside.leave();
    let done = is_done(&child);
    rcu::flush();
    ensure!(both && done && early == 0 && inside.wrong.load(Relaxed) == 0);
    ensure!(tally.freed() == 2 && tally.is_clean());
    ensure!(*keys(&list)? == [1, 12, 4]);
    Ok(())
}

/// A list that goes takes along what is in it, at once; who was removed ends by itself.
fn rcu_list_drops_with_it() -> Result {
    let tally = Tally::new()?;
    let list = list()?;
    for key in 0..5 {
        list.lock().push_front(node(key, &tally)?);
    }
    let removed = list.lock().remove(|e| e.key() == 2).ok_or(EINVAL)?;
    drop(list);
    ensure!(tally.freed() == 4);
    ensure!(removed.key() == 2 && removed.is_whole());
    removed.synchronize();
    ensure!(tally.freed() == 5 && tally.is_clean());
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
        let flag = inside.clone();
        let usher = spawn(c"usher", move |ctx| {
            ctx.sleep(80);
            flag.leave();
            Ok(())
        })?;
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
        let flag = inside.clone();
        let usher = spawn(c"usher", move |ctx| {
            ctx.sleep(80);
            flag.leave();
            Ok(())
        })?;
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
