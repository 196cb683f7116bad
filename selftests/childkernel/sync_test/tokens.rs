// SPDX-License-Identifier: GPL-2.0

//! Preemption, bottom halves, interrupts: the tokens nest, and may be dropped in any order.

use childkernel::{
    new_raw_spinlock_irq, new_rwlock, new_spinlock_bh,
    sync::{
        new_spinlock_irq,
        preempt::{
            in_softirq, irqs_disabled, local_bh_disable, local_interrupt_disable, preempt_count,
            preempt_disable,
        },
        RawSpinLockIrq, ResilientSpinLockIrq, RwLockBh, RwLockIrq, SpinLockBh, SpinLockIrq,
    },
};
use kernel::prelude::*;

cases!(sync_tokens:
    preempt_nests,
    irq_any_order,
    bh_any_order,
    bh_inside_irq,
    lock_irq_any_order,
    lock_bh_any_order,
);

pub(super) fn is_free() -> bool {
    !irqs_disabled() && !in_softirq() && preempt_count() == 0
}

fn preempt_nests() -> Result {
    ensure!(is_free());
    let a = preempt_disable();
    let b = preempt_disable();
    let nested = preempt_count();
    drop(a);
    let one = preempt_count();
    drop(b);
    ensure!(nested == 2 && one == 1);
    ensure!(is_free());
    Ok(())
}

fn irq_any_order() -> Result {
    let a = local_interrupt_disable();
    let b = local_interrupt_disable();
    let nested = irqs_disabled();
    drop(a);
    let one = irqs_disabled();
    drop(b);
    ensure!(nested && one);
    ensure!(is_free());
    Ok(())
}

fn bh_any_order() -> Result {
    let a = local_bh_disable();
    let b = local_bh_disable();
    drop(a);
    let one = in_softirq();
    drop(b);
    ensure!(one);
    ensure!(is_free());
    Ok(())
}

/// Bottom halves come back while interrupts are off: these must not come back with them.
fn bh_inside_irq() -> Result {
    if cfg!(CONFIG_PREEMPT_RT) {
        return super::skip("bh_inside_irq", "bottom halves are not enabled there");
    }
    let bh = local_bh_disable();
    let irq = local_interrupt_disable();
    drop(bh);
    let off = irqs_disabled();
    let softirq = in_softirq();
    drop(irq);
    ensure!(off && !softirq);
    ensure!(is_free());
    Ok(())
}

fn lock_irq_any_order() -> Result {
    let a: Pin<KBox<SpinLockIrq<u8>>> = KBox::pin_init(new_spinlock_irq!(1, "test_a"), GFP_KERNEL)?;
    let b: Pin<KBox<RawSpinLockIrq<u8>>> =
        KBox::pin_init(new_raw_spinlock_irq!(2, "test_b"), GFP_KERNEL)?;
    let c: Pin<KBox<RwLockIrq<u8>>> = KBox::pin_init(new_rwlock!(3, "test_c"), GFP_KERNEL)?;

    let d = KBox::pin_init(ResilientSpinLockIrq::new(4u8), GFP_KERNEL)?;

    // Raw ones inside of those that sleep on `PREEMPT_RT`.
    let (ga, gc, gb, gd) = (a.lock(), c.read(), b.lock(), d.lock());
    let sum = *ga + *gb + *gc + gd.as_deref().map_or(0, |d| *d);
    drop(gd);
    drop(ga);
    let first = irqs_disabled();
    drop(gc);
    let second = irqs_disabled();
    drop(gb);
    ensure!(sum == 10 && first && second);
    ensure!(is_free());

    // Attempts that fail leave things as they were.
    let held = b.lock();
    let failed = b.try_lock().is_none();
    let still = irqs_disabled();
    drop(held);
    ensure!(failed && still);
    ensure!(is_free());
    let held = d.lock();
    let failed = d.lock().is_err();
    let still = irqs_disabled();
    drop(held);
    ensure!(failed && still);
    ensure!(is_free());
    let held = c.write();
    let failed = c.try_read().is_none() && c.try_write().is_none();
    drop(held);
    ensure!(failed);
    ensure!(is_free());
    Ok(())
}

fn lock_bh_any_order() -> Result {
    let a: Pin<KBox<SpinLockBh<u8>>> = KBox::pin_init(new_spinlock_bh!(1, "test_a"), GFP_KERNEL)?;
    let b: Pin<KBox<RwLockBh<u8>>> = KBox::pin_init(new_rwlock!(2, "test_b"), GFP_KERNEL)?;

    let (ga, gb) = (a.lock(), b.write());
    let failed = a.try_lock().is_none() && b.try_read().is_none();
    drop(ga);
    let one = in_softirq();
    drop(gb);
    ensure!(failed && one);
    ensure!(is_free());
    Ok(())
}
