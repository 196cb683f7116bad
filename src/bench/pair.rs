// SPDX-License-Identifier: GPL-2.0

//! Pairs: the same operation done by Rust and by a rival, round by round, in turns.
//!
//! Both sides are loops of the same form, and what they have read is added up, so that nothing of
//! it is optimised away. The order changes from round to round, so that whatever drifts meanwhile
//! favours neither.
#![deny(unsafe_code)]

use super::{
    clock::Clock,
    ffi::{Subject, Twin},
    record::{self, Record},
};
use crate::sync::{
    atomic::{Atomic, Relaxed},
    preempt::local_interrupt_disable,
};
use core::hint::black_box;
use kernel::{prelude::*, sync::Arc};

/// One side of a pair.
pub(super) trait Side {
    /// What has to be done before each round, and is not measured.
    fn prepare(&self) {}

    /// Does it `n` times, once at least, and returns a sum of what was read.
    fn run(&self, n: u64) -> u64;
}

/// Something in Rust, and what is to be done with it; on cache lines of its own, as what C works on.
#[pin_data]
#[repr(align(64))]
struct Loop<T, F> {
    #[pin]
    subject: T,
    op: F,
}

impl<T, F: Fn(&T, u64) -> u64> Side for Loop<T, F> {
    #[inline(never)]
    fn run(&self, n: u64) -> u64 {
        let mut sum = 0u64;
        let mut left = n;
        loop {
            sum = sum.wrapping_add((self.op)(&self.subject, left));
            left = left.wrapping_sub(1);
            if left == 0 {
                return sum;
            }
        }
    }
}

/// Makes the Rust side of a pair: `op` gets the subject, and how many times are left.
pub(super) fn rust<T: 'static, E, F>(subject: impl PinInit<T, E>, op: F) -> Result<Arc<dyn Side>>
where
    Error: From<E>,
    F: Fn(&T, u64) -> u64 + 'static,
{
    rust_filled(subject, |_| Ok(()), op)
}

/// The same for a subject that has to be filled first.
pub(super) fn rust_filled<T: 'static, E, F>(
    subject: impl PinInit<T, E>,
    fill: impl FnOnce(&T) -> Result,
    op: F,
) -> Result<Arc<dyn Side>>
where
    Error: From<E>,
    F: Fn(&T, u64) -> u64 + 'static,
{
    let side = Arc::<Loop<T, F>>::pin_init::<Error>(
        try_pin_init!(Loop {
            subject <- subject,
            op,
        }? Error),
        GFP_KERNEL,
    )?;
    fill(&side.subject)?;
    Ok(side)
}

/// Whom Rust is compared with.
pub(super) enum Rival {
    /// The C twin.
    C(Twin),
    /// Another one in C, by its name.
    OtherC(&'static str, Twin),
    /// Something in Rust, by its name.
    Rust(&'static str, fn() -> Result<Arc<dyn Side>>),
}

impl Rival {
    fn name(&self) -> &'static str {
        match self {
            Self::C(_) => "c",
            Self::OtherC(name, _) | Self::Rust(name, _) => name,
        }
    }
}

/// Whether interrupts may be off during a round that counts instructions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Irqs {
    /// It may be done with interrupts off.
    Off,
    /// It sleeps, or lets soft interrupts run.
    On,
}

/// One figure.
pub(super) struct Pair {
    pub(super) name: &'static str,
    pub(super) what: &'static str,
    pub(super) irqs: Irqs,
    pub(super) rust: fn() -> Result<Arc<dyn Side>>,
    pub(super) rival: Rival,
}

/// How often, and by which clock.
#[derive(Clone, Copy)]
pub(super) struct Rounds {
    pub(super) clock: Clock,
    pub(super) rounds: usize,
    /// Operations in a round.
    pub(super) ops: u64,
}

/// At least 30 pairs, as a median of fewer says little.
pub(super) const ROUNDS_MAX: usize = 31;

/// Measures a pair and writes its record. What is made for it is gone afterwards.
pub(super) fn measure(pair: &Pair, rounds: Rounds, subject: &Subject) -> Result {
    let clock = rounds.clock;
    let rust = (pair.rust)()?;
    let rival: Option<Arc<dyn Side>> = match &pair.rival {
        Rival::Rust(_, make) => Some(make()?),
        _ => None,
    };
    let irqs_off = clock == Clock::Cycles && pair.irqs == Irqs::Off;
    let n = rounds.ops.max(1);
    let timed = |f: &dyn Fn()| {
        let off = irqs_off.then(local_interrupt_disable);
        let begin = clock.now();
        f();
        let took = clock.now().wrapping_sub(begin);
        drop(off);
        took
    };
    let ours = || {
        rust.prepare();
        timed(&|| {
            black_box(rust.run(n));
        })
    };
    let theirs = || {
        if let Some(side) = &rival {
            side.prepare();
        }
        timed(&|| {
            black_box(match (&pair.rival, &rival) {
                (Rival::C(twin) | Rival::OtherC(_, twin), _) => twin.run(subject, n),
                (_, Some(side)) => side.run(n),
                _ => 0,
            });
        })
    };

    let (mut a, mut b) = ([0; ROUNDS_MAX], [0; ROUNDS_MAX]);
    // Once for nothing: caches, predictors, and what is patched or mapped on first use.
    ours();
    theirs();
    let count = rounds.rounds.min(ROUNDS_MAX);
    for (i, (a, b)) in a.iter_mut().zip(&mut b).take(count).enumerate() {
        if i % 2 == 0 {
            *a = ours();
            *b = theirs();
        } else {
            *b = theirs();
            *a = ours();
        }
        crate::ffi::cond_resched();
    }
    record::write(&Record::Pair {
        name: pair.name,
        what: pair.what,
        rival: pair.rival.name(),
        ops: n,
        rust: a.get(..count).unwrap_or(&[]),
        other: b.get(..count).unwrap_or(&[]),
    });
    Ok(())
}

/// One line a pair: its name, what is done, whether interrupts may be off, the C twin; then what is
/// made, and what is done with it and with the number of times that are left.
macro_rules! pairs {
    ($(
        $name:literal, $what:literal, $irqs:ident, $rival:expr;
        $ty:ty = $new:expr, |$subject:ident, $left:ident| $op:expr;
    )*) => {
        &[$(Pair {
            name: $name,
            what: $what,
            irqs: Irqs::$irqs,
            rival: $rival,
            rust: || rust::<$ty, _, _>($new, |$subject: &$ty, $left: u64| $op),
        }),*]
    };
}
pub(super) use pairs;

/// What needs no initialiser.
pub(super) fn plain<T>(value: T) -> Result<T> {
    Ok(value)
}

#[inline(always)]
pub(super) fn inc(n: &mut u64) -> u64 {
    *n = n.wrapping_add(1);
    0
}

/// By a load and a store.
#[inline(always)]
pub(super) fn step(n: &Atomic<u64>) -> u64 {
    n.store(n.load(Relaxed).wrapping_add(1), Relaxed);
    0
}

#[inline(always)]
pub(super) fn next(n: u64) -> u64 {
    n.wrapping_add(1)
}
