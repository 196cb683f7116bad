// SPDX-License-Identifier: GPL-2.0

//! What a token has switched off is off until the end of its scope, named again there or not.

use childkernel::sync::{lock_levels, Mutex, Ordered, Outermost, Token};

lock_levels! {
    pub Only,
}

pub type Number = Ordered<Only, Mutex<u32>>;

#[cfg(right)]
pub fn all(number: &Number, token: &mut Token<'_, Outermost>) {
    let (off, _) = token.preempt_disable();
    drop(off);
    let (_number, _) = number.lock(token);
}

#[cfg(not(right))]
pub fn preemption(number: &Number, token: &mut Token<'_, Outermost>) {
    let (_off, _) = token.preempt_disable();
    let (_number, _) = number.lock(token); //~ E0499
}

#[cfg(not(right))]
pub fn bottom_halves(number: &Number, token: &mut Token<'_, Outermost>) {
    let (_off, _) = token.bh_disable();
    let (_number, _) = number.lock(token); //~ E0499
}

#[cfg(not(right))]
pub fn interrupts(number: &Number, token: &mut Token<'_, Outermost>) {
    let (_off, _) = token.interrupt_disable();
    let (_number, _) = number.lock(token); //~ E0499
}
