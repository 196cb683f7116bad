// SPDX-License-Identifier: GPL-2.0

//! What was taken from an arena ends with the arena, and belongs to one at a time.

use childkernel::child::{Arena, ArenaBox, Context};
use kernel::{
    prelude::*,
    sync::{Arc, Mutex},
};

#[cfg(right)]
pub fn sums(arena: Arc<Arena>, ctx: &mut Context<'_>) -> Result<u64> {
    let mut one = arena.alloc(1u64, GFP_KERNEL)?;
    let mut two = ctx.arena().slice(2, 2u64, GFP_KERNEL)?;
    *one += 1;
    two.fill(3);
    ctx.add_ops(1);
    let sum = *one + two.iter().sum::<u64>();
    drop(one);
    drop(arena);
    Ok(sum)
}

#[cfg(not(right))]
pub fn outlives(arena: Pin<KBox<Arena>>) -> Result<u64> {
    let one = arena.alloc(1u64, GFP_KERNEL)?;
    drop(arena); //~ E0505
    Ok(*one)
}

#[cfg(not(right))]
pub fn leaked_outlives(arena: Pin<KBox<Arena>>) -> Result<u64> {
    let one = arena.alloc(1u64, GFP_KERNEL)?.leak();
    drop(arena); //~ E0505
    Ok(*one)
}

#[cfg(not(right))]
pub fn returned(arena: Arc<Arena>) -> Result<&'static mut u64> {
    Ok(arena.alloc(1u64, GFP_KERNEL)?.leak()) //~ E0515
}

/// The entry function of a child keeps none for the next generation.
#[cfg(not(right))]
pub fn kept(ctx: &mut Context<'_>, kept: &Mutex<Option<ArenaBox<'static, u64>>>) -> Result {
    *kept.lock() = Some(ctx.arena().alloc(1u64, GFP_KERNEL)?); //~ E0521
    Ok(())
}

#[cfg(not(right))]
pub fn aliased(arena: &Arena) -> Result {
    let mut all = arena.slice(2, 0u64, GFP_KERNEL)?;
    let one: &mut [u64] = &mut all;
    let two: &mut [u64] = &mut all; //~ E0499
    one.fill(1);
    two.fill(2);
    Ok(())
}

#[cfg(not(right))]
pub fn given_back(arena: &Arena) -> Result<u64> {
    let all = arena.alloc(0u64, GFP_KERNEL)?;
    let inside: &u64 = &all;
    drop(all); //~ E0505
    Ok(*inside)
}

fn is_send<T: Send>(_: T) {}

#[cfg(not(right))]
pub fn sent(arena: &Arena) -> Result {
    is_send(arena.alloc(core::ptr::null::<u8>(), GFP_KERNEL)?); //~ E0277
    Ok(())
}
