// SPDX-License-Identifier: GPL-2.0

//! CPUs: what a case needs of them.

use super::{eventually, skip, MODULE};
use childkernel::{
    child::Builder,
    sync::atomic::{Acquire, Atomic, Relaxed, Release},
};
use kernel::{
    cpu::{nr_cpu_ids, CpuId},
    prelude::*,
    sync::Arc,
};

/// The first two CPUs on which a child can run, or the only one.
pub(super) fn two_cpus() -> Result<KVec<CpuId>> {
    let mut found = KVec::new();
    for n in 0..nr_cpu_ids() {
        let cpu = CpuId::from_u32(n).ok_or(EINVAL)?;
        let ran_on = Arc::new(Atomic::<u32>::new(u32::MAX), GFP_KERNEL)?;
        let seen = ran_on.clone();
        let child = Builder::new(&MODULE, c"cpu").cpus(&[cpu]).spawn(move |_| {
            seen.store(CpuId::current().as_u32(), Release);
            Ok(())
        })?;
        let ran = eventually(|| ran_on.load(Acquire) != u32::MAX);
        drop(child);
        if ran && ran_on.load(Relaxed) == n {
            found.push(cpu, GFP_KERNEL)?;
        }
        if found.len() == 2 {
            break;
        }
    }
    Ok(found)
}

pub(super) fn has_two() -> Result<bool> {
    Ok(two_cpus()?.len() == 2)
}

/// Ends a case with a skip where what it shows takes two that run at the same moment.
pub(super) fn needs_two_cpus(case: &str) -> Result<[CpuId; 2]> {
    match two_cpus()?[..] {
        [first, second] => Ok([first, second]),
        _ => skip(case, "needs two CPUs"),
    }
}
