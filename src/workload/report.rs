// SPDX-License-Identifier: GPL-2.0

//! A child kernel that writes a line about each load to the log, every so often.
#![deny(unsafe_code)]

use super::{config::Kind, totals};
use crate::child::{Builder, Handle};
use kernel::{prelude::*, ThisModule};

/// Starts it.
///
/// # Errors
///
/// `ENOMEM`.
pub(super) fn spawn(module: &'static ThisModule, seconds: u32) -> Result<Handle> {
    Builder::new(module, c"report")
        .workload(c"report")
        .spawn(move |ctx| {
            ctx.sleep(seconds.saturating_mul(1000));
            while !ctx.should_stop() {
                for kind in Kind::ALL {
                    let (ops, violations) = totals(kind.label())?;
                    if ops > 0 {
                        pr_info!("{}: {ops} ops, {violations} violations\n", kind.label());
                    }
                }
                ctx.add_ops(1);
                ctx.sleep(seconds.saturating_mul(1000));
            }
            Ok(())
        })
}
