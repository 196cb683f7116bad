// SPDX-License-Identifier: GPL-2.0

//! Two locks, taken in both orders: one of them is the wrong one.

use childkernel::sync::{lock_levels, Mutex, Ordered, Outermost, SpinLock, Token};

lock_levels! {
    pub First,
    pub Second,
    pub Third,
}

pub struct Data {
    first: Ordered<First, Mutex<u32>>,
    second: Ordered<Second, Mutex<u32>>,
    third: Ordered<Third, SpinLock<u32>>,
}

pub fn one(data: &Data, token: &mut Token<'_, Outermost>) {
    let (mut first, mut token) = data.first.lock(token);
    let (second, _token) = data.second.lock(&mut token);
    *first += *second;
}

#[cfg(right)]
pub fn other(data: &Data, token: &mut Token<'_, Outermost>) {
    let (mut first, mut token) = data.first.lock(token);
    let (second, _token) = data.second.lock(&mut token);
    *first -= *second;
}

#[cfg(not(right))]
pub fn other(data: &Data, token: &mut Token<'_, Outermost>) {
    let (second, mut token) = data.second.lock(token);
    let (mut first, _token) = data.first.lock(&mut token); //~ E0277
    *first -= *second;
}

/// Not only neighbours.
#[cfg(not(right))]
pub fn far(data: &Data, token: &mut Token<'_, Outermost>) {
    let (third, mut token) = data.third.lock(token);
    let (_second, _token) = data.second.lock(&mut token); //~ E0277 E0277
    drop(third);
}
