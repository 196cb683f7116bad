// SPDX-License-Identifier: GPL-2.0

//! Why a line of the file `control` is not a command, in words for the log.
//!
//! This file also compiles in user space, with the grammar.

use super::grammar::{LINE_MAX, NAME_MAX};
use core::fmt;

/// Why a line is not a command. Shown, it is one line of printable ASCII.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused<'a> {
    /// It has so many bytes.
    Length(usize),
    /// It has such a byte, at this place from 0.
    Byte(u8, usize),
    /// There is a newline in it.
    Lines,
    /// This word of it is wrong.
    Word(&'a str, Why),
}

/// What is wrong with a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Why {
    /// It is none of these.
    Words(&'static [&'static str]),
    /// It is no number between these two.
    Numbers(i64, u64),
    /// It is no number of bytes.
    Bytes,
    /// It is no power of two up to this one.
    Power(u32),
    /// It is no name.
    Name,
    /// This must go with it.
    Wants(&'static str),
    /// This does not go with it.
    Without(&'static str),
    /// It is there twice.
    Twice,
    /// Nothing was to follow.
    Extra,
    /// It is for other builds of the module.
    NotBuilt,
}

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(n) => write!(f, "a line of {n} bytes: valid are 1 to {LINE_MAX}"),
            Self::Byte(byte, at) => {
                write!(f, "byte {byte:#04x} at {at}: valid is printable ASCII")
            }
            Self::Lines => f.write_str("several lines in one write: valid is one"),
            Self::Word(word, why) => write!(f, "{}: {why}", Shown(word)),
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Words(words) => {
                f.write_str("valid are ")?;
                for (i, word) in words.iter().enumerate() {
                    write!(f, "{}{word}", if i > 0 { ", " } else { "" })?;
                }
                Ok(())
            }
            Self::Numbers(min, max) => write!(f, "valid are {min} to {max}"),
            Self::Bytes => f.write_str("valid are numbers of bytes, or with k or m at their end"),
            Self::Power(max) => write!(f, "valid are powers of two, 1 to {max}"),
            Self::Name => write!(f, "valid are 1 to {NAME_MAX} letters, digits or -_.:/"),
            Self::Wants(what) => write!(f, "wants {what}"),
            Self::Without(what) => write!(f, "does not go with {what}"),
            Self::Twice => f.write_str("is there twice"),
            Self::Extra => f.write_str("nothing may follow"),
            Self::NotBuilt => f.write_str("valid only in builds with FAULTS=1"),
        }
    }
}

/// Shows what somebody wrote: never more than a line, nor a long one.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 64;
        for c in self.0.chars().take(MOST) {
            if c == ' ' || c.is_ascii_graphic() {
                fmt::Write::write_char(f, c)?;
            } else {
                write!(f, "{}", c.escape_unicode())?;
            }
        }
        if self.0.chars().nth(MOST).is_some() {
            f.write_str("...")?;
        }
        Ok(())
    }
}
