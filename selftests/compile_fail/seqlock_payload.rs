// SPDX-License-Identifier: GPL-2.0

//! A copy that may be thrown away is plain data: nothing that is dropped, points, or can be invalid.

use childkernel::sync::SeqLock;
use kernel::prelude::*;

#[derive(Clone, Copy)]
#[repr(C)]
pub struct Padded {
    a: u8,
    b: u32,
}

#[cfg(right)]
pub fn plain(_: &SeqLock<[u64; 8]>, _: &SeqLock<u8>, _: &SeqLock<[u16; 3]>) {}

#[cfg(not(right))]
pub fn dropped(_: &SeqLock<KBox<u32>>) {} //~ E0277 E0277 E0277
#[cfg(not(right))]
pub fn points(_: &SeqLock<&'static u32>) {} //~ E0277 E0277
#[cfg(not(right))]
pub fn invalid(_: &SeqLock<bool>) {} //~ E0277
#[cfg(not(right))]
pub fn padded(_: &SeqLock<Padded>) {} //~ E0277 E0277
