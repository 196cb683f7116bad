// SPDX-License-Identifier: GPL-2.0

//! Statistics: what is read while others count, and while somebody lets it begin again.

use super::{counters::Counters, histogram::Histogram, site::Sites};
use crate::models::Model;
use core::panic::Location;
use kernel::run;
use loom::{sync::Arc, thread};

pub const MODELS: &[Model] = &[
    Model {
        name: "counters_reset",
        shows: "a count is never more than what was counted, whoever resets meanwhile",
        preemptions: None,
        run: reset,
    },
    Model {
        name: "counters_reset_twice",
        shows: "of two resets at once the later one counts, and nothing is lost to the earlier",
        preemptions: None,
        run: reset_twice,
    },
    Model {
        name: "sites_whole",
        shows: "a place in the source is seen whole, and no wait is lost",
        preemptions: Some(3),
        run: sites,
    },
    Model {
        name: "histogram_snapshot",
        shows: "no quantile is above the longest time, nor more times than there were",
        preemptions: Some(1),
        run: histogram,
    },
];

fn reset() {
    let counters = Arc::new(Counters::<1>::new().expect("there is memory"));
    counters.count(0);
    let others: [fn(&Counters<1>); 2] = [
        |counters| {
            run::on_cpu(1);
            counters.add(0, 1);
            counters.add(0, 1);
        },
        |counters| counters.reset(),
    ];
    let others = others.map(|other| {
        let counters = counters.clone();
        thread::spawn(move || other(&counters))
    });
    let count = counters.count(0);
    assert!(count <= 2, "{count}");
    others.map(|other| other.join().expect("it has not failed"));
    let count = counters.count(0);
    assert!(count <= 2, "{count}");
}

fn reset_twice() {
    let counters = Arc::new(Counters::<1>::new().expect("there is memory"));
    counters.count(0);
    counters.add(0, 1);
    let other = {
        let counters = counters.clone();
        thread::spawn(move || {
            run::on_cpu(1);
            counters.add(0, 1);
            counters.reset();
            // All that it has counted itself was before.
            let count = counters.count(0);
            assert_eq!(count, 0);
        })
    };
    counters.reset();
    let count = counters.count(0);
    assert!(count <= 1, "{count}");
    other.join().expect("it has not failed");
    assert_eq!(counters.count(0), 0);
}

/// Two places that are as far from each other as a path and a line can tell.
fn places() -> [&'static Location<'static>; 2] {
    [Location::caller(), kernel::orderings::here()]
}

fn path_of(at: &Location<'_>) -> String {
    let file = at.file();
    file[file.len().saturating_sub(48)..].to_owned()
}

fn check(sites: &Sites) -> u64 {
    let mut sum = 0;
    let mut seen = Vec::new();
    let all = sites.for_each(|at, contended| {
        sum += contended;
        if let Some((path, line)) = at {
            let known = places()
                .iter()
                .any(|at| path_of(at) == path && at.line() == line);
            assert!(known, "{path}:{line}");
            assert!(!seen.contains(&line), "{path}:{line} twice");
            seen.push(line);
        }
        Ok(())
    });
    assert!(all.is_ok());
    sum
}

fn sites() {
    let sites = Arc::new(Sites::new());
    check(&sites);
    let other = {
        let sites = sites.clone();
        thread::spawn(move || sites.contended(places()[0]))
    };
    sites.contended(places()[1]);
    sites.contended(places()[0]);
    assert!(check(&sites) <= 3);
    other.join().expect("it has not failed");
    assert_eq!(check(&sites), 3);
}

fn histogram() {
    let histogram = Arc::new(Histogram::new().expect("there is memory"));
    histogram.quantiles();
    histogram.record(1);
    let others: [fn(&Histogram); 2] = [
        |histogram| {
            run::on_cpu(1);
            histogram.record(9);
        },
        |histogram| histogram.reset(),
    ];
    let others = others.map(|other| {
        let histogram = histogram.clone();
        thread::spawn(move || other(&histogram))
    });
    let now = histogram.quantiles();
    assert!(now.count <= 2, "{}", now.count);
    assert!(now.p50 <= now.p99 && now.p99 <= now.max);
    others.map(|other| other.join().expect("it has not failed"));
}
