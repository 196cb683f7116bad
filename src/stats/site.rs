// SPDX-License-Identifier: GPL-2.0

//! The places in the source from which a lock was wanted while another had it.
#![deny(unsafe_code)]

use crate::sync::atomic::{Acquire, Atomic, Relaxed, Release};
use core::panic::Location;
use kernel::fmt;

/// How many call sites a lock tells apart. What comes later is counted as one.
const SITES: usize = 16;

/// The call sites of one lock.
pub(super) struct Sites {
    sites: [Site; SITES],
    other: Atomic<u64>,
}

impl Sites {
    pub(super) const fn new() -> Self {
        Self {
            sites: [const { Site::new() }; SITES],
            other: Atomic::new(0),
        }
    }

    /// Counts one that had to wait. From any context.
    #[cold]
    pub(super) fn contended(&self, at: &'static Location<'static>) {
        for site in &self.sites {
            match site.hit(at) {
                Hit::Counted => return,
                Hit::NotIt => {}
                // Perhaps for this very place: no second slot for it.
                Hit::BeingMade => break,
            }
        }
        self.other.fetch_add(1, Relaxed);
    }

    /// Lets all counts begin again at zero. Known places stay known.
    pub(super) fn reset(&self) {
        for site in &self.sites {
            site.contended.xchg(0, Relaxed);
        }
        self.other.xchg(0, Relaxed);
    }

    /// Calls `f` with each place that has been counted, as a path and a line, and the count; and
    /// with `None` for all others together.
    pub(super) fn for_each(
        &self,
        mut f: impl FnMut(Option<(&str, u32)>, u64) -> fmt::Result,
    ) -> fmt::Result {
        for site in &self.sites {
            let contended = site.contended.load(Relaxed);
            // Claimed while it is being read, or reset and not seen since.
            if site.state.load(Acquire) != READY || contended == 0 {
                continue;
            }
            let mut path = [0u8; PATH];
            let path = site.path(&mut path);
            f(Some((path, site.line.load(Relaxed))), contended)?;
        }
        match self.other.load(Relaxed) {
            0 => Ok(()),
            other => f(None, other),
        }
    }
}

/// Whether a slot was the one.
enum Hit {
    Counted,
    NotIt,
    BeingMade,
}

const FREE: u32 = 0;
const CLAIMED: u32 = 1;
const READY: u32 = 2;

/// Characters of a path that are kept: its end.
const PATH: usize = 48;

/// A place in the source from which the lock was wanted while another had it.
///
/// The path is copied: the caller may be in another module, and gone when it is read. A slot is
/// claimed once and never given up; it counts for everybody as soon as it is ready.
struct Site {
    state: Atomic<u32>,
    line: Atomic<u32>,
    /// The address of the caller's `Location`, only to be compared. (If a module goes and another
    /// comes to lie at its place, the same line of both is taken for one.)
    location: Atomic<usize>,
    path: [Atomic<u64>; PATH / 8],
    contended: Atomic<u64>,
}

impl Site {
    const fn new() -> Self {
        Self {
            state: Atomic::new(FREE),
            line: Atomic::new(0),
            location: Atomic::new(0),
            path: [const { Atomic::new(0) }; PATH / 8],
            contended: Atomic::new(0),
        }
    }

    /// Counts, if this is the slot of `at` or a free one.
    fn hit(&self, at: &'static Location<'static>) -> Hit {
        let address = core::ptr::from_ref(at).addr();

        if self.state.load(Relaxed) == FREE && self.state.cmpxchg(FREE, CLAIMED, Relaxed).is_ok() {
            self.claim(at, address);
            return Hit::Counted;
        }
        if self.state.load(Acquire) != READY {
            return Hit::BeingMade;
        }
        if self.location.load(Relaxed) != address || self.line.load(Relaxed) != at.line() {
            return Hit::NotIt;
        }
        self.contended.fetch_add(1, Relaxed);
        Hit::Counted
    }

    /// Fills the slot, which was just claimed. Who finds it ready finds it filled:
    ///
    /// ```text
    /// C MP+claim+ready
    ///
    /// (*
    ///  * Result: Never
    ///  *)
    ///
    /// {}
    ///
    /// P0(int *path, int *state)
    /// {
    ///     WRITE_ONCE(*path, 1);
    ///     smp_store_release(state, 2);
    /// }
    ///
    /// P1(int *path, int *state)
    /// {
    ///     int r0;
    ///     int r1;
    ///
    ///     r0 = smp_load_acquire(state);
    ///     r1 = READ_ONCE(*path);
    /// }
    ///
    /// exists (1:r0=2 /\ 1:r1=0)
    /// ```
    fn claim(&self, at: &'static Location<'static>, address: usize) {
        self.location.store(address, Relaxed);
        self.line.store(at.line(), Relaxed);
        let file = at.file();
        let tail = (file.len().saturating_sub(PATH)..file.len())
            .find_map(|from| file.get(from..))
            .unwrap_or("")
            .as_bytes();
        for (word, bytes) in self.path.iter().zip(tail.chunks(8)) {
            let mut padded = [0u8; 8];
            for (to, from) in padded.iter_mut().zip(bytes) {
                *to = *from;
            }
            word.store(u64::from_ne_bytes(padded), Relaxed);
        }
        self.contended.store(1, Relaxed);
        // Publishes the path: pairs with the acquire of whoever finds the slot ready.
        self.state.store(READY, Release);
    }

    /// The path of a slot that is ready.
    fn path<'a>(&self, path: &'a mut [u8; PATH]) -> &'a str {
        for (bytes, word) in path.chunks_mut(8).zip(&self.path) {
            for (to, from) in bytes.iter_mut().zip(word.load(Relaxed).to_ne_bytes()) {
                *to = from;
            }
        }
        let end = path.iter().position(|b| *b == 0).unwrap_or(PATH);
        let path = path.get(..end).and_then(|p| core::str::from_utf8(p).ok());
        path.unwrap_or("?")
    }
}
