// SPDX-License-Identifier: GPL-2.0

//! What child kernels are made of: what each part promises, and what must not happen.
//!
//! How a case is run, by hand too: see `harness.rs`. The file is `childkernel_child_test/run`.

use kernel::{
    debugfs::{Dir, File},
    prelude::*,
    ModuleMetadata, ThisModule,
};

#[macro_use]
#[allow(dead_code)] // Shared with modules that need other parts of it.
#[path = "../harness.rs"]
mod harness;
use harness::{
    a_while, eventually, is_done, run, skip, spawn, spawn_on, stop_gives, Case, HOUR_MS,
};

mod arena;
mod calls;
mod calls_end;
mod mailbox;
mod regions;
mod revocation;
mod states;
#[allow(dead_code)] // Shared too.
#[path = "../sync_test/timers.rs"]
mod timers;
mod waiting;

/// All there are.
static CASES: &[&[Case]] = &[
    states::CASES,
    waiting::CASES,
    arena::CASES,
    mailbox::CASES,
    calls::CASES,
    calls_end::CASES,
    regions::CASES,
    revocation::CASES,
];

module! {
    type: ChildTest,
    name: "child_test",
    authors: ["The childkernel developers"],
    description: "Cases for the parts of child kernels",
    license: "GPL",
}

static MODULE: ThisModule = <ChildTest as ModuleMetadata>::THIS_MODULE;

#[pin_data]
struct ChildTest {
    #[pin]
    run: File<()>,
    _dir: Dir,
}

impl kernel::InPlaceModule for ChildTest {
    fn init(_: &'static ThisModule) -> impl PinInit<Self, Error> {
        let dir = Dir::new(c"childkernel_child_test");
        try_pin_init!(Self {
            run <- dir.write_callback_file(c"run", (), &run),
            _dir: dir.clone(),
        })
    }
}
