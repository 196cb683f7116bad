// SPDX-License-Identifier: GPL-2.0

//! Condition variables.

use super::{a_while, eventually, is_done, lasts, spawn, stop_gives, HOUR_MS};
use childkernel::{
    child::{Context, Handle},
    new_spinlock_bh,
    sync::{
        atomic::{Atomic, Relaxed},
        lock::{Backend, Lock},
        new_condvar, new_mutex, new_spinlock, CondVar, CondVarExt, Mutex,
    },
};
use kernel::{prelude::*, sync::Arc};

cases!(sync_wait:
    condvar_notify_one,
    condvar_notify_all,
    condvar_any_lock,
    condvar_again,
    condvar_timeout,
    condvar_timeout_woken,
    condvar_stop,
    condvar_stop_timeout,
    condvar_killable,
);

/// Numbers to take, and a way to wait for them.
#[pin_data]
struct Shop {
    #[pin]
    goods: Mutex<u32>,
    #[pin]
    more: CondVar,
    came: Atomic<u32>,
    served: Atomic<u32>,
    /// How often a waiter has looked.
    looks: Atomic<u32>,
}

fn shop(goods: u32) -> Result<Arc<Shop>> {
    Arc::pin_init(
        pin_init!(Shop {
            goods <- new_mutex!(goods, "test_goods"),
            more <- new_condvar!("test_more"),
            came: Atomic::new(0),
            served: Atomic::new(0),
            looks: Atomic::new(0),
        }),
        GFP_KERNEL,
    )
}

impl Shop {
    /// A condition, and a count of how often it was asked for.
    fn sold_out(&self, goods: &u32) -> bool {
        self.looks.fetch_add(1, Relaxed);
        *goods == 0
    }

    /// Spawns a child that waits for one and takes it.
    fn customer(self: &Arc<Self>) -> Result<Handle> {
        let shop = self.clone();
        spawn(c"customer", move |_| {
            let mut goods = shop.goods.lock();
            let more = &shop.more;
            shop.came.fetch_add(1, Relaxed);
            more.wait_while_interruptible(&mut goods, |n| shop.sold_out(n))?;
            *goods = goods.checked_sub(1).ok_or(ERANGE)?;
            shop.served.fetch_add(1, Relaxed);
            Ok(())
        })
    }

    fn customers(self: &Arc<Self>, count: u32) -> Result<KVec<Handle>> {
        let mut children = KVec::new();
        for _ in 0..count {
            children.push(self.customer()?, GFP_KERNEL)?;
        }
        // Each came under the lock that it then gave away to wait.
        if !eventually(|| self.came.load(Relaxed) == count) {
            return Err(ETIMEDOUT);
        }
        drop(self.goods.lock());
        // Who had to wait for the lock may yet be woken for that, and would look.
        a_while();
        Ok(children)
    }
}

/// Goods for all, but one is told: one comes, and the others go on waiting.
fn condvar_notify_one() -> Result {
    let shop = shop(0)?;
    let children = shop.customers(3)?;
    for served in 1..=3 {
        *shop.goods.lock() += 3;
        shop.more.notify_one();
        let came = eventually(|| shop.served.load(Relaxed) >= served);
        a_while();
        *shop.goods.lock() = 0;
        ensure!(came);
        ensure!(shop.served.load(Relaxed) == served);
    }
    for child in &children {
        ensure!(is_done(child));
    }
    // A notification that nobody waits for is lost.
    shop.more.notify_one();
    let late = shop.customer()?;
    a_while();
    ensure!(shop.served.load(Relaxed) == 3);
    *shop.goods.lock() = 1;
    shop.more.notify_one();
    ensure!(is_done(&late));
    Ok(())
}

/// All are told, and those for whom nothing is left wait on.
fn condvar_notify_all() -> Result {
    let shop = shop(0)?;
    let children = shop.customers(3)?;
    *shop.goods.lock() = 2;
    let before = shop.looks.load(Relaxed);
    shop.more.notify_all();
    ensure!(eventually(|| shop.looks.load(Relaxed) >= before + 3));
    a_while();
    ensure!(shop.served.load(Relaxed) == 2);
    *shop.goods.lock() = 1;
    shop.more.notify_all();
    for child in &children {
        ensure!(is_done(child));
    }
    ensure!(shop.served.load(Relaxed) == 3);
    Ok(())
}

/// Waits under this lock, in the ways that differ, for another to change what it guards.
fn waits_under<B: Backend + 'static>(lock: Arc<Lock<u32, B>>) -> Result {
    let changed = Arc::pin_init(new_condvar!("test_changed"), GFP_KERNEL)?;
    let (other, signal) = (lock.clone(), changed.clone());
    // It counts each even number up to the next, an odd one.
    let child = spawn(c"partner", move |_| {
        for turn in 0..4 {
            let mut number = other.lock();
            signal.wait_while_interruptible(&mut number, |n| *n != 2 * turn)?;
            *number += 1;
            signal.notify_all();
        }
        Ok(())
    })?;
    let limit = Context::jiffies(20_000);
    let mut number = lock.lock();
    let mut results = [false; 4];
    changed.wait_while(&mut number, |n| *n != 1);
    results[0] = *number == 1;
    *number += 1;
    changed.notify_all();
    results[1] = changed
        .wait_while_timeout(&mut number, |n| *n != 3, limit)
        .is_ok_and(|left| left > 0 && left <= limit);
    *number += 1;
    changed.notify_all();
    results[2] = changed
        .wait_while_interruptible_timeout(&mut number, |n| *n != 5, limit)
        .is_ok_and(|left| left > 0 && left <= limit);
    *number += 1;
    changed.notify_all();
    results[3] = changed
        .wait_while_killable(&mut number, |n| *n != 7)
        .is_ok();
    // It is held again.
    let held = lock.try_lock().is_none();
    drop(number);
    ensure!(results == [true; 4]);
    ensure!(held);
    ensure!(is_done(&child));
    ensure!(lock.try_lock().map(|n| *n) == Some(7));
    Ok(())
}

fn condvar_any_lock() -> Result {
    waits_under(Arc::pin_init(new_mutex!(0, "test_mutex"), GFP_KERNEL)?)?;
    waits_under(Arc::pin_init(new_spinlock!(0, "test_spin"), GFP_KERNEL)?)?;
    waits_under(Arc::pin_init(
        new_spinlock_bh!(0, "test_spin_bh"),
        GFP_KERNEL,
    )?)
}

/// A condition that holds is not waited for, and one that does not is asked for again and again.
fn condvar_again() -> Result {
    let shop = shop(1)?;
    let mut goods = shop.goods.lock();
    let more = &shop.more;
    more.wait_while(&mut goods, |n| *n == 0);
    let first = more.wait_while_interruptible(&mut goods, |n| *n == 0);
    let second = more.wait_while_killable(&mut goods, |n| *n == 0);
    // With no time at all too.
    let third = more.wait_while_timeout(&mut goods, |n| *n == 0, 0);
    let fourth = more.wait_while_interruptible_timeout(&mut goods, |n| *n == 0, 0);
    drop(goods);
    ensure!(first.is_ok() && second.is_ok());
    ensure!(third == Ok(1) && fourth == Ok(1));

    *shop.goods.lock() = 0;
    let children = shop.customers(1)?;
    for _ in 0..4 {
        let before = shop.looks.load(Relaxed);
        shop.more.notify_all();
        ensure!(eventually(|| shop.looks.load(Relaxed) > before));
        drop(shop.goods.lock());
    }
    ensure!(shop.served.load(Relaxed) == 0);
    *shop.goods.lock() = 1;
    shop.more.notify_all();
    for child in &children {
        ensure!(is_done(child));
    }
    Ok(())
}

/// Limits end both timed waits, not early, notified in vain or not.
fn condvar_timeout() -> Result {
    let shop = shop(0)?;
    let other = shop.clone();
    let nuisance = spawn(c"nuisance", move |ctx| {
        while !ctx.should_stop() {
            other.more.notify_all();
            ctx.sleep(3);
        }
        Ok(())
    })?;
    let limit = Context::jiffies(60);
    // The first jiffy may be a part of one.
    let second = Context::jiffies(1000) as i64;
    let jiffy_ms = 1000i64.checked_div(second).unwrap_or(0);
    for interruptible in [false, true] {
        lasts(59 - jiffy_ms, || {
            let mut goods = shop.goods.lock();
            let more = &shop.more;
            let result = if interruptible {
                more.wait_while_interruptible_timeout(&mut goods, |n| shop.sold_out(n), limit)
            } else {
                more.wait_while_timeout(&mut goods, |n| shop.sold_out(n), limit)
            };
            let held = shop.goods.try_lock().is_none();
            drop(goods);
            ensure!(result == Err(ETIMEDOUT) && held);
            Ok(())
        })?;
    }
    nuisance.stop();
    ensure!(shop.looks.load(Relaxed) > 4);
    Ok(())
}

/// What is left of a limit goes down, whatever the wait is woken for.
fn condvar_timeout_woken() -> Result {
    let shop = shop(0)?;
    let limit = Context::jiffies(HOUR_MS);
    for interruptible in [false, true] {
        let other = shop.clone();
        let seller = spawn(c"seller", move |ctx| {
            for goods in [0, 0, 1] {
                ctx.sleep(20);
                *other.goods.lock() = goods;
                other.more.notify_one();
            }
            Ok(())
        })?;
        let mut goods = shop.goods.lock();
        let left = if interruptible {
            let more = &shop.more;
            more.wait_while_interruptible_timeout(&mut goods, |n| *n == 0, limit)
        } else {
            shop.more.wait_while_timeout(&mut goods, |n| *n == 0, limit)
        };
        let seen = core::mem::take(&mut *goods);
        drop(goods);
        ensure!(is_done(&seller));
        ensure!(seen == 1);
        ensure!(left.is_ok_and(|left| left <= limit - Context::jiffies(50) && left > limit / 2));
    }
    Ok(())
}

/// A child that waits is ended by a stop, and has the lock then.
fn condvar_stop() -> Result {
    let shop = shop(0)?;
    let other = shop.clone();
    let child = spawn(c"customer", move |_| {
        let mut goods = other.goods.lock();
        let more = &other.more;
        let result = more.wait_while_interruptible(&mut goods, |n| other.sold_out(n));
        *goods += 10;
        result
    })?;
    ensure!(stop_gives(&child, ERESTARTSYS));
    ensure!(*shop.goods.lock() == 10);
    // It has looked before it waited and after.
    ensure!(shop.looks.load(Relaxed) >= 2);
    Ok(())
}

fn condvar_stop_timeout() -> Result {
    let shop = shop(0)?;
    let other = shop.clone();
    let limit = Context::jiffies(HOUR_MS);
    let child = spawn(c"customer", move |_| {
        let mut goods = other.goods.lock();
        let more = &other.more;
        more.wait_while_interruptible_timeout(&mut goods, |n| *n == 0, limit)?;
        Ok(())
    })?;
    ensure!(stop_gives(&child, ERESTARTSYS));
    ensure!(shop.goods.try_lock().is_some());
    Ok(())
}

/// Neither a killable nor a plain wait is ended by a stop: they go on until the condition holds.
fn condvar_killable() -> Result {
    let shop = shop(0)?;
    let other = shop.clone();
    let child = Arc::new(
        spawn(c"customer", move |_| {
            let mut goods = other.goods.lock();
            let more = &other.more;
            more.wait_while_killable(&mut goods, |n| other.sold_out(n))?;
            *goods = goods.checked_sub(1).ok_or(ERANGE)?;
            more.wait_while(&mut goods, |n| other.sold_out(n));
            *goods = goods.checked_sub(1).ok_or(ERANGE)?;
            Ok(())
        })?,
        GFP_KERNEL,
    )?;
    let looked = eventually(|| shop.looks.load(Relaxed) == 1);
    // Stopping waits for the child, so somebody else does it.
    let stopped = child.clone();
    let stopper = spawn(c"stopper", move |_| {
        stopped.stop();
        Ok(())
    })?;
    a_while();
    *shop.goods.lock() = 1;
    shop.more.notify_one();
    let second = eventually(|| *shop.goods.lock() == 0);
    a_while();
    *shop.goods.lock() = 1;
    shop.more.notify_one();
    ensure!(is_done(&stopper));
    ensure!(is_done(&child));
    // The request may have woken it, without effect.
    ensure!(looked && second);
    ensure!(*shop.goods.lock() == 0);
    Ok(())
}
