// SPDX-License-Identifier: GPL-2.0

//! Whether and when a child is started again, at times that are made up.

use childkernel::child::restart::{
    Decision::{self, After, GiveUp, Rest},
    Policy, Restart, Restarts,
    Severity::{self, Crashed, Failed, Returned},
    LIMIT_MAX,
};
use core::cell::Cell;
use kernel::prelude::*;

cases!(child_restarts:
    restarts_policies,
    restarts_limit,
    restarts_window_slides,
    restarts_without_window,
    restarts_none_allowed,
    restarts_backoff,
    restarts_backoff_over_again,
    restarts_extremes,
    restarts_most,
    restarts_budget,
);

const MS: u64 = 1_000_000;

/// Decides at this ms, with a budget that lasts for ever.
fn at(restarts: &mut Restarts, ms: u64) -> Decision {
    restarts.decide(Failed, ms * MS, || true)
}

fn restarts_policies() -> Result {
    let wanted = [
        (Policy::Never, [false, false, false]),
        (Policy::OnError, [false, true, false]),
        (Policy::OnCrash, [false, true, true]),
        (Policy::Always, [true, true, true]),
    ];
    for (policy, wanted) in wanted {
        for (end, wanted) in [Returned, Failed, Crashed].into_iter().zip(wanted) {
            let mut restarts = Restarts::new(Restart::by(policy).backoff(7, 7));
            let expected = if wanted { After(7 * MS) } else { Rest };
            ensure!(restarts.decide(end, 0, || true) == expected);
        }
    }
    ensure!(Restart::NEVER.policy() == Policy::Never);
    ensure!(Restart::on_error().policy() == Policy::OnError);
    ensure!(Restart::on_crash().policy() == Policy::OnCrash);
    ensure!(Restart::always().policy() == Policy::Always);
    Ok(())
}

/// As many as allowed within the window, and then no more.
fn restarts_limit() -> Result {
    for limit in [1, 3, LIMIT_MAX] {
        let mut restarts = Restarts::new(Restart::always().limit(limit, 1000).backoff(0, 0));
        for n in 0..u64::from(limit) {
            ensure!(at(&mut restarts, n) == After(0));
        }
        for n in 0..5 {
            ensure!(at(&mut restarts, 999 - n) == GiveUp);
        }
    }
    Ok(())
}

/// What lies as long back as the window is long does not count; nor does what was refused.
fn restarts_window_slides() -> Result {
    let mut restarts = Restarts::new(Restart::always().limit(2, 100).backoff(0, 0));
    ensure!(at(&mut restarts, 50) == After(0));
    ensure!(at(&mut restarts, 110) == After(0));
    ensure!(at(&mut restarts, 120) == GiveUp);
    ensure!(restarts.decide(Failed, 150 * MS - 1, || true) == GiveUp);
    ensure!(at(&mut restarts, 150) == After(0));
    ensure!(at(&mut restarts, 209) == GiveUp);
    ensure!(at(&mut restarts, 210) == After(0));
    // The whole of it has passed.
    ensure!(at(&mut restarts, 1000) == After(0));
    ensure!(at(&mut restarts, 1000) == After(0));
    ensure!(at(&mut restarts, 1000) == GiveUp);
    Ok(())
}

/// Within no time there are none.
fn restarts_without_window() -> Result {
    let mut restarts = Restarts::new(Restart::always().limit(1, 0).backoff(3, 1000));
    for _ in 0..3 * LIMIT_MAX {
        ensure!(at(&mut restarts, 5) == After(3 * MS));
    }
    Ok(())
}

fn restarts_none_allowed() -> Result {
    for window in [0, 1, u32::MAX] {
        let mut restarts = Restarts::new(Restart::always().limit(0, window));
        for end in [Returned, Failed, Crashed] {
            ensure!(restarts.decide(end, 0, || true) == GiveUp);
            ensure!(restarts.decide(end, u64::MAX, || true) == GiveUp);
        }
    }
    Ok(())
}

/// Each wait is twice the one before, up to the most.
fn restarts_backoff() -> Result {
    let mut restarts = Restarts::new(Restart::always().limit(LIMIT_MAX, 1000).backoff(10, 65));
    for ms in [10, 20, 40, 65, 65, 65] {
        ensure!(at(&mut restarts, 0) == After(ms * MS));
    }
    // From the beginning it is the most.
    let mut restarts = Restarts::new(Restart::always().limit(3, 1000).backoff(10, 10));
    for _ in 0..3 {
        ensure!(at(&mut restarts, 0) == After(10 * MS));
    }
    Ok(())
}

/// It is as long as what is in the window makes it.
fn restarts_backoff_over_again() -> Result {
    let mut restarts = Restarts::new(Restart::always().limit(10, 100).backoff(1, 1000));
    for ms in [1, 2, 4] {
        ensure!(at(&mut restarts, 0) == After(ms * MS));
    }
    ensure!(at(&mut restarts, 60) == After(8 * MS));
    ensure!(at(&mut restarts, 100) == After(2 * MS));
    ensure!(at(&mut restarts, 500) == After(MS));
    Ok(())
}

/// Nothing overflows, whatever is said and whenever it is.
fn restarts_extremes() -> Result {
    let longest = Restart::always()
        .limit(LIMIT_MAX, u32::MAX)
        .backoff(u32::MAX, u32::MAX);
    let mut restarts = Restarts::new(longest);
    for _ in 0..LIMIT_MAX {
        let decision = restarts.decide(Returned, u64::MAX, || true);
        ensure!(decision == After(u64::from(u32::MAX) * MS));
    }
    ensure!(restarts.decide(Returned, u64::MAX, || true) == GiveUp);

    // The doubling goes beyond any number long before.
    let mut restarts = Restarts::new(longest.backoff(1, u32::MAX));
    for n in 0..LIMIT_MAX {
        let ms = 1u64
            .checked_shl(n)
            .unwrap_or(u64::MAX)
            .min(u64::from(u32::MAX));
        ensure!(restarts.decide(Returned, 0, || true) == After(ms * MS));
    }
    ensure!(restarts.decide(Returned, 0, || true) == GiveUp);
    // A clock that is behind is taken as one that stands.
    let mut restarts = Restarts::new(Restart::always().limit(1, 10).backoff(0, 0));
    ensure!(at(&mut restarts, 100) == After(0));
    ensure!(at(&mut restarts, 50) == GiveUp);
    Ok(())
}

/// The last so many are known, for any number of them.
fn restarts_most() -> Result {
    let window = LIMIT_MAX;
    let mut restarts = Restarts::new(Restart::always().limit(LIMIT_MAX, window).backoff(0, 0));
    // One each ms: there are just as many in a window.
    for ms in 0..1000 {
        ensure!(at(&mut restarts, ms) == After(0));
    }
    ensure!(at(&mut restarts, 999) == GiveUp);
    ensure!(at(&mut restarts, 1000) == After(0));
    ensure!(at(&mut restarts, 1000) == GiveUp);
    Ok(())
}

/// It is asked for crashes only, once nothing else forbids it; what it refuses is not counted.
fn restarts_budget() -> Result {
    let asked = Cell::new(0);
    let decide = |restarts: &mut Restarts, end: Severity, has: bool| {
        restarts.decide(end, 0, || {
            asked.set(asked.get() + 1);
            has
        })
    };
    let mut restarts = Restarts::new(Restart::always().limit(3, 1000).backoff(1, 1000));
    ensure!(decide(&mut restarts, Returned, false) == After(MS));
    ensure!(decide(&mut restarts, Failed, false) == After(2 * MS));
    ensure!(asked.get() == 0);
    for n in 1..=5 {
        ensure!(decide(&mut restarts, Crashed, false) == GiveUp);
        ensure!(asked.get() == n);
    }
    ensure!(decide(&mut restarts, Crashed, true) == After(4 * MS));
    ensure!(asked.get() == 6);
    // The limit forbids it.
    ensure!(decide(&mut restarts, Crashed, true) == GiveUp);
    ensure!(asked.get() == 6);
    // The policy does.
    let mut restarts = Restarts::new(Restart::on_error());
    ensure!(decide(&mut restarts, Crashed, true) == Rest);
    ensure!(asked.get() == 6);
    Ok(())
}
