// SPDX-License-Identifier: GPL-2.0

//! The parameters, and a way to other CPUs.
//!
//! C header: `src/torture/torture.h`

use crate::ffi as raw;
use kernel::{cpu::CpuId, prelude::*};

/// Makes a word of what a parameter has.
///
/// # Safety
///
/// It has to be a `charp` parameter that is not writable: it keeps its string until the module is
/// gone, and its default is a string literal.
unsafe fn word(of: *const c_char) -> &'static str {
    // SAFETY: By the safety requirements.
    let word = unsafe { CStr::from_char_ptr(of) };
    // What is not UTF-8 is none of the valid words either.
    word.to_str().unwrap_or("?")
}

/// The value of the parameter `torture`.
pub(super) fn param() -> &'static str {
    // SAFETY: It is such a parameter.
    unsafe { word(raw::childkernel_param_torture()) }
}

/// The value of the parameter `torture_mode`.
pub(super) fn param_mode() -> &'static str {
    // SAFETY: It is such a parameter.
    unsafe { word(raw::childkernel_param_torture_mode()) }
}

/// The value of the parameter `torture_seconds`.
pub(super) fn param_seconds() -> i64 {
    // SAFETY: No preconditions.
    unsafe { raw::childkernel_param_torture_seconds() }
}

/// The value of the parameter `torture_seed`.
pub(super) fn param_seed() -> i64 {
    // SAFETY: No preconditions.
    unsafe { raw::childkernel_param_torture_seed() }
}

/// The value of the parameter `torture_crashes`.
pub(super) fn param_crashes() -> i64 {
    // SAFETY: No preconditions.
    unsafe { raw::childkernel_param_torture_crashes() }
}

/// A seed that nobody has given, not 0.
pub(super) fn any_seed() -> u64 {
    // SAFETY: No preconditions.
    u64::from(unsafe { raw::childkernel_torture_any_seed() })
}

/// Binds the current thread to this CPU, if it is online, or to none in particular.
pub(super) fn move_to(cpu: Option<CpuId>) {
    let cpu = cpu.map_or(-1, |cpu| cpu.as_u32() as c_int);
    // SAFETY: A CPU that there can be, or a negative number.
    unsafe { raw::childkernel_torture_move(cpu) };
}
