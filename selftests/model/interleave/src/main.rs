// SPDX-License-Identifier: GPL-2.0

//! Sources of the module, as they are, in all interleavings within bounds.
//!
//!   interleave list                        the models, and the bounds of each
//!   interleave run MODEL [PLACE=STRENGTH]...
//!                                          tries one, with these places weaker than they say
//!
//! What a run prints is for `scripts/model/`: one JSON object a line.

mod ffi;
mod models;

/// The module's own rooms: its sources where they are modelled, and a stand-in where they need
/// what only a kernel has. Models are beside the sources that none but their neighbours can use.
#[path = "../../../../src/sync"]
mod sync {
    #[path = "../../selftests/model/interleave/src/stand/atomic.rs"]
    pub mod atomic;
    #[path = "../../selftests/model/interleave/src/stand/percpu.rs"]
    pub mod percpu;
    #[allow(dead_code, unused_imports)]
    pub mod rcu;
    #[allow(dead_code, unused_imports)]
    pub mod rcu_list;
    #[allow(dead_code)]
    pub mod rcu_pointer;

    pub use kernel::sync::{barrier, Completion};
    #[allow(unused_imports)]
    pub use rcu_list::RcuList;
}

#[allow(dead_code)]
#[path = "../../../../src/stats"]
mod stats {
    pub mod counters;
    pub mod histogram;
    #[path = "../../selftests/model/interleave/src/models/statistics.rs"]
    pub mod models;
    pub mod site;
}

#[allow(dead_code, unused_imports)]
#[path = "../../../../src/child"]
mod child {
    pub mod identity;
    #[path = "../../selftests/model/interleave/src/models/handles.rs"]
    pub mod models;
    pub mod pulse;
    pub mod state;

    pub mod mailbox {
        pub mod channel;
        pub mod lock_free;
        pub mod memory;
        #[path = "../../../selftests/model/interleave/src/stand/native.rs"]
        pub mod native;
        pub mod ring;
        pub mod sleepers;
        pub mod wait;

        pub use channel::{Channel, SendError};
        pub use lock_free::LockFree;
        use wait::wait_for;
        pub use wait::Wait;
    }
}

// Sources name it from the crate that they are in.
pub use kernel::new_completion;

/// The name of a lock class: there is no lockdep here.
#[macro_export]
macro_rules! lock_name {
    ($name:literal) => {
        ::kernel::c_str!($name)
    };
}

fn main() {
    // What does not hold ends the run: no destructor is to say more of it.
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        std::process::exit(1);
    }));
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let status = match args.as_slice() {
        ["list"] => models::list(),
        ["run", name, weaker @ ..] => models::run(name, weaker),
        _ => Err("usage: interleave list | run MODEL [PLACE=STRENGTH]...".to_owned()),
    };
    if let Err(error) = status {
        eprintln!("interleave: {error}");
        std::process::exit(2);
    }
}
