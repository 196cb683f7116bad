// SPDX-License-Identifier: GPL-2.0

//! The counters of one lock.
#![deny(unsafe_code)]

use super::{
    histogram::Histogram,
    json::{Escaped, Quoted},
    LOCKS, //
};
use crate::sync::{
    atomic::{Acquire, Atomic, Relaxed, Release},
    order::Token,
    percpu::PerCpuCounters,
};
use core::panic::Location;
use kernel::{
    fmt,
    prelude::*,
    str::CString,
    sync::Arc,
    time::{Instant, Monotonic},
};

/// In mode `times` one acquisition in this many is timed, on each CPU.
pub const SAMPLE: u64 = 64;

/// How many call sites a lock tells apart. What comes later is counted as one.
const SITES: usize = 16;

const ACQUISITIONS: usize = 0;
const CONTENDED: usize = 1;

/// The counters of one lock.
///
/// Nothing here points into the module that owns the lock, so statistics may be read while that
/// module goes away.
pub struct LockStats {
    name: CString,
    kind: CString,
    counters: PerCpuCounters<2>,
    wait: Histogram,
    hold: Histogram,
    sites: [Site; SITES],
    other_sites: Atomic<u64>,
}

impl LockStats {
    /// Makes the counters of a lock and lists them.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn register(name: &CStr, kind: &str) -> Result<Arc<Self>> {
        let stats = Arc::new(
            Self {
                name: CString::try_from(name)?,
                kind: CString::try_from_fmt(fmt!("{kind}"))?,
                counters: PerCpuCounters::new()?,
                wait: Histogram::new()?,
                hold: Histogram::new()?,
                sites: [const { Site::new() }; SITES],
                other_sites: Atomic::new(0),
            },
            GFP_KERNEL,
        )?;
        LOCKS.add(&mut Token::outermost(), stats.clone())?;
        Ok(stats)
    }

    /// Takes the counters off the list.
    pub(super) fn unregister(&self) {
        LOCKS.remove(&mut Token::outermost(), self);
    }

    /// Counts an acquisition.
    #[inline]
    pub(super) fn acquired(&self) {
        self.counters.add(ACQUISITIONS, 1);
    }

    /// Counts an acquisition and says whether it is one that should be timed.
    #[inline]
    pub(super) fn acquired_sampled(&self) -> bool {
        self.counters.add_return(ACQUISITIONS, 1) % SAMPLE == 1
    }

    /// Counts that an acquisition had to wait.
    #[cold]
    pub(super) fn contended(&self, at: &'static Location<'static>) {
        self.counters.add(CONTENDED, 1);
        for site in &self.sites {
            match site.hit(at) {
                Hit::Counted => return,
                Hit::NotIt => {}
                // Perhaps for this very place: no second slot for it.
                Hit::BeingMade => break,
            }
        }
        self.other_sites.fetch_add(1, Relaxed);
    }

    /// Records how long a sampled acquisition waited.
    pub(super) fn waited(&self, since: Instant<Monotonic>) {
        self.wait.record(elapsed(since));
    }

    /// Records how long a sampled guard was held.
    pub(super) fn held(&self, ns: u64) {
        self.hold.record(ns);
    }

    /// The name that the lock's owner gave it.
    pub fn name(&self) -> &str {
        self.name.to_str().unwrap_or("?")
    }

    /// What kind of lock it is.
    pub fn kind(&self) -> &str {
        self.kind.to_str().unwrap_or("?")
    }

    /// How often it was acquired while counting was on.
    pub fn acquisitions(&self) -> u64 {
        self.counters.sum(ACQUISITIONS)
    }

    /// How many of these acquisitions had to wait.
    pub fn contentions(&self) -> u64 {
        self.counters.sum(CONTENDED)
    }

    /// Writes a JSON object.
    pub(super) fn write_json(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "{{\"name\":{},\"kind\":{},\"acquisitions\":{},\"contended\":{},\"wait_ns\":",
            Quoted(self.name()),
            Quoted(self.kind()),
            self.acquisitions(),
            self.contentions()
        ))?;
        self.wait.quantiles().write_json(f)?;
        f.write_str(",\"hold_ns\":")?;
        self.hold.quantiles().write_json(f)?;
        f.write_str(",\"sites\":[")?;
        let mut first = true;
        for site in &self.sites {
            first &= !site.write_json(f, first)?;
        }
        let other = self.other_sites.load(Relaxed);
        if other > 0 {
            let comma = if first { "" } else { "," };
            f.write_fmt(fmt!("{comma}{{\"at\":\"other\",\"contended\":{other}}}"))?;
        }
        f.write_str("]}")
    }

    /// Writes a line of the table.
    pub(super) fn write_summary(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wait = self.wait.quantiles();
        let hold = self.hold.quantiles();
        f.write_fmt(fmt!(
            "{:<20} {:<9} {:>12} {:>10} {:>9} {:>9} {:>9} {:>9}\n",
            self.name(),
            self.kind(),
            self.acquisitions(),
            self.contentions(),
            wait.p50,
            wait.p99,
            hold.p50,
            hold.p99
        ))
    }
}

/// The time since `since` in ns.
pub(super) fn elapsed(since: Instant<Monotonic>) -> u64 {
    u64::try_from(since.elapsed().as_nanos()).unwrap_or(0)
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

    /// Fills the slot, which was just claimed.
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

    /// Writes a JSON object if the slot is in use, and says whether it did.
    fn write_json(&self, f: &mut fmt::Formatter<'_>, first: bool) -> Result<bool, fmt::Error> {
        if self.state.load(Acquire) != READY {
            return Ok(false);
        }
        let mut path = [0u8; PATH];
        for (bytes, word) in path.chunks_mut(8).zip(&self.path) {
            for (to, from) in bytes.iter_mut().zip(word.load(Relaxed).to_ne_bytes()) {
                *to = from;
            }
        }
        let end = path.iter().position(|b| *b == 0).unwrap_or(PATH);
        let path = path.get(..end).and_then(|p| core::str::from_utf8(p).ok());
        let comma = if first { "" } else { "," };
        f.write_fmt(fmt!(
            "{comma}{{\"at\":\"{}:{}\",\"contended\":{}}}",
            Escaped(path.unwrap_or("?")),
            self.line.load(Relaxed),
            self.contended.load(Relaxed)
        ))?;
        Ok(true)
    }
}
