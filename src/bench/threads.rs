// SPDX-License-Identifier: GPL-2.0

//! Threads on CPUs of their own that begin together.
#![deny(unsafe_code)]

use super::{clock::Clock, ffi::mail};
use crate::{
    child::{Builder, Context, Handle},
    sync::atomic::{Acquire, Atomic, Full, Relaxed, Release},
};
use kernel::{cpu::CpuId, prelude::*, sync::Arc, ThisModule};

/// Threads that begin together.
pub(super) struct Start {
    ready: Atomic<u32>,
    go: Atomic<bool>,
    took: Atomic<u64>,
}

impl Start {
    pub(super) fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(
            Self {
                ready: Atomic::new(0),
                go: Atomic::new(false),
                took: Atomic::new(0),
            },
            GFP_KERNEL,
        )?)
    }

    /// Waits for who measures.
    pub(super) fn wait(&self, ctx: &mut Context<'_>) {
        self.ready.fetch_add(1, Full);
        let mut tries = 0;
        while !self.go.load(Acquire) && !ctx.should_stop() {
            tries = mail::wait(tries);
        }
    }

    /// What was measured, in ns.
    pub(super) fn took(&self) -> u64 {
        self.took.load(Relaxed)
    }

    /// Lets `others` go, and measures `f`.
    pub(super) fn measure<R>(
        &self,
        ctx: &mut Context<'_>,
        others: u32,
        f: impl FnOnce() -> R,
    ) -> R {
        let mut tries = 0;
        while self.ready.load(Acquire) != others && !ctx.should_stop() {
            tries = mail::wait(tries);
        }
        let clock = Clock::Time;
        let begin = clock.now();
        self.go.store(true, Release);
        let result = f();
        self.took
            .store(clock.now().wrapping_sub(begin).max(1), Relaxed);
        result
    }
}

/// A child on the CPU whose turn it is.
pub(super) fn spawn_on<F>(
    module: &'static ThisModule,
    name: &CStr,
    turn: u32,
    body: F,
) -> Result<Handle>
where
    F: Fn(&mut Context<'_>) -> Result + Send + Sync + 'static,
{
    let online = || {
        (0..kernel::cpu::nr_cpu_ids())
            .filter(|cpu| crate::ffi::cpu_online(*cpu))
            .filter_map(CpuId::from_u32)
    };
    let count = online().count().max(1);
    let cpu = online().nth(turn as usize % count).ok_or(EINVAL)?;
    Builder::new(module, name).cpus(&[cpu]).spawn(body)
}

/// Waits for the end of children, and gives the first error.
pub(super) fn join(children: &[Handle]) -> Result {
    // The long way round if something hangs: a minute.
    let limit = Context::jiffies(60_000);
    for child in children {
        child.record().wait_timeout(limit)?;
        if let Some(why) = child.record().error() {
            return Err(why);
        }
    }
    Ok(())
}
