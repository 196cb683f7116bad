// SPDX-License-Identifier: GPL-2.0

//! What child kernels are made of: what each part promises, and what must not happen.
//!
//! How a case is run, by hand too: see `harness.rs`. The file is `childkernel_child_test/run`.

use childkernel::child::entry::Registration;
use kernel::{
    debugfs::{Dir, File},
    prelude::*,
    sync::Arc,
    ModuleMetadata, ThisModule,
};

#[macro_use]
#[allow(dead_code)] // Shared with modules that need other parts of it.
#[path = "../harness.rs"]
mod harness;
use harness::{
    a_while, eventually, is_done, lasts, run, skip, spawn, spawn_on, stop_gives, Case, HOUR_MS,
};

mod arena;
mod calls;
mod calls_end;
mod entries;
mod exits;
mod heartbeat;
#[path = "../outsider/lose.rs"]
mod lose;
mod mailbox;
mod ports;
mod regions;
mod restarts;
mod revocation;
mod states;
mod supervise;
#[allow(dead_code)] // Shared too.
#[path = "../sync_test/timers.rs"]
mod timers;
mod waiting;

/// All there are.
static CASES: &[&[Case]] = &[
    states::CASES,
    waiting::CASES,
    restarts::CASES,
    supervise::CASES,
    exits::CASES,
    heartbeat::CASES,
    ports::CASES,
    arena::CASES,
    mailbox::RING,
    mailbox::WAITS,
    mailbox::CLOSING,
    mailbox::BATCH,
    entries::CASES,
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
    #[pin]
    entries: File<Arc<entries::Shared>>,
    _points: KVec<Registration>,
    _dir: Dir,
}

impl kernel::InPlaceModule for ChildTest {
    fn init(_: &'static ThisModule) -> impl PinInit<Self, Error> {
        let dir = Dir::new(c"childkernel_child_test");
        let (points, shared) = match entries::register_all() {
            Ok((points, shared)) => (Ok(points), Ok(shared)),
            Err(error) => (Err(error), Err(error)),
        };
        try_pin_init!(Self {
            run <- dir.write_callback_file(c"run", (), &run),
            entries <- dir.read_write_callback_file(
                c"entries",
                shared?,
                &entries::show,
                &entries::act,
            ),
            _points: points?,
            _dir: dir.clone(),
        })
    }
}
