// SPDX-License-Identifier: GPL-2.0

//! The floor: what everything else stands on.
#![deny(unsafe_code)]

use super::{
    clock::Clock,
    ffi::{self, Subject, Twin},
    pair::{self, Rounds, ROUNDS_MAX},
    record::{self, Record},
};
use crate::sync::{barrier::barrier, preempt::local_interrupt_disable};
use core::hint::black_box;
use kernel::prelude::*;

/// How many records [`measure`] writes.
pub(super) const FIGURES: usize = 3;

fn rounds(name: &str, clock: Clock, rounds: Rounds, f: impl Fn(u64) -> u64) {
    let mut took = [0; ROUNDS_MAX];
    let count = rounds.rounds.min(ROUNDS_MAX);
    f(rounds.ops);
    for took in took.iter_mut().take(count) {
        let off = (clock == Clock::Cycles).then(local_interrupt_disable);
        let begin = clock.now();
        black_box(f(rounds.ops));
        *took = clock.now().wrapping_sub(begin);
        drop(off);
    }
    record::write(&Record::Floor {
        name,
        ops: rounds.ops,
        rounds: took.get(..count).unwrap_or(&[]),
    });
}

/// The loops with nothing in them, on both sides, and a call of a function that does nothing.
pub(super) fn measure(clock: Clock, often: Rounds, subject: &Subject) {
    let twin = |name, twin: Twin| rounds(name, clock, often, |n| twin.run(subject, n));
    twin("loop_c", ffi::LOOP);
    twin("call_c", ffi::CALL);
    let empty = pair::rust::<(), Error, _>(Ok(()), |(), _| {
        barrier();
        0
    });
    if let Ok(empty) = empty {
        rounds("loop_rust", clock, often, |n| empty.run(n));
    }
}
