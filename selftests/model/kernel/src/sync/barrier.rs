// SPDX-License-Identifier: GPL-2.0

//! Barriers.

use super::atomic::Full;
use crate::orderings;
use core::panic::Location;
use loom::sync::atomic::Ordering;

/// Loads.
pub struct Read;
/// Stores.
pub struct Write;

/// What a barrier orders.
pub trait Kind {
    /// For `loom`: who only orders stores releases, who only orders loads acquires.
    const ORDER: Ordering;
    /// For those who read.
    const NAME: &'static str;
}

impl Kind for Read {
    const ORDER: Ordering = Ordering::Acquire;
    const NAME: &'static str = "smp_mb(Read)";
}

impl Kind for Write {
    const ORDER: Ordering = Ordering::Release;
    const NAME: &'static str = "smp_mb(Write)";
}

impl Kind for Full {
    const ORDER: Ordering = Ordering::SeqCst;
    const NAME: &'static str = "smp_mb(Full)";
}

/// A barrier between CPUs.
#[track_caller]
pub fn smp_mb<K: Kind>(_: K) {
    orderings::barrier(Location::caller(), K::NAME, K::ORDER);
}
