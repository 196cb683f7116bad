// SPDX-License-Identifier: GPL-2.0

//! What a lock gave out keeps the token, wherever it is put and whether it is named again or not.

use childkernel::sync::{
    lock_levels, order::Sleeping, Mutex, MutexGuard, Ordered, Outermost, RwSemaphore, Token,
};
use core::mem::swap;
use kernel::prelude::*;

lock_levels! {
    pub First,
    pub Second,
}

pub type Number = Ordered<First, Mutex<u32>>;
pub type Shared = Ordered<First, RwSemaphore<u32>>;

pub struct Kept<'a> {
    guard: MutexGuard<'a, u32>,
}

pub type Slot<'a> = Option<MutexGuard<'a, u32>>;

#[cfg(right)]
pub fn all(number: &Number, shared: &Shared, token: &mut Token<'_, Outermost>) -> Result {
    let (guard, _) = number.lock(token);
    drop(Kept { guard });
    let (guard, inner) = shared.lock_by(token, |sem| sem.read_interruptible());
    drop((guard?, inner));
    let (_guard, _) = number.lock(token);
    Ok(())
}

#[cfg(not(right))]
pub fn kept(number: &Number, token: &mut Token<'_, Outermost>) {
    let (guard, _) = number.lock(token);
    let _kept = Kept { guard };
    let (_again, _) = number.lock(token); //~ E0499
}

#[cfg(not(right))]
pub fn given_away<'a>(
    slot: &mut Slot<'a>,
    number: &'a Number,
    token: &'a mut Token<'_, Outermost>,
) {
    let (guard, _) = number.lock(token);
    *slot = Some(guard);
    let (_again, _) = number.lock(token); //~ E0499
}

#[cfg(not(right))]
pub fn tried(number: &Number, token: &mut Token<'_, Outermost>) {
    let (_maybe, _) = number.lock_by(token, |mutex| mutex.try_lock());
    let (_again, _) = number.lock(token); //~ E0499
}

#[cfg(not(right))]
pub fn downgraded(shared: &Shared, number: &Number, token: &mut Token<'_, Outermost>) {
    let (writing, _) = shared.lock(token);
    let _reading = writing.downgrade();
    let (_number, _) = number.lock(token); //~ E0499
}

#[cfg(not(right))]
pub fn both(one: &Number, other: &Number, token: &mut Token<'_, Outermost>) -> Result {
    let ((_first, _second), _) = one.lock_two(other, token)?;
    let (_again, _) = one.lock(token); //~ E0499
    Ok(())
}

/// The inner token is as little there without the outer one.
#[cfg(not(right))]
pub fn outlives(number: &Number) {
    let mut outer = Token::outermost();
    let (guard, inner) = number.lock(&mut outer);
    drop(outer); //~ E0505
    drop((guard, inner));
}

/// Nor is it one like the outer one.
#[cfg(not(right))]
pub fn exchanged(number: &Number, token: &mut Token<'_, Outermost>) {
    let mut other = Token::outermost();
    let (_guard, mut inner) = number.lock(token);
    swap(&mut inner, &mut other); //~ E0308
}

#[cfg(not(right))]
pub fn copied(token: &mut Token<'_, First>) {
    let mut second: Token<'_, First> = token.clone(); //~ E0599
}

#[cfg(not(right))]
pub fn made() {
    drop(Token::<'static, First, Sleeping>::new()); //~ E0624
}
