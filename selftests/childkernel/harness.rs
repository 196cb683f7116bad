// SPDX-License-Identifier: GPL-2.0

//! What the modules of cases share: what a case is, how it is run, and what most of them need.
//!
//! A module of cases includes this file, lists its cases in `CASES`, has its `ThisModule` in
//! `MODULE`, and makes the file `run`, to which the name of a case is written: it is run by the
//! task that writes. An error of the write is that of the case, and the log says what was not so.
//! The names stand in the module's information, as `case=NAME`. Where KUnit is built in, the cases
//! are its suites as well.

use crate::{CASES, MODULE};
use childkernel::child::{Builder, Context, Handle, State};
use kernel::{
    cpu::CpuId,
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta, Instant, Monotonic},
    uaccess::UserSliceReader,
};

/// Ends a case that finds something untrue, saying what and where.
macro_rules! ensure {
    ($what:expr) => {
        if !$what {
            pr_err!("{}:{}: not so: {}\n", file!(), line!(), stringify!($what));
            return Err(EINVAL);
        }
    };
}

/// Makes functions of this file cases, for debugfs and for the module's information, where they
/// stand as `$key=NAME`.
macro_rules! list_cases {
    ($key:literal: $($case:ident),* $(,)?) => {
        pub(super) const CASES: &[crate::harness::Case] = &[$((stringify!($case), $case)),*];

        $(
            const _: () = {
                const TEXT: &str = concat!($key, "=", stringify!($case), "\0");

                #[link_section = ".modinfo"]
                #[used(compiler)]
                static INFO: [u8; TEXT.len()] = match TEXT.as_bytes().first_chunk() {
                    Some(text) => *text,
                    None => [0; TEXT.len()],
                };
            };
        )*
    };
}

/// The same, and cases for KUnit.
macro_rules! cases {
    ($suite:ident: $($case:ident),* $(,)?) => {
        list_cases!("case": $($case),*);

        #[kunit_tests($suite)]
        mod kunit {
            $(
                #[test]
                fn $case() -> kernel::error::Result {
                    crate::harness::told_to_kunit(super::$case())
                }
            )*
        }
    };
}

/// Waits with this limit are to end for another reason.
pub(crate) const HOUR_MS: u32 = 3_600_000;

/// Sleeps until it is so, 20 s at most, and says whether it is.
pub(crate) fn eventually(so: impl Fn() -> bool) -> bool {
    for _ in 0..4000 {
        if so() {
            return true;
        }
        fsleep(Delta::from_millis(5));
    }
    so()
}

/// Has something wait until its limit is over, and wants it to take this long: not early, and not
/// much later than 20 s.
///
/// Limits are in jiffies. While a busy machine keeps a processor from counting them they stand
/// still, and then come all at once, so that a limit may be over early; but not each time.
pub(crate) fn lasts(at_least_ms: i64, mut wait: impl FnMut() -> Result) -> Result {
    for _ in 0..10 {
        let began = Instant::<Monotonic>::now();
        wait()?;
        let took = began.elapsed().as_millis();
        ensure!(took < 20_000);
        if took >= at_least_ms {
            return Ok(());
        }
    }
    pr_err!("each time it was over early\n");
    Err(EINVAL)
}

/// Long enough for a thread that could go on to have done so.
pub(crate) fn a_while() {
    fsleep(Delta::from_millis(60));
}

/// Spawns a child of one thread.
pub(crate) fn spawn<F>(name: &CStr, body: F) -> Result<Handle>
where
    F: Fn(&mut Context<'_>) -> Result + Send + Sync + 'static,
{
    Builder::new(&MODULE, name).spawn(body)
}

/// The same, on this CPU or, if there are not so many, on the first.
pub(crate) fn spawn_on<F>(name: &CStr, cpu: u32, body: F) -> Result<Handle>
where
    F: Fn(&mut Context<'_>) -> Result + Send + Sync + 'static,
{
    let cpu = CpuId::from_u32(cpu).or(CpuId::from_u32(0)).ok_or(EINVAL)?;
    Builder::new(&MODULE, name).cpus(&[cpu]).spawn(body)
}

/// Whether the child has ended, without an error.
pub(crate) fn is_done(child: &Handle) -> bool {
    eventually(|| child.record().state() == State::Stopped) && child.record().error().is_none()
}

/// Whether a child that waits is ended by a stop, with this error from its wait.
pub(crate) fn stop_gives(child: &Handle, error: Error) -> bool {
    a_while();
    let waited = child.record().state() == State::Running;
    child.stop();
    waited && child.record().error() == Some(error)
}

/// Whether the child goes on to wait when it is asked to stop, and ends well after `release`.
pub(crate) fn stop_ends_only_after(child: Handle, release: impl FnOnce()) -> Result<bool> {
    a_while();
    let child = Arc::new(child, GFP_KERNEL)?;
    let other = child.clone();
    // A stop returns only when the child has ended.
    let stopper = spawn(c"stopper", move |_| {
        other.stop();
        Ok(())
    })?;
    let asked = eventually(|| child.record().state() == State::Stopping);
    a_while();
    let waited = child.record().state() == State::Stopping;
    release();
    Ok(asked && waited && is_done(&stopper) && is_done(&child))
}

/// Ends a case that can not be tried on this machine; the log says so to whoever runs it.
pub(crate) fn skip<T>(case: &str, why: &str) -> Result<T> {
    pr_notice!("skip {case}: {why}\n");
    Err(ENODEV)
}

/// Has KUnit say that the case it runs was skipped, if it can not be tried on this machine.
#[cfg(CONFIG_KUNIT)]
pub(crate) fn told_to_kunit(result: Result) -> Result {
    if result != Err(ENODEV) {
        return result;
    }
    // SAFETY: No preconditions.
    let test = unsafe { kernel::bindings::kunit_get_current_test() };
    if !test.is_null() {
        // SAFETY: It is what this thread runs, so it is there, and nobody else looks meanwhile.
        unsafe { (*test).status = kernel::bindings::kunit_status_KUNIT_SKIPPED };
    }
    Ok(())
}

pub(crate) type Case = (&'static str, fn() -> Result);

/// Runs the case whose name is written.
pub(crate) fn run(_: &(), input: &mut UserSliceReader) -> Result {
    let mut name = [0; 64];
    let name = name.get_mut(..input.len()).ok_or(EINVAL)?;
    input.read_slice(name)?;
    let name = core::str::from_utf8(name).map_err(|_| EINVAL)?.trim();
    let all = CASES.iter().copied().flatten();
    let (_, case) = all.into_iter().find(|c| c.0 == name).ok_or(ENOENT)?;
    case()
}
