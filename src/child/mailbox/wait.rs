// SPDX-License-Identifier: GPL-2.0

//! How long a sender waits for room, and a receiver for a message.

use crate::sync::Completion;
use kernel::{prelude::*, time::Jiffies};

/// How long a call may wait.
#[derive(Clone, Copy)]
pub enum Wait {
    /// Not at all.
    No,
    /// Until a signal comes or, in a kernel thread, a request to stop.
    Interruptible,
    /// The same, at most so many jiffies.
    Limit(Jiffies),
}

/// Waits for a completion in this way, and keeps what is left of the limit.
pub(in crate::child) fn wait_for(what: &Completion, wait: &mut Wait) -> Result {
    match wait {
        Wait::No => Err(EAGAIN),
        Wait::Interruptible => what.wait_interruptible(),
        Wait::Limit(left) => {
            *left = what.wait_interruptible_timeout(*left)?;
            Ok(())
        }
    }
}
