// SPDX-License-Identifier: GPL-2.0

//! What each lock costs: counted where it happens, per CPU, without taking the lock again.
//!
//! [`Counted`] wraps any lock, an outsider's too. How much is counted is a matter of run time:
//! `off` costs two instructions that do nothing, `contended` counts acquisitions and who had to
//! wait, `times` also takes the clock, for one acquisition in [`SAMPLE`] (for each of a lock whose
//! taking may fail).
#![deny(unsafe_code)]

use crate::sync::{
    order::{levels, Token},
    registry::{Registry, RegistryMutex},
};
use kernel::{
    fmt,
    prelude::*,
    sync::Arc, //
};

mod counted;
mod counters;
pub(crate) mod directories;
pub(crate) mod directory;
mod histogram;
mod hold;
pub(crate) mod json;
mod lock_stats;
mod mode;
mod site;

pub use counted::{Counted, CountedGuard};
pub use lock_stats::{LockStats, SAMPLE};
pub use mode::{mode, set_mode, Mode};

static LOCKS: Registry<levels::CountedLocks, LockStats> = Registry::new(RegistryMutex::Locks);

/// The statistics of all counted locks that there are now, oldest first.
///
/// # Errors
///
/// `ENOMEM`.
pub fn locks() -> Result<KVec<Arc<LockStats>>> {
    LOCKS.collect(&mut Token::outermost(), |stats| Some(stats.clone()))
}

/// Lets the counts of all counted locks begin again at zero, as [`LockStats::reset`] does.
///
/// # Errors
///
/// `ENOMEM`; nothing is reset then.
pub fn reset_all() -> Result {
    for lock in &locks()? {
        lock.reset();
    }
    Ok(())
}

/// Writes the value of the key `locks` of `stats.json`.
pub(crate) fn write_json(f: &mut fmt::Formatter<'_>, locks: &[Arc<LockStats>]) -> fmt::Result {
    f.write_str("[")?;
    for (i, lock) in locks.iter().enumerate() {
        if i > 0 {
            f.write_str(",")?;
        }
        lock.write_json(f)?;
    }
    f.write_str("]")
}

/// Writes the table of locks of `summary`.
pub(crate) fn write_summary(f: &mut fmt::Formatter<'_>, locks: &[Arc<LockStats>]) -> fmt::Result {
    f.write_fmt(fmt!(
        "{:<20} {:<9} {:>12} {:>10} {:>9} {:>9} {:>9} {:>9}\n",
        "LOCK",
        "KIND",
        "ACQUIRED",
        "CONTENDED",
        "WAIT p50",
        "WAIT p99",
        "HOLD p50",
        "HOLD p99"
    ))?;
    for lock in locks {
        lock.write_summary(f)?;
    }
    Ok(())
}
