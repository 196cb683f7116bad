// SPDX-License-Identifier: GPL-2.0

//! Mistakes that end in a deadlock some day, for lockdep to report on the first: each of these takes
//! locks in a wrong order or in a wrong context, and none of them hangs.
//!
//! That they are reported shows that every lock of the library has a class, and tells lockdep what
//! is done to it. How a case is run, by hand too: see `harness.rs`. The file is
//! `childkernel_deadlock_test/run`. A report is the last thing that lockdep does before the next
//! boot, so `scripts/test-deadlock.sh` gives each case a machine.

use kernel::{
    debugfs::{Dir, File},
    prelude::*,
    ModuleMetadata, ThisModule,
};

#[macro_use]
#[allow(dead_code, unused_macros)] // Shared with modules that need other parts of it.
#[path = "../harness.rs"]
mod harness;
use harness::{a_while, eventually, run, spawn, Case};

mod contexts;
mod held;
mod order;
#[allow(dead_code)] // Shared too.
#[path = "../sync_test/timers.rs"]
mod timers;

/// All there are.
static CASES: &[&[Case]] = &[order::CASES, contexts::CASES, held::CASES];

module! {
    type: DeadlockTest,
    name: "deadlock_test",
    authors: ["The childkernel developers"],
    description: "Cases of deadlocks to come",
    license: "GPL",
}

static MODULE: ThisModule = <DeadlockTest as ModuleMetadata>::THIS_MODULE;

#[pin_data]
struct DeadlockTest {
    #[pin]
    run: File<()>,
    _dir: Dir,
}

impl kernel::InPlaceModule for DeadlockTest {
    fn init(_: &'static ThisModule) -> impl PinInit<Self, Error> {
        let dir = Dir::new(c"childkernel_deadlock_test");
        try_pin_init!(Self {
            run <- dir.write_callback_file(c"run", (), &run),
            _dir: dir.clone(),
        })
    }
}
