// SPDX-License-Identifier: GPL-2.0

//! A bit that the array does not have. The library refuses it when it is made for somebody, so it
//! has to be: by name, not by a call that is put in the place of.

use childkernel::sync::atomic::Bit;

pub type Made = fn() -> Bit<2>;

#[cfg(right)]
#[inline(never)]
pub fn last() -> Made {
    Bit::at::<127>
}

#[cfg(not(right))]
#[inline(never)]
pub fn behind() -> Made {
    Bit::at::<128> //~ E0080
}
