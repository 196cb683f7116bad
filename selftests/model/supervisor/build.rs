// SPDX-License-Identifier: GPL-2.0

//! Makes the mutants: all sources of the supervisor once more for each, with one mistake in one.

use std::{env, fmt::Write, fs, path::Path};

/// A mistake, and what has to find it.
struct Mutant {
    name: &'static str,
    file: &'static str,
    right: &'static str,
    wrong: &'static str,
    breaks: &'static str,
}

const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "limit_one_more",
        file: "restart.rs",
        right: "recent >= self.rules.limit",
        wrong: "recent > self.rules.limit",
        breaks: "beyond its limit",
    },
    Mutant {
        name: "restart_not_noted",
        file: "restart.rs",
        right: "self.made = self.made.wrapping_add(1);",
        wrong: "",
        breaks: "beyond its limit",
    },
    Mutant {
        name: "budget_not_asked",
        file: "restart.rs",
        right: "(end == Severity::Crashed && !budget())",
        wrong: "false",
        breaks: "beyond the budget",
    },
    Mutant {
        name: "deaths_not_counted",
        file: "budget.rs",
        right: "self.oopses.fetch_add(deaths, Relaxed);",
        wrong: "",
        breaks: "beyond the budget",
    },
    Mutant {
        name: "quarantine_not_asked",
        file: "body.rs",
        right: "budget.allows_crash() && (self.given_up.is_none() || budget.has_room())",
        wrong: "budget.allows_crash()",
        breaks: "beyond the quarantine",
    },
    Mutant {
        name: "backoff_not_waited_for",
        file: "body.rs",
        right: "record.state() == State::Backoff && record.now() >= self.due",
        wrong: "record.state() == State::Backoff",
        breaks: "before its time",
    },
    Mutant {
        name: "given_up_is_not_stopped",
        file: "body/quarantine.rs",
        right: "record.transition(State::Quarantined);",
        wrong: "record.transition(State::Stopped);",
        breaks: "two live generations",
    },
    Mutant {
        name: "still_wanted_when_stopped",
        file: "body.rs",
        right: "self.wanted = false;",
        wrong: "",
        breaks: "started again though it was asked to end",
    },
    Mutant {
        name: "joined_before_it_has_exited",
        file: "body.rs",
        right: "if may_wait || live.has_exited() {",
        wrong: "{",
        breaks: "waits for thread",
    },
    Mutant {
        name: "joined_while_one_runs",
        file: "generation.rs",
        right: "self.life.alive() == 0 && self.threads.iter().all(Thread::has_exited)",
        wrong: "self.threads.iter().any(Thread::has_exited)",
        breaks: "waits for thread",
    },
    Mutant {
        name: "freed_in_quarantine",
        file: "body/quarantine.rs",
        right: "push(&mut self.given_up, live);",
        wrong: "unsafe { live.life.arena.clear() }; push(&mut self.given_up, live);",
        breaks: "in use and freed",
    },
    Mutant {
        name: "quarantine_without_owner",
        file: "body/quarantine.rs",
        right: "live.pin = Some(pin);",
        wrong: "drop(pin);",
        breaks: "not held: the module",
    },
    Mutant {
        name: "told_too_early",
        file: "body.rs",
        right:
            "if record.transition(State::Backoff) {\n                    return;\n                }",
        wrong: "record.transition(State::Backoff);",
        breaks: "told of its end while it runs",
    },
];

const SOURCES: &[&str] = &[
    "body.rs",
    "body/leftovers.rs",
    "body/quarantine.rs",
    "budget.rs",
    "deputy.rs",
    "generation.rs",
    "identity.rs",
    "life.rs",
    "pulse.rs",
    "restart.rs",
    "state.rs",
];
const STANDINS: &[&str] = &[
    "arena.rs",
    "drive.rs",
    "history.rs",
    "record.rs",
    "run.rs",
    "thread.rs",
    "watch.rs",
];

fn read(path: &Path) -> String {
    println!("cargo::rerun-if-changed={}", path.display());
    fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn main() {
    let here = env::var("CARGO_MANIFEST_DIR").expect("cargo says where it is");
    let out = env::var("OUT_DIR").expect("cargo says where to write");
    let (here, out) = (Path::new(&here), Path::new(&out));
    let (sources, standins) = (here.join("../../../src/child"), here.join("src/stand"));
    let (mut trees, mut list) = (String::new(), String::new());
    for mutant in MUTANTS {
        let Mutant { name, breaks, .. } = mutant;
        let dir = out.join(name);
        fs::create_dir_all(dir.join("body")).expect("there is room");
        let files = SOURCES.iter().map(|file| (&sources, file));
        for (from, file) in files.chain(STANDINS.iter().map(|file| (&standins, file))) {
            let mut text = read(&from.join(file));
            if *file == mutant.file {
                assert_eq!(
                    text.matches(mutant.right).count(),
                    1,
                    "mutant {name}: src/child/{file} does not say once: {}",
                    mutant.right
                );
                text = text.replace(mutant.right, mutant.wrong);
            }
            if mutant.wrong.contains("unsafe") {
                text = text.replace("#![deny(unsafe_code)]", "");
            }
            let text = text.replace("crate::child", &format!("crate::{name}::child"));
            fs::write(dir.join(file), text).expect("there is room");
        }
        let modules: String = SOURCES
            .iter()
            .chain(STANDINS)
            .filter(|file| !file.contains('/'))
            .map(|file| format!("pub mod {};", file.trim_end_matches(".rs")))
            .collect();
        let dir = dir.display();
        let _ = writeln!(
            trees,
            "#[allow(warnings)] mod {name} {{ #[path = \"{dir}\"] pub mod child {{ {modules} }} }}"
        );
        let _ = writeln!(
            list,
            "Mutant {{ name: \"{name}\", breaks: \"{breaks}\", run: {name}::child::drive::check }},"
        );
    }
    let all = format!("{trees}const MUTANTS: &[Mutant] = &[{list}];");
    fs::write(out.join("mutants.rs"), all).expect("there is room");
}
