// SPDX-License-Identifier: GPL-2.0

//! RCU lists: what is where, and what lookups see of it.

use super::{
    a_while,
    element::{Element, Inside, Tally},
    eventually, is_done, spawn,
};
use childkernel::{
    new_rcu_list,
    sync::{
        atomic::Relaxed,
        rcu,
        rcu_list::{self, Removed},
        RcuList,
    },
};
use kernel::{prelude::*, sync::Arc};

cases!(sync_rcu_list:
    rcu_list_order,
    rcu_list_cursor,
    rcu_list_not_found,
    rcu_list_reader_keeps_way,
    rcu_list_drops_with_it,
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

fn node(key: u64, tally: &Arc<Tally>) -> Result<rcu_list::Node<Element>> {
    rcu_list::Node::new(Element::new(key, tally), GFP_KERNEL)
}

fn list() -> Result<Arc<RcuList<Element>>> {
    Arc::pin_init(new_rcu_list!("test_list"), GFP_KERNEL)
}

/// Each way to insert and to remove does it in its place.
fn rcu_list_order() -> Result {
    let tally = Tally::new()?;
    let list = list()?;
    ensure!(keys(&list)?.is_empty());
    // Memory first: the writers' lock is a spinlock, and what is called on it comes before what is
    // passed.
    let [three, one, five] = [node(3, &tally)?, node(1, &tally)?, node(5, &tally)?];
    list.lock().push_back(three);
    list.lock().push_front(one);
    list.lock().push_back(five);
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
    ensure!(tally.is_clean_at(10));
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
    ensure!(tally.is_clean_at(9));
    Ok(())
}

/// Where there is nothing that is wanted, nothing changes, and the node comes back.
fn rcu_list_not_found() -> Result {
    let tally = Tally::new()?;
    let list = list()?;
    let one = node(1, &tally)?;
    list.lock().push_back(one);
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
        let new = node(key, &tally)?;
        list.lock().push_back(new);
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
    ensure!(tally.is_clean_at(2));
    ensure!(*keys(&list)? == [1, 12, 4]);
    Ok(())
}

/// A list that goes takes along what is in it, at once; who was removed ends by itself.
fn rcu_list_drops_with_it() -> Result {
    let tally = Tally::new()?;
    let list = list()?;
    for key in 0..5 {
        let new = node(key, &tally)?;
        list.lock().push_front(new);
    }
    let removed = list.lock().remove(|e| e.key() == 2).ok_or(EINVAL)?;
    drop(list);
    ensure!(tally.freed() == 4);
    ensure!(removed.key() == 2 && removed.is_whole());
    removed.synchronize();
    ensure!(tally.is_clean_at(5));
    Ok(())
}
