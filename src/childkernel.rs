// SPDX-License-Identifier: GPL-2.0

//! Child kernels: supervised, isolated groups of kernel threads inside the running kernel, and the
//! native synchronization primitives of Linux as safe Rust.
//!
//! This crate is a module and a library. Other modules link to it and use [`sync`], [`stats`] and
//! [`child`]; the module itself runs the loads of `workload` when its parameters say so.
//!
//! Knowledge goes one way: control, workload, child, stats, sync, ffi. None knows of one before it.
#![deny(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    unsafe_op_in_unsafe_fn
)]
#![warn(missing_docs)]

#[cfg(CONFIG_CHILDKERNEL_BENCH)]
mod bench;
pub mod child;
mod control;
mod ffi;
pub mod stats;
pub mod sync;
#[cfg(CONFIG_CHILDKERNEL_TORTURE)]
mod torture;
mod workload;

use kernel::prelude::*;

module! {
    type: ChildKernel,
    name: "childkernel",
    authors: ["The childkernel developers"],
    description: "Child kernels, and native locks as safe Rust",
    license: "GPL",
    params: {
        children: i64 {
            default: 0,
            description: "children of each load, 0 to 256; 0: one for each CPU (default: 0)",
        },
        seconds: i64 {
            default: 0,
            description: "how long the load runs, 0 to 86400 s; 0: until unload (default: 0)",
        },
        readers: i64 {
            default: -1,
            description: "children that only read, for record and list (default: half)",
        },
        writers: i64 {
            default: -1,
            description: "children that write, for record and list (default: half)",
        },
        hold_ns: i64 {
            default: 0,
            description: "time inside the critical section, 0 to 1000000 ns (default: 0)",
        },
        think_ns: i64 {
            default: 0,
            description: "time between critical sections, 0 to 1000000 ns (default: 0)",
        },
        memory: i64 {
            default: 65536,
            description: "bytes that each child may take from its arena, 4096 to 16777216 (default: 65536)",
        },
        stat_interval: i64 {
            default: 0,
            description: "log a line for each load every so many seconds; 0: never (default: 0)",
        },
        watchdog_ms: i64 {
            default: 100,
            description: "how often the supervisor looks at children, 10 to 10000 ms (default: 100)",
        },
        oops_budget: i64 {
            default: 100,
            description: "oopses of children after which none is started again, 0 to 10000 (default: 100)",
        },
    },
}

/// The module. Its fields are dropped from first to last, when its loads have been told to end.
#[pin_data(PinnedDrop)]
struct ChildKernel {
    #[cfg(CONFIG_CHILDKERNEL_BENCH)]
    _bench: bench::Bench,
    #[cfg(CONFIG_CHILDKERNEL_TORTURE)]
    _torture: torture::Torture,
    files: child::report::Files,
    _control: control::Control,
    workload: workload::Workload,
    _watching: child::Watching,
    #[pin]
    _going: ffi::GoingNotifier,
    _reclaim: sync::rcu::ReclaimQueue,
}

impl kernel::InPlaceModule for ChildKernel {
    fn init(module: &'static ThisModule) -> impl PinInit<Self, Error> {
        // Checked before anything is made.
        let config = workload::Config::new(&workload::Numbers {
            children: *module_parameters::children.value_ref(),
            seconds: *module_parameters::seconds.value_ref(),
            readers: *module_parameters::readers.value_ref(),
            writers: *module_parameters::writers.value_ref(),
            hold_ns: *module_parameters::hold_ns.value_ref(),
            think_ns: *module_parameters::think_ns.value_ref(),
            memory: *module_parameters::memory.value_ref(),
            stat_interval: *module_parameters::stat_interval.value_ref(),
        });

        let mode = stats::Mode::from_word(ffi::param::stats());

        try_pin_init!(Self {
            _: {
                stats::set_mode(mode?);
            },
            _reclaim: sync::rcu::ReclaimQueue::new()?,
            _going <- ffi::GoingNotifier::new(child::owner_goes),
            _watching: child::Watching::start(
                *module_parameters::watchdog_ms.value_ref(),
                *module_parameters::oops_budget.value_ref(),
            )?,
            workload: workload::Workload::start(module, &config?)?,
            #[cfg(CONFIG_CHILDKERNEL_BENCH)]
            _bench: bench::Bench::start(module)?,
            #[cfg(CONFIG_CHILDKERNEL_TORTURE)]
            _torture: torture::Torture::start(module)?,
            // From here on nothing fails.
            _control: control::Control::new(),
            files: child::report::Files::create::<Self>(),
            _: {
                control::Control::create_file::<Self>(files.dir());
                workload.begin();
            },
        })
    }
}

#[pinned_drop]
impl PinnedDrop for ChildKernel {
    fn drop(self: Pin<&mut Self>) {
        // First, as all that follows would have to wait for a CPU among them.
        self.workload.stop();
    }
}
