// SPDX-License-Identifier: GPL-2.0

//! The floor: what everything else stands on.
#![deny(unsafe_code)]

use super::{
    clock::Clock,
    ffi::{self, Twin},
    pair::{self, Rounds, ROUNDS_MAX},
    record::{self, Record},
    Run,
};
use crate::sync::{barrier::barrier, preempt::local_interrupt_disable};
use core::hint::black_box;
use kernel::prelude::*;

/// How many records [`measure`] writes.
pub(super) const FIGURES: usize = 3;

fn rounds(name: &str, often: Rounds, f: impl Fn(u64) -> u64) {
    let mut took = [0; ROUNDS_MAX];
    let count = often.rounds.min(ROUNDS_MAX);
    f(often.ops);
    for took in took.iter_mut().take(count) {
        let off = (often.clock == Clock::Cycles).then(local_interrupt_disable);
        let begin = often.clock.now();
        black_box(f(often.ops));
        *took = often.clock.now().wrapping_sub(begin);
        drop(off);
    }
    record::write(&Record::Floor {
        name,
        ops: often.ops,
        rounds: took.get(..count).unwrap_or(&[]),
    });
}

/// The loops with nothing in them, on both sides, and a call of a function that does nothing.
pub(super) fn measure(run: &mut Run<'_, '_>) {
    let often = run.rounds();
    let twin = |name, twin: Twin| rounds(name, often, |n| twin.run(run.subject, n));
    twin("loop_c", ffi::LOOP);
    twin("call_c", ffi::CALL);
    let empty = pair::rust::<(), Error, _>(Ok(()), |(), _| {
        barrier();
        0
    });
    match empty {
        Ok(empty) => rounds("loop_rust", often, |n| empty.run(n)),
        Err(why) => run.skip("loop_rust", why),
    }
}
