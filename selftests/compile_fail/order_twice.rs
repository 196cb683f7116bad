// SPDX-License-Identifier: GPL-2.0

//! A lock taken while it is held, with the inner token, or with the outer one again.

use childkernel::sync::{lock_levels, Mutex, Ordered, Outermost, Token};

lock_levels! {
    pub Only,
}

pub type Number = Ordered<Only, Mutex<u32>>;

#[cfg(right)]
pub fn again(number: &Number, token: &mut Token<'_, Outermost>) {
    let (mut first, _) = number.lock(token);
    *first += 1;
    drop(first);
    let (mut second, _) = number.lock(token);
    *second += 1;
}

#[cfg(not(right))]
pub fn again(number: &Number, token: &mut Token<'_, Outermost>) {
    let (mut first, _) = number.lock(token);
    let (mut second, _) = number.lock(token); //~ E0499
    *first += 1;
    *second += 1;
}

#[cfg(not(right))]
pub fn inner(number: &Number, token: &mut Token<'_, Outermost>) {
    let (first, mut token) = number.lock(token);
    let (_second, _token) = number.lock(&mut token); //~ E0277
    drop(first);
}
