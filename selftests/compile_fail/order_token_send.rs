// SPDX-License-Identifier: GPL-2.0

//! Tokens are of one thread.

use childkernel::sync::{
    preempt::{BottomHalvesDisabled, LocalInterruptDisabled, PreemptDisabled},
    Outermost, Token,
};

pub fn send<T: Send>() {}

#[cfg(right)]
pub fn all() {
    send::<u32>();
}

#[cfg(not(right))]
pub fn all() {
    send::<Token<'static, Outermost>>(); //~ E0277
    send::<PreemptDisabled>(); //~ E0277
    send::<BottomHalvesDisabled>(); //~ E0277
    send::<LocalInterruptDisabled>(); //~ E0277
}
