// SPDX-License-Identifier: GPL-2.0

//! Strings as JSON wants them.
#![deny(unsafe_code)]

use kernel::fmt::{self, Write as _};

/// Shows a string in quotes, with what JSON does not allow inside escaped.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' | '\\' => {
                    f.write_char('\\')?;
                    f.write_char(c)?;
                }
                c if c < ' ' => f.write_fmt(format_args!("\\u{:04x}", u32::from(c)))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}
