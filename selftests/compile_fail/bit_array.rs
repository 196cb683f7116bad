// SPDX-License-Identifier: GPL-2.0

//! A bit is one of an array of that size, and not changed in a shared one but atomically.

use childkernel::sync::atomic::{Bit, BitArray};

#[cfg(right)]
pub fn all(shared: &BitArray<1>, own: &mut BitArray<1>) {
    shared.set(Bit::at::<0>());
    own.set_mut(Bit::at::<0>());
}

#[cfg(not(right))]
pub fn of_another(flags: &BitArray<1>) {
    flags.set(Bit::<2>::at::<0>()); //~ E0308
}

#[cfg(not(right))]
pub fn exclusive(flags: &BitArray<1>, bit: Bit<1>) {
    flags.set_mut(bit); //~ E0596
}
