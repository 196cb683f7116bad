// SPDX-License-Identifier: GPL-2.0

//! Errors, by their numbers.

use core::{convert::Infallible, ffi::c_int};

/// An errno.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Error(c_int);

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// What may fail.
pub type Result<T = (), E = Error> = core::result::Result<T, E>;

/// What C returns.
pub fn to_result(errno: c_int) -> Result {
    match errno {
        0.. => Ok(()),
        _ => Err(Error(errno)),
    }
}

/// Those that are used.
pub mod code {
    use super::Error;

    macro_rules! codes {
        ($($name:ident = $number:literal),* $(,)?) => {
            $(
                #[allow(missing_docs)]
                pub const $name: Error = Error(-$number);
            )*
        };
    }
    codes! {
        EAGAIN = 11, ENOMEM = 12, EINVAL = 22, EPIPE = 32, ETIMEDOUT = 110, ESTALE = 116,
        ERESTARTSYS = 512,
    }
}
