// SPDX-License-Identifier: GPL-2.0

//! Children: how fast they come, go and come again, and what others notice of one that fails.
#![deny(unsafe_code)]

use super::{
    ffi,
    pair::ROUNDS_MAX,
    record::{self, Record},
    Run, Suite,
};
use crate::{
    child::{restart::LIMIT_MAX, Builder, Context, Handle, Restart},
    new_completion,
    sync::{
        atomic::{Atomic, Relaxed},
        Completion,
    },
};
use kernel::{cpu::CpuId, prelude::*, sync::Arc};

/// A child that does not come in so many ms does not come at all.
const LIMIT_MS: u32 = 10_000;

/// How many records [`measure`] writes.
pub(super) fn figures(run: &Run<'_, '_>) -> usize {
    match run.suite {
        Suite::Exact => 0,
        Suite::Native | Suite::Real => 8,
    }
}

/// Measures where there is a clock that counts time.
pub(super) fn measure(run: &mut Run<'_, '_>) {
    if run.suite == Suite::Exact {
        return;
    }
    for (name, measure) in [
        ("spawn", come_and_go as fn(&mut Run<'_, '_>) -> Result),
        ("restart", restart),
        ("siblings", siblings),
    ] {
        if run.ctx.should_stop() {
            return;
        }
        if let Err(why) = measure(run) {
            run.skip(name, why);
        }
    }
}

/// How often a child fails to be started again.
fn times(run: &Run<'_, '_>) -> usize {
    if run.quick {
        10
    } else {
        50
    }
}

/// Says the median and the longest of what was measured, in ns.
fn point(what: &str, took: &mut KVec<u64>) -> Result {
    sort(took);
    let p50 = *took.get(took.len() / 2).ok_or(ENODATA)?;
    let max = *took.last().ok_or(ENODATA)?;
    record::write(&Record::Point {
        curve: "children",
        fields: fmt!(
            "\"what\":\"{what}\",\"n\":{},\"p50\":{p50},\"max\":{max}",
            took.len()
        ),
    });
    Ok(())
}

/// By insertion, as there are few.
fn sort(all: &mut [u64]) {
    for sorted in 1..all.len() {
        for at in (1..=sorted).rev() {
            if let Some([a, b]) = all.get_mut(at.wrapping_sub(1)..=at) {
                if a <= b {
                    break;
                }
                core::mem::swap(a, b);
            }
        }
    }
}

/// When a child came to its first instruction.
#[pin_data]
struct First {
    at: Atomic<u64>,
    #[pin]
    came: Completion,
}

impl First {
    fn new() -> Result<Arc<Self>> {
        Arc::pin_init(
            pin_init!(Self {
                at: Atomic::new(0),
                came <- new_completion!("bench_came"),
            }),
            GFP_KERNEL,
        )
    }

    fn come(&self) {
        self.at.store(ffi::time(), Relaxed);
        self.came.complete();
    }

    /// How long after `from` that was.
    fn wait(&self, from: u64) -> Result<u64> {
        self.came
            .wait_interruptible_timeout(Context::jiffies(LIMIT_MS))?;
        Ok(self.at.load(Relaxed).saturating_sub(from))
    }
}

/// How long a child takes from when it is spawned to its first instruction, and from when it is
/// asked to stop until it is joined, in ns.
fn child(run: &mut Run<'_, '_>) -> Result<(u64, u64)> {
    let first = First::new()?;
    let its = first.clone();
    let from = ffi::time();
    let child = Builder::new(run.module, c"bench-spawn").spawn(move |ctx| {
        its.come();
        while !ctx.should_stop() {
            ctx.sleep(1_000);
        }
        Ok(())
    })?;
    let spawn = first.wait(from)?;
    // Let it come to rest.
    run.ctx.sleep(1);
    let from = ffi::time();
    child.stop();
    Ok((spawn, ffi::time().saturating_sub(from)))
}

/// Children, and in turns with them the rival: threads of C.
fn come_and_go(run: &mut Run<'_, '_>) -> Result {
    let [mut spawn, mut stop, mut start, mut end] = [const { KVec::new() }; 4];
    for round in 0..ROUNDS_MAX {
        // Rust, C, C, Rust, ...
        for rust in [round % 2 == 0, round % 2 != 0] {
            if run.ctx.should_stop() {
                return Ok(());
            }
            let ((came, went), comes, goes) = if rust {
                (child(run)?, &mut spawn, &mut stop)
            } else {
                (ffi::thread()?, &mut start, &mut end)
            };
            comes.push(came.max(1), GFP_KERNEL)?;
            goes.push(went.max(1), GFP_KERNEL)?;
        }
    }
    pair(
        "spawn",
        "to its first instruction",
        "kthread_run",
        &spawn,
        &start,
    );
    pair("stop", "until it is gone", "kthread_stop", &stop, &end);
    for (what, took) in [
        ("spawn", &mut spawn),
        ("stop", &mut stop),
        ("kthread_run", &mut start),
        ("kthread_stop", &mut end),
    ] {
        point(what, took)?;
    }
    Ok(())
}

fn pair(name: &str, what: &str, rival: &str, rust: &[u64], other: &[u64]) {
    record::write(&Record::Pair {
        name,
        what,
        rival,
        ops: 1,
        rust,
        other,
    });
}

/// From the error that a child returns to the first instruction of its next generation, without a
/// back-off.
fn restart(run: &mut Run<'_, '_>) -> Result {
    let first = First::new()?;
    let its = first.clone();
    let failed = Arc::new(Atomic::new(0u64), GFP_KERNEL)?;
    let fails = failed.clone();
    let go = First::new()?;
    let goes = go.clone();
    let _child = Builder::new(run.module, c"bench-restart")
        .restart(Restart::on_error().limit(LIMIT_MAX, LIMIT_MS).backoff(0, 0))
        .spawn(move |ctx| {
            its.come();
            ctx.idle(|| goes.came.wait_interruptible())?;
            fails.store(ffi::time(), Relaxed);
            Err(EIO)
        })?;
    first.wait(0)?;
    let mut took = KVec::new();
    for _ in 0..times(run) {
        // Let it come to rest.
        run.ctx.sleep(1);
        go.came.complete();
        first.wait(0)?;
        let after = first.at.load(Relaxed).saturating_sub(failed.load(Relaxed));
        took.push(after, GFP_KERNEL)?;
    }
    point("restart", &mut took)
}

/// How a child fails.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// It returns an error.
    Error,
    /// It panics, which is an oops.
    Panic,
}

/// How often a child fails.
const FAIL_EVERY_MS: u32 = 1_000;

/// What siblings of a child do while it is well, and while it fails once a second and is started
/// again. They have other CPUs than that child where there are any.
fn siblings(run: &mut Run<'_, '_>) -> Result {
    // User Mode Linux does not survive an oops.
    let can = cfg!(all(CONFIG_CHILDKERNEL_FAULTS, not(CONFIG_UML)));
    let how = if ffi::param_crash() && can {
        How::Panic
    } else {
        How::Error
    };
    let mut cpus = KVec::new();
    for cpu in (0..kernel::cpu::nr_cpu_ids()).filter(|cpu| crate::ffi::cpu_online(*cpu)) {
        cpus.push(CpuId::from_u32(cpu).ok_or(EINVAL)?, GFP_KERNEL)?;
    }
    let (first, others) = cpus.split_first().ok_or(ENODEV)?;
    let theirs = if others.is_empty() { &cpus } else { others };
    let workers = Builder::new(run.module, c"bench-siblings")
        .threads(theirs.len())
        .cpus(theirs)
        .spawn(|ctx| {
            while !ctx.should_stop() {
                ctx.add_ops(1);
            }
            Ok(())
        })?;
    let seconds = if run.quick { 2 } else { 6 };
    let well = failing(run, None, *first)?;
    let before = rate(run, &workers, &well, None, seconds);
    drop(well);
    let ill = failing(run, Some(how), *first)?;
    let during = rate(run, &workers, &ill, Some(how), seconds);
    let restarts = ill.record().restarts();
    drop(ill);
    record::write(&Record::Point {
        curve: "siblings",
        fields: fmt!(
            "\"before\":{before},\"during\":{during},\"how\":\"{}\",\"restarts\":{restarts},\
             \"cpus\":\"{}\",\"siblings\":{}",
            match how {
                How::Error => "error",
                How::Panic => "panic",
            },
            if others.is_empty() { "same" } else { "other" },
            theirs.len()
        ),
    });
    Ok(())
}

/// A child that returns an error once a second, or one that waits to be told to do something else.
fn failing(run: &Run<'_, '_>, how: Option<How>, cpu: CpuId) -> Result<Handle> {
    Builder::new(run.module, c"bench-failing")
        .cpus(&[cpu])
        .restart(Restart::on_crash().limit(LIMIT_MAX, 60_000).backoff(0, 0))
        .spawn(move |ctx| {
            if how == Some(How::Error) {
                ctx.sleep(FAIL_EVERY_MS);
                return if ctx.should_stop() { Ok(()) } else { Err(EIO) };
            }
            while !ctx.should_stop() {
                ctx.sleep(10);
            }
            Ok(())
        })
}

/// Operations of `workers` in a second.
fn rate(
    run: &mut Run<'_, '_>,
    workers: &Handle,
    beside: &Handle,
    how: Option<How>,
    seconds: u32,
) -> u64 {
    let ops = workers.record().ops();
    let from = ffi::time();
    for _ in 0..seconds {
        #[cfg(CONFIG_CHILDKERNEL_FAULTS)]
        if how == Some(How::Panic) {
            beside.record().inject(crate::child::Fault::Panic);
        }
        #[cfg(not(CONFIG_CHILDKERNEL_FAULTS))]
        let _ = (beside, how);
        run.ctx.sleep(FAIL_EVERY_MS);
    }
    let ops = workers.record().ops().saturating_sub(ops);
    let ms = ffi::time().saturating_sub(from) / 1_000_000;
    ops.saturating_mul(1_000).checked_div(ms).unwrap_or(0)
}
