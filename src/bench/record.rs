// SPDX-License-Identifier: GPL-2.0

//! Records: what was measured, as one JSON object a line in the kernel log.
//!
//! `scripts/bench` reads them; each is written as soon as it is known, so a run that is cut short
//! leaves what it had.
#![deny(unsafe_code)]

use crate::stats::json::List;
use kernel::{fmt, prelude::*};

/// What can be said.
pub(super) enum Record<'a> {
    /// A suite begins, with so many records to come.
    Begin {
        suite: &'a str,
        unit: &'a str,
        cpus: usize,
        figures: usize,
    },
    /// What both sides of a pair took, round by round, for `ops` operations each.
    Pair {
        name: &'a str,
        what: &'a str,
        rival: &'a str,
        ops: u64,
        rust: &'a [u64],
        other: &'a [u64],
    },
    /// Something that others are measured against.
    Floor {
        name: &'a str,
        ops: u64,
        rounds: &'a [u64],
    },
    /// A point of a curve: its keys and values, as JSON has them.
    Point {
        curve: &'a str,
        fields: fmt::Arguments<'a>,
    },
    /// What could not be measured.
    Skip { name: &'a str, why: Error },
    /// The suite has ended.
    End { suite: &'a str },
}

impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin {
                suite,
                unit,
                cpus,
                figures,
            } => f.write_fmt(fmt!(
                "\"begin\",\"suite\":\"{suite}\",\"unit\":\"{unit}\",\"inline\":{},\"cpus\":{cpus},\
                 \"release\":\"{}\",\"figures\":{figures}",
                u8::from(cfg!(CONFIG_CHILDKERNEL_INLINE)),
                crate::ffi::uts_release()
            )),
            Self::Pair {
                name,
                what,
                rival,
                ops,
                rust,
                other,
            } => f.write_fmt(fmt!(
                "\"pair\",\"name\":\"{name}\",\"what\":\"{what}\",\"side\":\"rust\",\
                 \"rival\":\"{rival}\",\"ops\":{ops},\"rust\":[{}],\"c\":[{}]",
                List(rust),
                List(other)
            )),
            Self::Floor { name, ops, rounds } => f.write_fmt(fmt!(
                "\"floor\",\"name\":\"{name}\",\"ops\":{ops},\"rounds\":[{}]",
                List(rounds)
            )),
            Self::Point { curve, fields } => {
                f.write_fmt(fmt!("\"point\",\"curve\":\"{curve}\","))?;
                f.write_fmt(*fields)
            }
            Self::Skip { name, why } => f.write_fmt(fmt!(
                "\"skip\",\"name\":\"{name}\",\"why\":\"error {}\"",
                why.to_errno()
            )),
            Self::End { suite } => f.write_fmt(fmt!("\"end\",\"suite\":\"{suite}\"")),
        }
    }
}

/// Writes a record.
pub(super) fn write(record: &Record<'_>) {
    pr_info!("bench {{\"bench\":{record}}}\n");
}
