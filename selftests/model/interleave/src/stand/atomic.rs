// SPDX-License-Identifier: GPL-2.0

//! Atomics, with what the module's own file adds.

pub use kernel::sync::atomic::*;

/// As in the module.
pub trait FetchUpdate<T> {
    /// Updates it by a function of its value.
    fn fetch_update<O: ordering::Ordering>(
        &self,
        f: impl FnMut(T) -> Option<T>,
        order: O,
    ) -> Result<T, T>;
}

impl<T: Atomically> FetchUpdate<T> for Atomic<T> {
    #[track_caller]
    fn fetch_update<O: ordering::Ordering>(
        &self,
        f: impl FnMut(T) -> Option<T>,
        order: O,
    ) -> Result<T, T> {
        self.update(f, order)
    }
}
