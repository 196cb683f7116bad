// SPDX-License-Identifier: GPL-2.0

//! Children that die: what is contained, and what is not.
//!
//! How a case is run, by hand too: see `harness.rs`. The file is `childkernel_crash_test/run`. Each
//! leaves oopses in the log, and the kernel tainted, so this is for a machine that is thrown away.
//! None is a KUnit case.

use kernel::{
    debugfs::{Dir, File},
    prelude::*,
    ModuleMetadata, ThisModule,
};

#[macro_use]
#[allow(dead_code, unused_macros)] // Shared with modules that need other parts of it.
#[path = "../harness.rs"]
mod harness;
use harness::{eventually, is_done, run, spawn, spawn_on, stop_gives, Case, HOUR_MS};

mod cell;
mod cycles;
mod ends;
mod holdings;
mod lost;
mod restarts;
#[allow(dead_code)] // Shared too.
#[path = "../sync_test/timers.rs"]
mod timers;

/// All there are.
static CASES: &[&[Case]] = &[
    holdings::CASES,
    ends::CASES,
    cycles::CASES,
    restarts::CASES,
    lost::CASES,
];

module! {
    type: CrashTest,
    name: "crash_test",
    authors: ["The childkernel developers"],
    description: "Cases of child kernels that die",
    license: "GPL",
}

static MODULE: ThisModule = <CrashTest as ModuleMetadata>::THIS_MODULE;

#[pin_data]
struct CrashTest {
    #[pin]
    run: File<()>,
    _dir: Dir,
}

impl kernel::InPlaceModule for CrashTest {
    fn init(_: &'static ThisModule) -> impl PinInit<Self, Error> {
        let dir = Dir::new(c"childkernel_crash_test");
        try_pin_init!(Self {
            run <- dir.write_callback_file(c"run", (), &run),
            _dir: dir.clone(),
        })
    }
}
