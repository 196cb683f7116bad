// SPDX-License-Identifier: GPL-2.0

//! Every ordering that a model meets, by its place in the source, and the one that is weaker in
//! this run.
//!
//! The sources are compiled as they are. An operation of a `loom` atomic asks here, with the place
//! that it was called from, how it is to order; that is what its source says, unless this run is
//! the mutant in which just this place says less.

use core::{fmt, panic};
use loom::sync::atomic::{fence, Ordering};
use std::{collections::BTreeMap, sync::Mutex};

/// A place that orders: a path below the top of the tree, a line and a column, and what it does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    file: String,
    line: u32,
    column: u32,
    what: &'static str,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}:{} {}",
            self.file, self.line, self.column, self.what
        )
    }
}

/// What this run knows.
#[derive(Default)]
struct Run {
    met: BTreeMap<Place, Ordering>,
    /// The places that order less, as they are written, and how they do.
    weaker: BTreeMap<String, Strength>,
}

static RUN: Mutex<Option<Run>> = Mutex::new(None);

fn with<R>(f: impl FnOnce(&mut Run) -> R) -> R {
    let mut run = match RUN.lock() {
        Ok(run) => run,
        Err(poisoned) => poisoned.into_inner(),
    };
    f(run.get_or_insert_with(Run::default))
}

/// How much is left of an ordering.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// Nothing.
    Relaxed,
    /// Of more, an acquire.
    Acquire,
    /// Of more, a release.
    Release,
    /// Of a full barrier, both, but no store before a load.
    AcqRel,
}

impl Strength {
    /// By its name.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "relaxed" => Self::Relaxed,
            "acquire" => Self::Acquire,
            "release" => Self::Release,
            "acqrel" => Self::AcqRel,
            _ => return None,
        })
    }

    fn of(self) -> Ordering {
        match self {
            Self::Relaxed => Ordering::Relaxed,
            Self::Acquire => Ordering::Acquire,
            Self::Release => Ordering::Release,
            Self::AcqRel => Ordering::AcqRel,
        }
    }
}

/// The name of an ordering.
pub fn name(order: Ordering) -> &'static str {
    match order {
        Ordering::Relaxed => "relaxed",
        Ordering::Acquire => "acquire",
        Ordering::Release => "release",
        Ordering::AcqRel => "acqrel",
        _ => "full",
    }
}

/// What an ordering may be weakened to, each with a run of its own.
pub fn weaker(order: Ordering) -> &'static [&'static str] {
    match order {
        Ordering::Relaxed => &[],
        Ordering::Acquire | Ordering::Release => &["relaxed"],
        Ordering::AcqRel => &["release", "acquire", "relaxed"],
        _ => &["acqrel", "relaxed"],
    }
}

/// Weakens a place in this run.
pub fn weaken(place: &str, to: Strength) {
    with(|run| run.weaker.insert(place.to_owned(), to));
}

/// All places that order more than nothing that were met.
pub fn met() -> Vec<(Place, Ordering)> {
    with(|run| run.met.iter().map(|(p, o)| (p.clone(), *o)).collect())
}

fn order(place: Place, order: Ordering) -> Ordering {
    if order == Ordering::Relaxed {
        return order;
    }
    with(|run| {
        let weaker = match run.weaker.is_empty() {
            true => None,
            false => run.weaker.get(&place.to_string()).copied(),
        };
        run.met.entry(place).or_insert(order);
        weaker.map_or(order, Strength::of)
    })
}

/// Where a source is, from the top of the tree.
fn path(file: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in file.split('/') {
        match part {
            "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let path = parts.join("/");
    match path.rfind("../") {
        Some(at) => path[at + 3..].to_owned(),
        None => path,
    }
}

/// How an operation orders that was called from here.
pub(crate) fn called(
    from: &'static panic::Location<'static>,
    what: &'static str,
    order: Ordering,
) -> Ordering {
    if order == Ordering::Relaxed {
        return order;
    }
    let place = Place {
        file: path(from.file()),
        line: from.line(),
        column: from.column(),
        what,
    };
    self::order(place, order)
}

/// How a function of C orders, which is not in a source of ours.
pub(crate) fn native(what: &'static str, order: Ordering) -> Ordering {
    let place = Place {
        file: "C".to_owned(),
        line: 0,
        column: 0,
        what,
    };
    self::order(place, order)
}

/// A barrier that was called from here.
pub(crate) fn barrier(
    from: &'static panic::Location<'static>,
    what: &'static str,
    order: Ordering,
) {
    match called(from, what, order) {
        Ordering::Relaxed => {}
        order => fence(order),
    }
}

/// This place.
pub fn here() -> &'static panic::Location<'static> {
    panic::Location::caller()
}
