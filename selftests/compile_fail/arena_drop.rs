// SPDX-License-Identifier: GPL-2.0

//! Nothing is called for what is in an arena when that goes. The library refuses a type with drop
//! glue when it is made for somebody: see bit_range.rs.

use childkernel::child::{Arena, ArenaBox};
use kernel::{alloc::Flags, prelude::*};

pub type Made = for<'a> fn(&'a Arena, u64, Flags) -> Result<ArenaBox<'a, u64>>;
pub type MadeBox = for<'a> fn(&'a Arena, KBox<u64>, Flags) -> Result<ArenaBox<'a, KBox<u64>>>;
pub type Value = fn(usize) -> KBox<u64>;
pub type MadeSlice =
    for<'a> fn(&'a Arena, usize, Value, Flags) -> Result<ArenaBox<'a, [KBox<u64>]>>;

#[cfg(right)]
#[inline(never)]
pub fn plain() -> Made {
    Arena::alloc::<u64>
}

#[cfg(not(right))]
#[inline(never)]
pub fn with_glue() -> MadeBox {
    Arena::alloc::<KBox<u64>> //~ E0080
}

#[cfg(not(right))]
#[inline(never)]
pub fn slice_with_glue() -> MadeSlice {
    Arena::slice_with::<KBox<u64>> //~ E0080
}
