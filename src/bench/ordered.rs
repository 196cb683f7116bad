// SPDX-License-Identifier: GPL-2.0

//! Locks with a level, taken with a token: one must cost what the lock inside costs, and two what
//! two in the order of their addresses cost in C.
#![deny(unsafe_code)]

use super::{
    ffi as c,
    pair::{inc, rust, Irqs, Pair, Rival, Side},
};
use crate::sync::{
    nested::Nestable,
    new_mutex, new_spinlock,
    order::{levels::Load, Ordered, Token},
    preempt::preempt_disable,
    Mutex, SpinLock,
};
use kernel::{prelude::*, sync::Arc};

fn bare() -> Result<Arc<dyn Side>> {
    let lock = new_spinlock!(0, "bench_bare");
    rust(lock, |n: &SpinLock<u64>, _| inc(&mut n.lock()))
}

fn bare_preempt() -> Result<Arc<dyn Side>> {
    rust(Ok::<_, Error>(()), |(), _| {
        drop(preempt_disable());
        0
    })
}

/// Two locks of one class, of which neither comes first by its type.
#[pin_data]
struct Two<L: Nestable> {
    #[pin]
    one: Ordered<Load, L>,
    #[pin]
    other: Ordered<Load, L>,
}

impl<L: Nestable> Two<L> {
    fn new<I: PinInit<L>>(new: impl Fn() -> I) -> impl PinInit<Self> {
        pin_init!(Self {
            one <- Ordered::new(new()),
            other <- Ordered::new(new()),
        })
    }
}

/// All of them.
pub(super) static PAIRS: &[Pair] = &[
    Pair {
        name: "ordered_spinlock",
        what: "lock with a token, add, unlock",
        irqs: Irqs::Off,
        rival: Rival::Rust("bare", bare),
        rust: || {
            let lock = Ordered::new(new_spinlock!(0, "bench_ordered"));
            rust(lock, |n: &Ordered<Load, SpinLock<u64>>, _| {
                let mut token = Token::outermost();
                let (mut n, _) = n.lock(&mut token);
                inc(&mut n)
            })
        },
    },
    Pair {
        name: "ordered_preempt",
        what: "preemption off with a token, on",
        irqs: Irqs::Off,
        rival: Rival::Rust("bare", bare_preempt),
        rust: || {
            rust(Ok::<_, Error>(()), |(), _| {
                let mut token = Token::outermost();
                drop(token.preempt_disable().0);
                0
            })
        },
    },
    Pair {
        name: "spinlock_two",
        what: "lock two of a class, add to both, unlock",
        irqs: Irqs::Off,
        rival: Rival::C(c::SPINLOCK_TWO),
        rust: || {
            let two = Two::new(|| new_spinlock!(0u64, "bench_spinlock_two"));
            rust(two, |two: &Two<SpinLock<u64>>, _| {
                let mut token = Token::outermost();
                let locked = two.one.lock_two(&two.other, &mut token);
                let Ok(((mut one, mut other), _)) = locked else {
                    return 0;
                };
                inc(&mut one);
                inc(&mut other)
            })
        },
    },
    Pair {
        name: "mutex_two",
        what: "lock two of a class, add to both, unlock",
        irqs: Irqs::On,
        rival: Rival::C(c::MUTEX_TWO),
        rust: || {
            let two = Two::new(|| new_mutex!(0u64, "bench_mutex_two"));
            rust(two, |two: &Two<Mutex<u64>>, _| {
                let mut token = Token::outermost();
                let locked = two.one.lock_two(&two.other, &mut token);
                let Ok(((mut one, mut other), _)) = locked else {
                    return 0;
                };
                inc(&mut one);
                inc(&mut other)
            })
        },
    },
];
