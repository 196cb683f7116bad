// SPDX-License-Identifier: GPL-2.0

//! What each synchronization primitive promises, and what must not happen.
//!
//! How a case is run, by hand too: see `harness.rs`. The file is `childkernel_sync_test/run`.

use kernel::{
    debugfs::{Dir, File},
    prelude::*,
    ModuleMetadata, ThisModule,
};

#[macro_use]
#[path = "../harness.rs"]
mod harness;
use harness::{
    a_while, eventually, is_done, lasts, run, skip, spawn, spawn_on, stop_ends_only_after,
    stop_gives, Case, HOUR_MS,
};

mod atomic;
mod attempt;
mod barrier;
mod cells;
mod cells_contexts;
mod cells_meeting;
mod cells_shared;
mod completion;
mod cpus;
mod element;
mod interrupts;
mod local_lock;
mod order;
mod percpu;
mod rcu;
mod rcu_list;
mod rcu_storm;
mod readings;
mod reentrancy;
mod seqcount;
mod seqlock;
mod seqlock_irq;
mod sleeping;
mod spinning;
mod timers;
mod tokens;
mod wait;
mod waits;

/// All there are.
static CASES: &[&[Case]] = &[
    tokens::CASES,
    spinning::CASES,
    sleeping::CASES,
    order::CASES,
    atomic::CASES,
    barrier::CASES,
    percpu::CASES,
    local_lock::CASES,
    seqlock::CASES,
    seqlock_irq::CASES,
    seqcount::CASES,
    wait::CASES,
    rcu::CASES,
    rcu_list::CASES,
    rcu_storm::CASES,
    interrupts::CASES,
    completion::CASES,
    cells::CASES,
    reentrancy::CASES,
];

module! {
    type: SyncTest,
    name: "sync_test",
    authors: ["The childkernel developers"],
    description: "Cases for the synchronization primitives of childkernel",
    license: "GPL",
}

static MODULE: ThisModule = <SyncTest as ModuleMetadata>::THIS_MODULE;

#[pin_data]
struct SyncTest {
    #[pin]
    run: File<()>,
    #[pin]
    wait: File<waits::Waits>,
    _dir: Dir,
}

impl kernel::InPlaceModule for SyncTest {
    fn init(_: &'static ThisModule) -> impl PinInit<Self, Error> {
        let dir = Dir::new(c"childkernel_sync_test");
        try_pin_init!(Self {
            run <- dir.write_callback_file(c"run", (), &run),
            wait <- dir.read_write_callback_file(
                c"wait", waits::Waits::new(), &waits::read, &waits::write
            ),
            _dir: dir.clone(),
        })
    }
}
