// SPDX-License-Identifier: GPL-2.0

//! Stands for the `kernel` crate where sources of the module are compiled for models: as much of it
//! as these use, by the same names, on threads and memory of `loom`.
//!
//! What an execution of a model has besides is in [`run`]: who was signalled, which thread is on
//! which CPU, what waits for a grace period.

pub mod alloc;
pub mod bindings;
pub mod error;
pub mod orderings;
pub mod run;
pub mod sync;
pub mod types;

#[doc(hidden)]
pub use pinned_init;

pub use core::fmt;

/// What sources import all of.
pub mod prelude {
    pub use crate::{
        alloc::{flags::GFP_KERNEL, KBox, KVVec, KVec},
        error::{code::*, Error, Result},
        fmt, try_pin_init,
    };
    pub use core::{ffi::CStr, pin::Pin};
    pub use macros::pin_data;
    pub use pinned_init::{pin_init, pinned_drop, Init, PinInit, PinnedDrop};
}

/// Times, as far as they are written down.
pub mod time {
    /// What a limit counts in.
    pub type Jiffies = core::ffi::c_ulong;
}

/// An initialiser that may fail.
#[macro_export]
macro_rules! try_pin_init {
    ($t:ident { $($fields:tt)* }) => {
        $crate::pinned_init::try_pin_init!($t { $($fields)* }? $crate::error::Error)
    };
}

/// Arguments to be formatted.
#[macro_export]
macro_rules! fmt {
    ($($args:tt)*) => { ::core::format_args!($($args)*) };
}

/// From a field to the whole.
#[macro_export]
macro_rules! container_of {
    ($field:expr, $whole:ty, $($name:tt)*) => {
        $field
            .cast::<u8>()
            .sub(::core::mem::offset_of!($whole, $($name)*))
            .cast::<$whole>()
    };
}

/// A string of C.
#[macro_export]
macro_rules! c_str {
    ($text:literal) => {
        match ::core::ffi::CStr::from_bytes_with_nul(::core::concat!($text, "\0").as_bytes()) {
            Ok(text) => text,
            Err(_) => ::core::unreachable!(),
        }
    };
}

/// There is no lockdep here.
#[macro_export]
macro_rules! static_lock_class {
    () => {
        ::core::pin::Pin::static_ref(&$crate::sync::LockClassKey)
    };
}
