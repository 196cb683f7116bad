// SPDX-License-Identifier: GPL-2.0

//! What each synchronization primitive promises, and what must not happen.
//!
//! Each case writes `ok NAME` or `not ok NAME` to the log; `sync.sh` knows the names.

use childkernel::child::{Builder, Context, Handle, State};
use kernel::{
    prelude::*,
    time::{delay::fsleep, Delta},
    ThisModule,
};

/// Ends a case that finds something untrue, saying what and where.
macro_rules! ensure {
    ($what:expr) => {
        if !$what {
            pr_err!("{}:{}: not so: {}\n", file!(), line!(), stringify!($what));
            return Err(EINVAL);
        }
    };
}

mod sleeping;
mod spinning;
mod tokens;

module! {
    type: SyncTest,
    name: "sync_test",
    authors: ["The childkernel developers"],
    description: "Cases for the synchronization primitives of childkernel",
    license: "GPL",
}

/// Waits with this limit are to end for another reason.
const HOUR_MS: u32 = 3_600_000;

/// Sleeps until it is so, 20 s at most, and says whether it is.
fn eventually(so: impl Fn() -> bool) -> bool {
    for _ in 0..4000 {
        if so() {
            return true;
        }
        fsleep(Delta::from_millis(5));
    }
    so()
}

/// Long enough for a thread that could go on to have done so.
fn a_while() {
    fsleep(Delta::from_millis(60));
}

/// Spawns a child of one thread.
fn spawn<F>(module: &'static ThisModule, name: &CStr, body: F) -> Result<Handle>
where
    F: Fn(&mut Context<'_>) -> Result + Send + Sync + 'static,
{
    Builder::new(module, name).spawn(body)
}

/// Whether the child has ended, without an error.
fn is_done(child: &Handle) -> bool {
    eventually(|| child.record().state() == State::Stopped) && child.record().error().is_none()
}

/// Whether a child that waits is ended by a stop, with this error from its wait.
fn stop_gives(child: &Handle, error: Error) -> bool {
    a_while();
    let waited = child.record().state() == State::Running;
    child.stop();
    waited && child.record().error() == Some(error)
}

type Case = (&'static str, fn(&'static ThisModule) -> Result);

struct SyncTest;

impl kernel::Module for SyncTest {
    fn init(module: &'static ThisModule) -> Result<Self> {
        for cases in [tokens::CASES, spinning::CASES, sleeping::CASES] {
            for (name, case) in cases {
                match case(module) {
                    Ok(()) => pr_info!("ok {name}\n"),
                    Err(error) => pr_info!("not ok {name} {error:?}\n"),
                }
            }
        }
        Ok(Self)
    }
}
