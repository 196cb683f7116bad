// SPDX-License-Identifier: GPL-2.0

//! How much is counted, and the branches on it.
//!
//! A lock takes these branches each time it is taken and released, so where the architecture can,
//! they are patched: as long as nothing is counted there is one instruction that does nothing.
//! Elsewhere they look at the mode.
//!
//! Patching takes a while, and code that runs meanwhile may be seen half patched. So the branches
//! are on before the mode says that anything is counted, and until it says so no more.
//!
//! C header: [`include/linux/jump_label.h`](srctree/include/linux/jump_label.h)
#![deny(unsafe_code)]

use crate::{
    ffi::branch,
    sync::{
        atomic::{Atomic, Relaxed},
        order::{levels, Token},
        registry::{Global, RegistryMutex},
    },
};
use kernel::prelude::*;

/// How much is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum Mode {
    /// Nothing.
    Off = 0,
    /// Acquisitions, and contended ones by call site.
    Contended = 1,
    /// The same, and waiting and holding times, sampled.
    Times = 2,
}

impl Mode {
    /// Finds a mode by its word.
    ///
    /// # Errors
    ///
    /// `EINVAL`, after one line in the log that names what is valid.
    pub(crate) fn from_word(word: &str) -> Result<Self> {
        match word {
            "off" => Ok(Self::Off),
            "contended" => Ok(Self::Contended),
            "times" => Ok(Self::Times),
            other => {
                pr_err!("stats={other:.64}: valid are off, contended, times\n");
                Err(EINVAL)
            }
        }
    }
}

/// The mode in the lowest bits, and how often it was changed in the others.
static MODE: Atomic<u64> = Atomic::new(Mode::Off as u64);

const MODE_BITS: u32 = 2;

/// How often the mode was changed; held by who changes it.
static CHANGES: Global<levels::StatsMode, u64> = Global::new(RegistryMutex::StatsMode, 0);

/// From one change of the mode to the next. None comes twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Span(u64);

impl Span {
    /// What it is now.
    #[inline]
    pub(super) fn now() -> Self {
        Self(MODE.load(Relaxed))
    }

    /// As a number, to be kept in an atomic.
    #[inline]
    pub(super) const fn to_word(self) -> u64 {
        self.0
    }

    /// From its number.
    #[inline]
    pub(super) const fn from_word(word: u64) -> Self {
        Self(word)
    }

    /// The mode in it.
    #[inline]
    pub(super) fn mode(self) -> Mode {
        match self.0 & ((1 << MODE_BITS) - 1) {
            0 => Mode::Off,
            1 => Mode::Contended,
            _ => Mode::Times,
        }
    }
}

/// The mode that counts now.
#[inline]
pub fn mode() -> Mode {
    Span::now().mode()
}

/// Changes the mode for all locks. How long a lock was held that is held now is not recorded, but
/// for one that may have several holders, if the mode is the same again when it is let go of.
///
/// Context: process, may sleep.
pub fn set_mode(mode: Mode) {
    CHANGES.with(&mut Token::outermost(), |changes, _| {
        if mode == self::mode() {
            return;
        }
        *changes = changes.wrapping_add(1);
        if mode != Mode::Off {
            branch::set_counting(true);
        }
        if mode == Mode::Times {
            branch::set_timing(true);
        }
        MODE.store(*changes << MODE_BITS | mode as u64, Relaxed);
        if mode != Mode::Times {
            branch::set_timing(false);
        }
        if mode == Mode::Off {
            branch::set_counting(false);
        }
    });
}

/// Whether anything may have to be counted.
#[cfg(CONFIG_JUMP_LABEL)]
#[inline(always)]
pub(super) fn may_count() -> bool {
    branch::counting()
}

/// Whether any time may have to be recorded.
#[cfg(CONFIG_JUMP_LABEL)]
#[inline(always)]
pub(super) fn may_time() -> bool {
    branch::timing()
}

/// Whether anything may have to be counted.
#[cfg(not(CONFIG_JUMP_LABEL))]
#[inline(always)]
pub(super) fn may_count() -> bool {
    mode() != Mode::Off
}

/// Whether any time may have to be recorded.
#[cfg(not(CONFIG_JUMP_LABEL))]
#[inline(always)]
pub(super) fn may_time() -> bool {
    mode() == Mode::Times
}
