// SPDX-License-Identifier: GPL-2.0

//! Strings as JSON wants them.
#![deny(unsafe_code)]

use kernel::fmt::{self, Write as _};

/// Shows a string in quotes.
pub(crate) struct Quoted<'a>(pub(crate) &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        fmt::Display::fmt(&Escaped(self.0), f)?;
        f.write_char('"')
    }
}

/// Shows a string with what JSON does not allow inside of quotes escaped.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
        Ok(())
    }
}

/// Numbers, with commas between them.
#[cfg(any(CONFIG_CHILDKERNEL_BENCH, CONFIG_CHILDKERNEL_TORTURE))]
pub(crate) struct List<'a>(pub(crate) &'a [u64]);

#[cfg(any(CONFIG_CHILDKERNEL_BENCH, CONFIG_CHILDKERNEL_TORTURE))]
impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, n) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            f.write_fmt(format_args!("{comma}{n}"))?;
        }
        Ok(())
    }
}
