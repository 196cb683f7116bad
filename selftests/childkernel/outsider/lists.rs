// SPDX-License-Identifier: GPL-2.0

//! RCU lists, changed while others look up.

use super::eventually;
use childkernel::{
    child::Builder,
    new_rcu_list,
    stats::Counted,
    sync::{
        atomic::{Atomic, Relaxed},
        lock::mutex::MutexBackend,
        rcu,
        rcu_list::Node,
        RcuList,
    },
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta, Instant, Monotonic},
    ThisModule,
};

/// An element that counts its end.
pub(crate) struct Element {
    n: u32,
    drops: Arc<Atomic<u32>>,
}

impl Drop for Element {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Relaxed);
    }
}

/// The numbers of the elements as the digits of one.
pub(crate) fn digits<'a>(elements: impl Iterator<Item = &'a Element>) -> u32 {
    elements.fold(0, |sum, element| sum * 10 + element.n)
}

pub(crate) fn rcu_list(_: &'static ThisModule) -> Result {
    let drops = Arc::new(Atomic::new(0u32), GFP_KERNEL)?;
    let node = |n| {
        let drops = drops.clone();
        Node::new(Element { n, drops }, GFP_KERNEL)
    };
    let list: Pin<KBox<RcuList<Element>>> =
        KBox::pin_init(new_rcu_list!("outsider_list"), GFP_KERNEL)?;
    let look_up = || digits(list.iter(&rcu::read_lock()));

    ensure!(look_up() == 0);
    for n in [3, 2, 1] {
        let new = node(n)?;
        list.lock().push_front(new);
    }
    for n in [4, 5, 6] {
        let new = node(n)?;
        list.lock().push_back(new);
    }
    ensure!(look_up() == 123_456);
    ensure!(digits(list.lock().iter()) == 123_456);

    // A node that was never linked is dropped like any value.
    drop(node(9)?);
    ensure!(drops.load(Relaxed) == 1);

    let writer = list.lock();
    let second = list.try_lock().is_some();
    drop(writer);
    ensure!(!second);
    ensure!(list.try_lock().is_some());

    ensure!(list.lock().remove(|e| e.n == 7).is_none());
    let removed = list.lock().remove(|e| e.n == 3).ok_or(EINVAL)?;
    ensure!(look_up() == 12_456);
    ensure!(removed.n == 3);
    removed.synchronize();
    ensure!(drops.load(Relaxed) == 2);

    // A lookup that found it keeps it, however long it looks.
    let removed = list.lock().remove(|e| e.n == 5).ok_or(EINVAL)?;
    let guard = rcu::read_lock();
    let began = Instant::<Monotonic>::now();
    removed.defer();
    while began.elapsed() < Delta::from_millis(50) {
        core::hint::spin_loop();
    }
    let early = drops.load(Relaxed);
    drop(guard);
    ensure!(early == 2);
    rcu::flush();
    ensure!(drops.load(Relaxed) == 3);

    // Dropping what was removed defers its end as well.
    drop(list.lock().remove(|e| e.n == 1));
    ensure!(look_up() == 246);
    rcu::flush();
    ensure!(drops.load(Relaxed) == 4);

    drop(list);
    ensure!(drops.load(Relaxed) == 7);
    Ok(())
}

/// The writers' lock is for the type to choose.
pub(crate) fn rcu_list_of_mutex(_: &'static ThisModule) -> Result {
    let list: Pin<KBox<Counted<RcuList<u32, MutexBackend>>>> = KBox::pin_init(
        Counted::new(c"outsider/list", new_rcu_list!("outsider_list_mutex")),
        GFP_KERNEL,
    )?;
    let node = Node::new(1, GFP_KERNEL)?;
    let mut writer = list.lock();
    // What a spinlock would not allow.
    fsleep(Delta::from_millis(2));
    writer.push_back(node);
    drop(writer);
    ensure!(list.inner().iter(&rcu::read_lock()).eq(&[1]));
    ensure!(list.stats().acquisitions() == 1);
    Ok(())
}

/// Lookups in a child while this thread changes the list.
pub(crate) fn rcu_list_concurrent(module: &'static ThisModule) -> Result {
    let drops = Arc::new(Atomic::new(0u32), GFP_KERNEL)?;
    let list: Arc<RcuList<Element>> = Arc::pin_init(new_rcu_list!("outsider_shared"), GFP_KERNEL)?;
    let shared = list.clone();
    let reader = Builder::new(module, c"list-reader").spawn(move |ctx| {
        while !ctx.should_stop() {
            let guard = rcu::read_lock();
            if !shared.iter(&guard).map(|e| e.n).is_sorted_by(|a, b| a > b) {
                ctx.violation();
            }
            drop(guard);
            ctx.add_ops(1);
        }
        Ok(())
    })?;
    for n in 1..=1000 {
        let drops = drops.clone();
        let node = Node::new(Element { n, drops }, GFP_KERNEL)?;
        list.lock().push_front(node);
        if n > 4 {
            let removed = list.lock().remove(|e| e.n == n - 4).ok_or(EINVAL)?;
            removed.defer();
        }
    }
    ensure!(eventually(|| reader.record().ops() > 0));
    reader.stop();
    ensure!(reader.record().violations() == 0);
    rcu::flush();
    ensure!(drops.load(Relaxed) == 996);
    Ok(())
}
