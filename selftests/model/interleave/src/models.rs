// SPDX-License-Identifier: GPL-2.0

//! The models: what threads do, and what has to hold in each interleaving of them.

use kernel::{
    orderings::{self, Strength},
    run,
};
use std::sync::atomic::{AtomicU64, Ordering};

mod list;
mod mailbox;
pub mod value;

/// A model, and how far it is taken.
pub struct Model {
    pub name: &'static str,
    /// What it shows.
    pub shows: &'static str,
    /// How often a thread may be interrupted for another in one execution, beside where it waits;
    /// `None` for any number of times.
    pub preemptions: Option<usize>,
    /// One execution.
    pub run: fn(),
}

/// How many operations one execution may have: more is a loop that does not end.
const OPERATIONS_MAX: usize = 3_000;

fn all() -> impl Iterator<Item = &'static Model> {
    [
        mailbox::MODELS,
        crate::child::models::MODELS,
        crate::stats::models::MODELS,
        list::MODELS,
    ]
    .into_iter()
    .flatten()
}

/// Prints them.
pub fn list() -> Result<(), String> {
    for Model {
        name,
        shows,
        preemptions,
        ..
    } in all()
    {
        let preemptions = preemptions.map_or("null".to_owned(), |n| n.to_string());
        println!(
            r#"{{"model":"{name}","shows":"{shows}","preemptions":{preemptions},"operations":{OPERATIONS_MAX}}}"#
        );
    }
    Ok(())
}

/// Tries all interleavings of one, and prints how many there were and which orderings were met. If
/// there is one in which something does not hold it panics.
pub fn run(name: &str, weaker: &[&str]) -> Result<(), String> {
    let model = all()
        .find(|model| model.name == name)
        .ok_or_else(|| format!("no model '{name}': interleave list names them"))?;
    for weaker in weaker {
        let (place, to) = weaker
            .rsplit_once('=')
            .and_then(|(place, to)| Some((place, Strength::from_name(to)?)))
            .ok_or_else(|| format!("'{weaker}' is no place and what is left of its ordering"))?;
        orderings::weaken(place, to);
    }

    static RUNS: AtomicU64 = AtomicU64::new(0);
    let mut loom = loom::model::Builder::new();
    loom.preemption_bound = model.preemptions;
    loom.max_branches = OPERATIONS_MAX;
    let body = model.run;
    loom.check(move || {
        RUNS.fetch_add(1, Ordering::Relaxed);
        run::begin();
        body();
    });

    let places: Vec<String> = orderings::met()
        .iter()
        .map(|(place, order)| {
            let weaker: Vec<_> = orderings::weaker(*order)
                .iter()
                .map(|name| format!("\"{name}\""))
                .collect();
            format!(
                r#"{{"place":"{place}","order":"{}","weaker":[{}]}}"#,
                orderings::name(*order),
                weaker.join(",")
            )
        })
        .collect();
    println!(
        r#"{{"model":"{name}","interleavings":{},"places":[{}]}}"#,
        RUNS.load(Ordering::Relaxed),
        places.join(",")
    );
    Ok(())
}
