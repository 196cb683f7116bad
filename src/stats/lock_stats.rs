// SPDX-License-Identifier: GPL-2.0

//! The counters of one lock.
#![deny(unsafe_code)]

use super::{
    counters::Counters,
    directory,
    histogram::Histogram,
    json::{Escaped, Quoted},
    site::Sites,
    LOCKS, //
};
use crate::sync::order::Token;
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

const ACQUISITIONS: usize = 0;
const CONTENDED: usize = 1;

/// The counters of one lock.
///
/// Nothing here points into the module that owns the lock, so statistics may be read while that
/// module goes away.
pub struct LockStats {
    name: CString,
    kind: CString,
    counters: Counters<2>,
    made: Instant<Monotonic>,
    pub(super) wait: Histogram,
    pub(super) hold: Histogram,
    pub(super) sites: Sites,
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
                counters: Counters::new()?,
                made: Instant::now(),
                wait: Histogram::new()?,
                hold: Histogram::new()?,
                sites: Sites::new(),
            },
            GFP_KERNEL,
        )?;
        LOCKS.add(&mut Token::outermost(), stats.clone())?;
        directory::add(&stats);
        Ok(stats)
    }

    /// Takes the counters off the list.
    pub(super) fn unregister(&self) {
        LOCKS.remove(&mut Token::outermost(), self);
        directory::remove(self);
    }

    /// Lets all counts begin again at zero. Takes no lock, so what is counted at this very moment
    /// may be lost, or counted in a part of the files only.
    pub fn reset(&self) {
        self.counters.reset();
        self.wait.reset();
        self.hold.reset();
        self.sites.reset();
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
        self.sites.contended(at);
    }

    /// The clock of all times here, in ns.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_nanos()).unwrap_or(0)
    }

    /// Records how long a sampled acquisition waited.
    pub(super) fn waited(&self, ns: u64) {
        self.wait.record(ns);
    }

    /// Records how long a sampled guard was held, which is from `since` until now.
    #[cold]
    pub(super) fn held(&self, since: u64) {
        self.hold.record(self.now().saturating_sub(since));
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
        self.counters.count(ACQUISITIONS)
    }

    /// How many of these acquisitions had to wait. Where taking the lock may fail, also how often it
    /// failed.
    pub fn contentions(&self) -> u64 {
        self.counters.count(CONTENDED)
    }

    /// How many times of waiting, and how many times of holding, were recorded.
    pub fn times(&self) -> (u64, u64) {
        (self.wait.quantiles().count, self.hold.quantiles().count)
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
        let mut comma = "";
        self.sites.for_each(|at, contended| {
            match at {
                Some((path, line)) => f.write_fmt(fmt!(
                    "{comma}{{\"at\":\"{}:{line}\",\"contended\":{contended}}}",
                    Escaped(path)
                )),
                None => f.write_fmt(fmt!(
                    "{comma}{{\"at\":\"other\",\"contended\":{contended}}}"
                )),
            }?;
            comma = ",";
            Ok(())
        })?;
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
