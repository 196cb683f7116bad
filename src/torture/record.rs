// SPDX-License-Identifier: GPL-2.0

//! Records: what was seen, as one JSON object a line in the kernel log, as soon as it is known.
//!
//! `scripts/torture.py` reads them.
#![deny(unsafe_code)]

use super::{
    outcome::{Outcome, Wrongs},
    Mistake, Scope,
};
use crate::stats::json::{Escaped, List};
use kernel::{fmt, prelude::*};

/// What can be said.
pub(super) enum Record<'a> {
    /// It begins.
    Begin {
        scope: &'a Scope,
        seed: u64,
        cpus: usize,
        subjects: usize,
        twins: usize,
    },
    /// A broken twin was tortured until it was caught, or for as long as there is patience.
    Twin {
        subject: &'a str,
        mistake: Mistake,
        outcome: &'a Outcome,
        ms: i64,
    },
    /// What cannot be shown on this machine.
    Skip {
        subject: &'a str,
        mistake: Mistake,
        why: &'a str,
    },
    /// All that was seen of something sound.
    Subject { name: &'a str, outcome: &'a Outcome },
    /// The twins are through.
    Sound,
    /// Something could not be made.
    Failed { subject: &'a str, why: Error },
    /// How children have ended meanwhile.
    Children { errors: u64, crashes: u64 },
    /// It has ended.
    End,
}

impl fmt::Display for Record<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin {
                scope,
                seed,
                cpus,
                subjects,
                twins,
            } => f.write_fmt(fmt!(
                "\"begin\",\"seed\":{seed},\"seconds\":{},\"cpus\":{cpus},\"release\":\"{}\",\
                 \"subjects\":{subjects},\"twins\":{twins}",
                scope.seconds,
                crate::ffi::uts_release()
            )),
            Self::Twin {
                subject,
                mistake,
                outcome,
                ms,
            } => f.write_fmt(fmt!(
                "\"twin\",\"subject\":\"{subject}\",\"twin\":\"{}\",\"what\":\"{}\",\
                 \"caught\":{},\"ops\":{},\"ms\":{ms},\"wrong\":{{{}}}",
                mistake.word(),
                Escaped(mistake.what()),
                outcome.wrongs.any(),
                outcome.until_caught(),
                Wrongs::shown(&outcome.wrongs)
            )),
            Self::Skip {
                subject,
                mistake,
                why,
            } => f.write_fmt(fmt!(
                "\"skip\",\"subject\":\"{subject}\",\"twin\":\"{}\",\"why\":\"{}\"",
                mistake.word(),
                Escaped(why)
            )),
            Self::Subject { name, outcome } => f.write_fmt(fmt!(
                "\"subject\",\"name\":\"{name}\",\"bouts\":{},\"ops\":{},\"softirq\":{},\
                 \"hardirq\":{},\"each\":[{}],\"longest_ns\":{},\"violations\":{},\
                 \"wrong\":{{{}}}",
                outcome.bouts,
                outcome.ops(),
                outcome.softirq,
                outcome.hardirq,
                List(&outcome.each),
                outcome.longest,
                outcome.wrongs.sum(),
                Wrongs::shown(&outcome.wrongs)
            )),
            Self::Failed { subject, why } => f.write_fmt(fmt!(
                "\"failed\",\"subject\":\"{subject}\",\"why\":\"error {}\"",
                why.to_errno()
            )),
            Self::Children { errors, crashes } => f.write_fmt(fmt!(
                "\"children\",\"errors\":{errors},\"crashes\":{crashes}"
            )),
            Self::Sound => f.write_str("\"sound\""),
            Self::End => f.write_str("\"end\""),
        }
    }
}

/// Writes a record.
pub(super) fn write(record: &Record<'_>) {
    pr_info!("torture {{\"torture\":{record}}}\n");
}
