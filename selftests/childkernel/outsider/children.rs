// SPDX-License-Identifier: GPL-2.0

//! Children: what is refused, their threads, their ends, and starting again.

use super::{eventually, is_over};
use childkernel::{
    child::{self, entry, Builder, Handle, State, NAME_MAX, THREADS_MAX},
    sync::atomic::{Atomic, Relaxed},
};
use core::mem::MaybeUninit;
use kernel::{
    bindings,
    cpu::{nr_cpu_ids, CpuId},
    prelude::*,
    sync::Arc,
    ThisModule,
};

pub(crate) fn names_refused(module: &'static ThisModule) -> Result {
    const LONG: &CStr = c"0123456789abcdef0123456789abcdef";
    let refused = |name| Builder::new(module, name).spawn(|_| Ok(())).err() == Some(EINVAL);
    let children = child::list()?.len();

    ensure!(LONG.to_bytes().len() == NAME_MAX + 1);
    ensure!(refused(LONG));
    ensure!(refused(c""));
    ensure!(refused(c"two words"));
    ensure!(refused(c"quote\""));
    ensure!(refused(c"line\n"));
    ensure!(refused(c"ü"));
    for n in [0, THREADS_MAX + 1] {
        let spawned = Builder::new(module, c"threads")
            .threads(n)
            .spawn(|_| Ok(()));
        ensure!(spawned.err() == Some(EINVAL));
    }
    ensure!(child::list()?.len() == children);

    let child = Builder::new(module, c"Aa0-_.:/89abcdef0123456789abcde").spawn(|_| Ok(()))?;
    ensure!(child.record().name().len() == NAME_MAX);
    ensure!(child::list()?.len() == children + 1);
    drop(child);
    ensure!(child::list()?.len() == children);
    Ok(())
}

/// A child goes with its owner, so its code has to be that one's.
pub(crate) fn others_code_refused(_: &'static ThisModule) -> Result {
    static mut EMPTY: MaybeUninit<bindings::module> = MaybeUninit::zeroed();
    // SAFETY: It is asked which code it has, and its name: none, and "". Nothing writes to it.
    static OTHER: ThisModule = unsafe { ThisModule::from_ptr((&raw mut EMPTY).cast()) };
    let children = child::list()?.len();

    let spawned = Builder::new(&OTHER, c"stranger").spawn(|_| Ok(()));
    ensure!(spawned.err() == Some(EINVAL));
    let registered = entry::register(&OTHER, c"stranger", |_| Ok(()));
    ensure!(registered.err() == Some(EINVAL));
    ensure!(child::list()?.len() == children);
    Ok(())
}

/// Each thread of a child runs the entry once, on its CPU, with an index of its own.
pub(crate) fn threads(module: &'static ThisModule) -> Result {
    let mut cpus = KVec::new();
    for cpu in (0..nr_cpu_ids().min(2)).filter_map(CpuId::from_u32) {
        cpus.push(cpu, GFP_KERNEL)?;
    }
    let n = cpus.len();
    let seen = Arc::new(Atomic::new(0u64), GFP_KERNEL)?;
    let shared = seen.clone();
    let child = Builder::new(module, c"threads")
        .threads(5)
        .cpus(&cpus)
        .spawn(move |ctx| {
            shared.fetch_add(1 << (8 * ctx.index()), Relaxed);
            for _ in 0..20 {
                if CpuId::current().as_u32() as usize != ctx.index() % n {
                    ctx.violation();
                }
                ctx.add_ops(1);
                ctx.sleep(1);
            }
            Ok(())
        })?;
    ensure!(is_over(&child));
    ensure!(seen.load(Relaxed) == 0x01_0101_0101);
    ensure!(child.record().ops() == 100);
    ensure!(child.record().violations() == 0);
    Ok(())
}

/// An error of one thread is the end of its child.
pub(crate) fn error_ends_all_threads(module: &'static ThisModule) -> Result {
    let child = Builder::new(module, c"one-fails").threads(3).spawn(|ctx| {
        if ctx.index() == 1 {
            ctx.sleep(20);
            return Err(EIO);
        }
        while !ctx.should_stop() {
            ctx.sleep(1);
        }
        Ok(())
    })?;
    ensure!(is_over(&child));
    ensure!(child.record().error() == Some(EIO));
    Ok(())
}

/// Stopping and restarting, from each state that a child may be in.
pub(crate) fn restart(module: &'static ThisModule) -> Result {
    let child = Builder::new(module, c"phoenix").spawn(|ctx| {
        ctx.add_ops(1);
        while !ctx.should_stop() {
            ctx.sleep(10);
        }
        Ok(())
    })?;
    let record = child.record();
    ensure!(record.generation() == 1);
    ensure!(eventually(|| record.ops() == 1));
    child.restart()?;
    ensure!(record.generation() == 2);
    ensure!(record.state() == State::Running);
    ensure!(eventually(|| record.ops() == 2));
    child.stop();
    ensure!(record.state() == State::Stopped);
    child.restart()?;
    ensure!(eventually(|| record.ops() == 3));
    ensure!(record.generation() == 3);
    let id = record.id();
    let is_listed = |id| child::list().is_ok_and(|all| all.iter().any(|r| r.id() == id));
    ensure!(is_listed(id));
    drop(child);
    ensure!(!is_listed(id));
    Ok(())
}

/// Fails in its first generation.
pub(crate) fn fails_once(module: &'static ThisModule) -> Result<Handle> {
    let runs = Atomic::new(0u32);
    Builder::new(module, c"fails-once").spawn(move |ctx| {
        if runs.fetch_add(1, Relaxed) == 0 {
            return Err(EIO);
        }
        while !ctx.should_stop() {
            ctx.add_ops(1);
            ctx.sleep(10);
        }
        Ok(())
    })
}

pub(crate) fn error_then_restart(child: &Handle) -> Result {
    ensure!(is_over(child));
    ensure!(child.record().error() == Some(EIO));
    ensure!(child.record().generation() == 1);
    ensure!(child.record().ops() == 0);
    child.restart()?;
    ensure!(child.record().error().is_none());
    ensure!(child.record().generation() == 2);
    ensure!(eventually(|| child.record().ops() > 0));
    ensure!(child.record().state() == State::Running);
    Ok(())
}
