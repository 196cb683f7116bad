// SPDX-License-Identifier: GPL-2.0

//! A child kernel that writes a line about each load to the log, every so often.
#![deny(unsafe_code)]

use super::kind::KINDS;
use crate::child::{self, Builder, Handle, State};
use kernel::{prelude::*, ThisModule};

/// Starts it. It ends when all loads have.
///
/// # Errors
///
/// `ENOMEM`.
pub(super) fn spawn(module: &'static ThisModule, seconds: u32) -> Result<Handle> {
    Builder::new(module, c"report")
        .workload(c"report")
        .spawn(move |ctx| loop {
            ctx.sleep(seconds.saturating_mul(1000));
            if ctx.should_stop() || !log_totals()? {
                return Ok(());
            }
            ctx.add_ops(1);
        })
}

/// Writes the lines, and says whether there were any.
fn log_totals() -> Result<bool> {
    let children = child::list()?;
    let mut any = false;
    for kind in KINDS {
        let mut ops = 0u64;
        let mut violations = 0u64;
        let mut running = false;
        for child in children.iter().filter(|c| c.workload() == kind.name()) {
            ops = ops.wrapping_add(child.ops());
            violations = violations.wrapping_add(child.violations());
            running |= child.state() == State::Running;
        }
        if running {
            pr_info!("{}: {ops} ops, {violations} violations\n", kind.name());
        }
        any |= running;
    }
    Ok(any)
}
