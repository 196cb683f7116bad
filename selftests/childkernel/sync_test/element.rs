// SPDX-License-Identifier: GPL-2.0

//! A value that tells whether it is whole, and counts its end; and a reader that stays at it.

use super::{spawn, tokens::is_free};
use childkernel::{
    child::Handle,
    sync::atomic::{Acquire, Atomic, Full, Relaxed, Release},
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::udelay, Delta},
};

/// The state of an element that may be looked at.
const LIVE: u32 = 0x6c69_7665;
/// The state of one that has ended.
const DEAD: u32 = 0x6465_6164;

/// What has become of all elements that share it.
pub(super) struct Tally {
    born: Atomic<u64>,
    freed: Atomic<u64>,
    wrong: Atomic<u64>,
}

impl Tally {
    pub(super) fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                born: Atomic::new(0),
                freed: Atomic::new(0),
                wrong: Atomic::new(0),
            },
            GFP_KERNEL,
        )?)
    }

    pub(super) fn born(&self) -> u64 {
        self.born.load(Relaxed)
    }

    pub(super) fn freed(&self) -> u64 {
        self.freed.load(Relaxed)
    }

    /// Whether so many have ended, each of them once, and in process context.
    pub(super) fn is_clean_at(&self, freed: u64) -> bool {
        self.freed() == freed && self.wrong.load(Relaxed) == 0
    }
}

pub(super) struct Element {
    key: u64,
    /// `!key` as long as it lives.
    check: Atomic<u64>,
    state: Atomic<u32>,
    tally: Arc<Tally>,
}

impl Element {
    pub(super) fn new(key: u64, tally: &Arc<Tally>) -> Self {
        tally.born.fetch_add(1, Relaxed);
        Self {
            key,
            check: Atomic::new(!key),
            state: Atomic::new(LIVE),
            tally: tally.clone(),
        }
    }

    pub(super) fn key(&self) -> u64 {
        self.key
    }

    pub(super) fn set_key(&mut self, key: u64) {
        self.key = key;
        self.check.store(!key, Relaxed);
    }

    /// Whether it is neither half built nor ended.
    pub(super) fn is_whole(&self) -> bool {
        self.state.load(Relaxed) == LIVE && self.check.load(Relaxed) == !self.key
    }
}

impl Drop for Element {
    fn drop(&mut self) {
        let once = self.state.xchg(DEAD, Full) == LIVE;
        self.check.store(0, Relaxed);
        if !once || !is_free() {
            self.tally.wrong.fetch_add(1, Relaxed);
        }
        self.tally.freed.fetch_add(1, Relaxed);
    }
}

/// A child that looks while it is inside, until it is told to leave.
pub(super) struct Inside {
    /// 1: it is inside; 2: it may leave; 3: it has left, or is about to.
    state: Atomic<u32>,
    pub(super) wrong: Atomic<u32>,
}

impl Inside {
    pub(super) fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                state: Atomic::new(0),
                wrong: Atomic::new(0),
            },
            GFP_KERNEL,
        )?)
    }

    /// Stays inside, 20 s at most, as long as what is seen is so.
    pub(super) fn stay(&self, so: impl Fn() -> bool) {
        self.state.store(1, Release);
        for _ in 0..20_000 {
            if self.state.load(Acquire) == 2 {
                break;
            }
            if !so() {
                self.wrong.fetch_add(1, Relaxed);
            }
            udelay(Delta::from_millis(1));
        }
        self.state.store(3, Release);
    }

    pub(super) fn is_in(&self) -> bool {
        self.state.load(Acquire) == 1
    }

    pub(super) fn has_left(&self) -> bool {
        self.state.load(Acquire) == 3
    }

    /// A child that tells it so after a while.
    pub(super) fn usher(self: &Arc<Self>) -> Result<Handle> {
        let inside = self.clone();
        spawn(c"usher", move |ctx| {
            ctx.sleep(80);
            inside.leave();
            Ok(())
        })
    }

    pub(super) fn leave(&self) {
        self.state.store(2, Release);
    }
}
