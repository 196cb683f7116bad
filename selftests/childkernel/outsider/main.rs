// SPDX-License-Identifier: GPL-2.0

//! A module of somebody else: it uses what the library offers, and says what it found.
//!
//! Each check writes `ok NAME` or `not ok NAME` to the log; `outsider.sh` knows the names, and
//! looks at what stays until unload from outside.

use childkernel::{
    child::{entry, Builder, Handle, State},
    stats::Counted,
    sync::{atomic::Atomic, SpinLock},
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta},
    ThisModule,
};

module! {
    type: Outsider,
    name: "outsider",
    authors: ["The childkernel developers"],
    description: "Uses all of childkernel, for its selftests",
    license: "GPL",
}

/// Ends a check that finds something untrue, saying what and where.
macro_rules! ensure {
    ($what:expr) => {
        if !$what {
            pr_err!("line {}: not so: {}\n", line!(), stringify!($what));
            return Err(EINVAL);
        }
    };
}

mod children;
mod completions;
mod late;
mod lists;
mod locks;
mod lose;
mod statistics;
use lose::lose;

/// Sleeps until it is so, 20 s at most, and says whether it is.
fn eventually(so: impl Fn() -> bool) -> bool {
    for _ in 0..2000 {
        if so() {
            return true;
        }
        fsleep(Delta::from_millis(10));
    }
    so()
}

fn is_over(child: &Handle) -> bool {
    eventually(|| child.record().state() == State::Stopped)
}

/// How often the children below do what they do.
const ROUNDS: u64 = 1000;
/// Longer than any test; waits with this limit are to end for another reason.
const HOUR: u32 = 3_600_000;

fn report(name: &str, result: Result) {
    match result {
        Ok(()) => pr_info!("ok {name}\n"),
        Err(error) => pr_err!("not ok {name} {error:?}\n"),
    }
}

type Check = fn(&'static ThisModule) -> Result;

const CHECKS: [(&str, Check); 21] = [
    ("spinlock", locks::spinlock),
    ("mutex", locks::mutex),
    ("seqlock", locks::seqlock),
    ("completion_counts", completions::completion_counts),
    ("completion_all", completions::completion_all),
    ("completion_limits", completions::completion_limits),
    ("completion_wakes", completions::completion_wakes),
    ("stop_ends_waits", completions::stop_ends_waits),
    ("rcu_list", lists::rcu_list),
    ("rcu_list_of_mutex", lists::rcu_list_of_mutex),
    ("rcu_list_concurrent", lists::rcu_list_concurrent),
    ("names_refused", children::names_refused),
    ("others_code_refused", children::others_code_refused),
    ("threads", children::threads),
    ("error_ends_all_threads", children::error_ends_all_threads),
    ("restart", children::restart),
    ("modes", statistics::modes),
    ("modes_change", statistics::modes_change),
    ("waits_inside", statistics::waits_inside),
    ("attempts_fail", statistics::attempts_fail),
    ("alone_on_its_cpu", statistics::alone_on_its_cpu),
];

/// What stays until unload, to be looked at from outside.
struct Outsider {
    _failed: Handle,
    _restarted: Handle,
    _many: Handle,
    _flag: Arc<Counted<statistics::Flag>>,
    _same: KVec<Pin<KBox<Counted<SpinLock<u64>>>>>,
    late: late::Leftovers,
    _gate: entry::Registration,
}

impl kernel::Module for Outsider {
    fn init(module: &'static ThisModule) -> Result<Self> {
        for (name, check) in CHECKS {
            report(name, check(module));
        }

        let flag: Arc<Counted<statistics::Flag>> = Arc::pin_init(
            Counted::new(c"outsider/flag", statistics::Flag(Atomic::new(0))),
            GFP_KERNEL,
        )?;
        report("own_lock", statistics::contend(module, &flag));
        let same = statistics::same_names()?;

        let failed = Builder::new(module, c"fails").spawn(|_| Err(EIO))?;
        report(
            "error_is_the_end",
            match is_over(&failed) {
                true if failed.record().error() == Some(EIO) => Ok(()),
                _ => Err(EINVAL),
            },
        );

        let restarted = children::fails_once(module)?;
        report(
            "error_then_restart",
            children::error_then_restart(&restarted),
        );

        let many = Builder::new(module, c"many").threads(4).spawn(|ctx| {
            while !ctx.should_stop() {
                ctx.add_ops(1);
                ctx.sleep(10);
            }
            Ok(())
        })?;

        // The library joins this one when the module goes, though it never stops giving.
        lose(Builder::new(module, c"forgotten").spawn(move |ctx| {
            while !ctx.should_stop() {
                late::give()?;
                ctx.add_ops(1);
                ctx.sleep(10);
            }
            lose(entry::register(module, c"too-late", |_| Ok(()))?)
        })?)?;

        Ok(Self {
            _failed: failed,
            _restarted: restarted,
            _many: many,
            _flag: flag,
            _same: same,
            late: late::Leftovers::new(module)?,
            _gate: entry::register_for_text(module, c"gate", late::gate)?,
        })
    }
}

impl Drop for Outsider {
    /// Leaves elements in deferred reclaim. The library must run their destructors, which are in
    /// this module's text, before that text goes. One of them joins a child, which leaves another.
    fn drop(&mut self) {
        self.late.defer();
    }
}
