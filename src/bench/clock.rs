// SPDX-License-Identifier: GPL-2.0

//! What is counted: nanoseconds, or what the processor's cycle counter counts.
#![deny(unsafe_code)]

use super::ffi;

/// A clock.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Clock {
    /// The cycle counter. Under emulation that counts instructions it counts these, and nothing is
    /// converted that would not come out even.
    Cycles,
    /// Nanoseconds.
    Time,
}

impl Clock {
    /// The unit, for records.
    pub(super) fn unit(self) -> &'static str {
        match self {
            Self::Cycles => "instructions",
            Self::Time => "ns",
        }
    }

    /// What the clock shows.
    #[inline]
    pub(super) fn now(self) -> u64 {
        match self {
            Self::Cycles => ffi::cycles(),
            Self::Time => ffi::time(),
        }
    }
}
