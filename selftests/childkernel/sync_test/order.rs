// SPDX-License-Identifier: GPL-2.0

//! Lock order. What must not compile stands in `selftests/compile_fail`.

use super::{is_done, spawn, tokens::is_free};
use childkernel::sync::{
    lock_levels, new_mutex, new_spinlock,
    order::During,
    preempt::{in_softirq, irqs_disabled, preempt_count},
    Mutex, Ordered, SpinLock, Token,
};
use kernel::{prelude::*, sync::Arc};

cases!(sync_order:
    order_nests,
    order_any_way,
    order_tokens,
    order_two_of_a_level,
    order_two_are_one,
);

lock_levels! {
    /// A number that sleeps.
    Outer,
    /// Numbers that spin.
    Inner,
}

#[pin_data]
struct Pair {
    #[pin]
    outer: Ordered<Outer, Mutex<u64>>,
    #[pin]
    inner: Ordered<Inner, SpinLock<u64>>,
}

fn pair() -> Result<Arc<Pair>> {
    Arc::pin_init(
        pin_init!(Pair {
            outer <- Ordered::new(new_mutex!(0, "test_outer")),
            inner <- Ordered::new(new_spinlock!(0, "test_inner")),
        }),
        GFP_KERNEL,
    )
}

/// Both are held at once, and both are free afterwards.
fn order_nests() -> Result {
    let pair = pair()?;
    let mut token = Token::outermost();
    let (mut outer, mut token_in) = pair.outer.lock(&mut token);
    let (mut inner, _) = pair.inner.lock(&mut token_in);
    *outer += 1;
    *inner += *outer;
    let held =
        pair.outer.unordered().try_lock().is_none() && pair.inner.unordered().try_lock().is_none();
    drop(inner);
    drop(outer);
    ensure!(held);
    let (inner, _) = pair.inner.lock(&mut token);
    let value = *inner;
    drop(inner);
    ensure!(value == 1);
    ensure!(pair.outer.unordered().try_lock().is_some());
    Ok(())
}

/// What is returned is what the way gives: here an attempt.
fn order_any_way() -> Result {
    let pair = pair()?;
    let mut token = Token::outermost();
    let (got, mut token_in) = pair.outer.lock_by(&mut token, |lock| lock.try_lock());
    ensure!(got.is_some());
    let (inner, _) = pair.inner.lock_by(&mut token_in, |lock| lock.try_lock());
    ensure!(inner.is_some());
    drop((inner, got));
    let held = pair.outer.unordered().lock();
    let (got, _) = pair.outer.lock_by(&mut token, |lock| lock.try_lock());
    ensure!(got.is_none());
    drop(held);
    Ok(())
}

/// What a token says is off is off, as long as what it gave lives.
fn order_tokens() -> Result {
    fn state<G>(_: &During<'_, G>) -> (bool, bool, bool) {
        (preempt_count() != 0, in_softirq(), irqs_disabled())
    }

    let mut token = Token::outermost();
    let (off, _) = token.preempt_disable();
    let preempt = state(&off);
    drop(off);
    let (off, _) = token.bh_disable();
    let bh = state(&off);
    drop(off);
    let (off, _) = token.interrupt_disable();
    let irq = state(&off);
    drop(off);
    ensure!(preempt.0 && !preempt.1 && !preempt.2);
    ensure!(bh.1 && !bh.2);
    ensure!(irq.2 && !irq.1);
    ensure!(is_free());
    Ok(())
}

/// Transfers between two accounts in both directions: nobody waits for ever, nothing is lost.
fn order_two_of_a_level() -> Result {
    const EACH: u64 = 2000;

    #[pin_data]
    struct Accounts {
        #[pin]
        a: Ordered<Inner, SpinLock<u64>>,
        #[pin]
        b: Ordered<Inner, SpinLock<u64>>,
    }

    let accounts = Arc::pin_init(
        pin_init!(Accounts {
            a <- Ordered::new(new_spinlock!(EACH, "test_account")),
            b <- Ordered::new(new_spinlock!(EACH, "test_account")),
        }),
        GFP_KERNEL,
    )?;
    let forth = accounts.clone();
    let one = spawn(c"forth", move |ctx| {
        for _ in 0..EACH {
            let ((mut from, mut to), _) = forth.a.lock_two(&forth.b, ctx.token())?;
            *from -= 1;
            *to += 1;
        }
        Ok(())
    })?;
    let back = accounts.clone();
    let other = spawn(c"back", move |ctx| {
        for _ in 0..EACH {
            let ((mut from, mut to), _) = back.b.lock_two(&back.a, ctx.token())?;
            *from -= 1;
            *to += 1;
        }
        Ok(())
    })?;
    ensure!(is_done(&one) && is_done(&other));
    let mut token = Token::outermost();
    // Each guard is that of the lock in its place, whichever was taken first.
    let ((mut a, b), _) = accounts.a.lock_two(&accounts.b, &mut token)?;
    *a += 5;
    let both = (*a, *b);
    drop((a, b));
    let ((b, a), _) = accounts.b.lock_two(&accounts.a, &mut token)?;
    let again = (*a, *b);
    drop((a, b));
    ensure!(both == (EACH + 5, EACH) && again == both);
    Ok(())
}

fn order_two_are_one() -> Result {
    let pair = pair()?;
    let mut token = Token::outermost();
    let error = pair.inner.lock_two(&pair.inner, &mut token).map(drop).err();
    ensure!(error == Some(EDEADLK));
    ensure!(pair.inner.unordered().try_lock().is_some());
    Ok(())
}
