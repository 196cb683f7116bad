// SPDX-License-Identifier: GPL-2.0

//! The supervisor of a child as a state machine: its sources as they are, in a world without
//! threads, where time passes and things happen when a random sequence of events says so.
//!
//!   supervisor CASES      tries so many sequences; and each of its mutants until it is caught
//!
//! Mutants are made by `build.rs`: the same sources, with one mistake each. What is printed is for
//! `scripts/model/`: one JSON object a line.

// Sources name the kernel's crate, and what this one has of it is here.
extern crate self as kernel;

mod kernel_api;
mod world;

pub use kernel_api::*;

/// The supervisor's sources, and stand-ins for what only a kernel has.
#[allow(dead_code)]
#[path = "../../../../src/child"]
mod child {
    pub mod body;
    pub mod budget;
    pub mod deputy;
    pub mod generation;
    pub mod identity;
    pub mod life;
    pub mod pulse;
    pub mod restart;
    pub mod state;

    #[path = "../../selftests/model/supervisor/src/stand/arena.rs"]
    pub mod arena;
    #[path = "../../selftests/model/supervisor/src/stand/drive.rs"]
    pub mod drive;
    #[path = "../../selftests/model/supervisor/src/stand/history.rs"]
    pub mod history;
    #[path = "../../selftests/model/supervisor/src/stand/record.rs"]
    pub mod record;
    #[path = "../../selftests/model/supervisor/src/stand/run.rs"]
    pub mod run;
    #[path = "../../selftests/model/supervisor/src/stand/thread.rs"]
    pub mod thread;
    #[path = "../../selftests/model/supervisor/src/stand/watch.rs"]
    pub mod watch;
}

include!(concat!(env!("OUT_DIR"), "/mutants.rs"));

/// One way to make it wrong.
struct Mutant {
    name: &'static str,
    /// What has to find it.
    breaks: &'static str,
    run: fn(u32) -> Result<String, String>,
}

fn main() {
    let cases = std::env::args().nth(1).and_then(|n| n.parse().ok());
    let Some(cases) = cases else {
        eprintln!("usage: supervisor CASES");
        std::process::exit(2);
    };
    let quoted = |text: &str| text.replace(['"', '\\', '\n'], " ");
    let real = child::drive::check(cases);
    let (held, said) = match &real {
        Ok(said) => (true, said),
        Err(said) => (false, said),
    };
    println!(
        r#"{{"held":{held},"cases":{cases},"said":"{}"}}"#,
        quoted(said)
    );
    // What it fails of is told by the result: no word of it here.
    std::panic::set_hook(Box::new(|_| {}));
    for Mutant { name, breaks, run } in MUTANTS {
        let (caught, said) = match run(cases) {
            Ok(said) => (false, said),
            Err(said) => (said.contains(breaks), said),
        };
        println!(
            r#"{{"mutant":"{name}","breaks":"{breaks}","caught":{caught},"said":"{}"}}"#,
            quoted(&said)
        );
    }
}
