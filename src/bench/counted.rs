// SPDX-License-Identifier: GPL-2.0

//! What statistics cost: a lock that is counted, in each mode, against the same lock that is not.
#![deny(unsafe_code)]

use super::{
    pair::{inc, rust, Irqs, Pair, Rival, Side},
    Run,
};
use crate::{
    stats::{self, Counted, Mode},
    sync::{new_mutex, new_spinlock, Mutex, SpinLock},
};
use kernel::{prelude::*, sync::Arc};

/// A side that is measured in one mode of the statistics.
struct InMode {
    mode: Mode,
    side: Arc<dyn Side>,
}

impl Side for InMode {
    fn prepare(&self) {
        stats::set_mode(self.mode);
    }

    fn run(&self, n: u64) -> u64 {
        self.side.run(n)
    }
}

fn in_mode(mode: Mode, side: Result<Arc<dyn Side>>) -> Result<Arc<dyn Side>> {
    let side = Arc::new(InMode { mode, side: side? }, GFP_KERNEL)?;
    Ok(side)
}

fn bare_spinlock() -> Result<Arc<dyn Side>> {
    let lock = new_spinlock!(0, "bench_bare_spinlock");
    let side = rust(lock, |n: &SpinLock<u64>, _| inc(&mut n.lock()));
    in_mode(Mode::Off, side)
}

fn bare_mutex() -> Result<Arc<dyn Side>> {
    let lock = new_mutex!(0, "bench_bare_mutex");
    let side = rust(lock, |n: &Mutex<u64>, _| inc(&mut n.lock()));
    in_mode(Mode::Off, side)
}

fn spinlock(mode: Mode) -> Result<Arc<dyn Side>> {
    let lock = new_spinlock!(0, "bench_counted_spinlock");
    let lock = Counted::new(c"bench/spinlock", lock);
    let side = rust(lock, |n: &Counted<SpinLock<u64>>, _| inc(&mut n.lock()));
    in_mode(mode, side)
}

fn mutex(mode: Mode) -> Result<Arc<dyn Side>> {
    let lock = new_mutex!(0, "bench_counted_mutex");
    let lock = Counted::new(c"bench/mutex", lock);
    let side = rust(lock, |n: &Counted<Mutex<u64>>, _| inc(&mut n.lock()));
    in_mode(mode, side)
}

macro_rules! counted {
    ($($name:literal, $irqs:ident, $rust:expr, $rival:literal, $other:expr;)*) => {
        &[$(Pair {
            name: $name,
            what: "lock, add, unlock",
            irqs: Irqs::$irqs,
            rust: || $rust,
            rival: Rival::Rust($rival, || $other),
        }),*]
    };
}

static PAIRS: &[Pair] = counted! {
    "stats_off_spinlock", Off, spinlock(Mode::Off), "bare", bare_spinlock();
    "stats_contended_spinlock", Off, spinlock(Mode::Contended), "off", spinlock(Mode::Off);
    "stats_times_spinlock", Off, spinlock(Mode::Times), "off", spinlock(Mode::Off);
    "stats_off_mutex", On, mutex(Mode::Off), "bare", bare_mutex();
    "stats_contended_mutex", On, mutex(Mode::Contended), "off", mutex(Mode::Off);
    "stats_times_mutex", On, mutex(Mode::Times), "off", mutex(Mode::Off);
};

/// How many records [`measure`] writes.
pub(super) const FIGURES: usize = PAIRS.len();

/// Measures in one mode after the other, and goes back to the one that was set.
pub(super) fn measure(run: &mut Run<'_, '_>) {
    let before = stats::mode();
    super::measure_all(run, PAIRS);
    stats::set_mode(before);
}
