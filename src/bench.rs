// SPDX-License-Identifier: GPL-2.0

//! Benchmarks: what each primitive costs here, and what the same costs in C.
//!
//! Only in builds with `BENCH=1` (`CONFIG_CHILDKERNEL_BENCH`). The parameter `bench` names a suite;
//! a child kernel runs it once the machine has settled, and writes what it measures to the log, one
//! [`record`] a line.
//!
//! | suite | counts | for |
//! |---|---|---|
//! | `exact` | cycles of the processor's counter, which are instructions where an emulator counts them | one processor, nothing contended |
//! | `native`, `real` | nanoseconds | all processors there are |
//!
//! C header: `src/bench/bench.h`, for the C twins
#![deny(unsafe_code)]

use crate::child::{Builder, Context, Handle};
use clock::Clock;
use kernel::{fmt, prelude::*, ModuleMetadata, ThisModule};
use pair::{Pair, Rounds};
use record::Record;

mod children;
mod clock;
mod contended;
mod counted;
mod crossover;
#[allow(unsafe_code)]
mod ffi;
mod floor;
mod granularity;
mod guarded;
mod handover;
mod loads;
mod locks;
mod messages;
mod messages_alone;
mod ordered;
mod pair;
mod race;
mod record;
mod roundtrip;
mod shared;
mod table;
mod threads;
mod waits;

/// So long a machine that has just booted, or loaded the module, is left alone, in ms.
const SETTLE_MS: u32 = 3_000;

/// Whose children measure, and are measured.
const MODULE: &ThisModule = &crate::ChildKernel::THIS_MODULE;

/// A suite.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Suite {
    Exact,
    Native,
    Real,
}

const SUITES: [(&str, Suite); 3] = [
    ("exact", Suite::Exact),
    ("native", Suite::Native),
    ("real", Suite::Real),
];

impl Suite {
    /// What the parameter says: a suite, or none.
    fn from_word(word: &str) -> Result<Option<Self>> {
        if word.is_empty() {
            return Ok(None);
        }
        let found = SUITES.iter().find(|(name, _)| *name == word);
        if found.is_none() {
            pr_err!("bench={word:.64}: valid are exact, native, real\n");
        }
        found.map(|(_, suite)| Some(*suite)).ok_or(EINVAL)
    }

    fn name(self) -> &'static str {
        SUITES
            .iter()
            .find(|(_, suite)| *suite == self)
            .map_or("?", |(name, _)| *name)
    }

    fn clock(self) -> Clock {
        match self {
            Self::Exact => Clock::Cycles,
            Self::Native | Self::Real => Clock::Time,
        }
    }
}

/// A run: what is measured, and how.
struct Run<'a, 'c> {
    suite: Suite,
    /// A first look is enough.
    quick: bool,
    /// Whose children work here.
    module: &'static ThisModule,
    /// The child that measures.
    ctx: &'a mut Context<'c>,
    /// What the C twins work on.
    subject: &'a ffi::Subject,
}

impl Run<'_, '_> {
    /// Rounds that are short enough for most of them not to meet a timer's interrupt.
    fn rounds(&self) -> Rounds {
        Rounds {
            clock: self.suite.clock(),
            rounds: pair::ROUNDS_MAX,
            ops: match self.suite {
                Suite::Exact => 1_000,
                Suite::Native | Suite::Real if self.quick => 4_000,
                Suite::Native | Suite::Real => 20_000,
            },
        }
    }

    /// Whether this suite has curves: time means something, and there may be several CPUs.
    fn has_curves(&self) -> bool {
        self.suite != Suite::Exact
    }

    /// Says what could not be measured.
    fn skip(&self, name: &str, why: Error) {
        record::write(&Record::Skip { name, why });
    }
}

/// A part of a suite.
struct Stage {
    /// What the parameter `bench_only` calls it.
    name: &'static str,
    /// How many records it writes.
    figures: fn(&Run<'_, '_>) -> usize,
    /// Writes them. It looks at [`Context::should_stop`] between two of them.
    measure: fn(&mut Run<'_, '_>),
}

/// All of them, in their order.
static STAGES: &[Stage] = &[
    Stage {
        name: "floor",
        figures: |_| floor::FIGURES,
        measure: floor::measure,
    },
    Stage {
        name: "pairs",
        figures: |_| pairs().count(),
        measure: measure_pairs,
    },
    Stage {
        name: "statistics",
        figures: |_| counted::FIGURES,
        measure: counted::measure,
    },
    Stage {
        name: "loads",
        figures: loads::figures,
        measure: loads::measure,
    },
    Stage {
        name: "contended",
        figures: contended::figures,
        measure: contended::measure,
    },
    Stage {
        name: "handover",
        figures: handover::figures,
        measure: handover::measure,
    },
    Stage {
        name: "crossover",
        figures: crossover::figures,
        measure: crossover::measure,
    },
    Stage {
        name: "guarded",
        figures: guarded::figures,
        measure: guarded::measure,
    },
    Stage {
        name: "granularity",
        figures: granularity::figures,
        measure: granularity::measure,
    },
    Stage {
        name: "messages",
        figures: messages::figures,
        measure: messages::measure,
    },
    Stage {
        name: "roundtrip",
        figures: roundtrip::figures,
        measure: roundtrip::measure,
    },
    // The last one, as it may crash.
    Stage {
        name: "children",
        figures: children::figures,
        measure: children::measure,
    },
];

/// The names of all stages, for the log.
struct StageNames;

impl fmt::Display for StageNames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, stage) in STAGES.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            f.write_fmt(fmt!("{comma}{}", stage.name))?;
        }
        Ok(())
    }
}

/// The stages that a comma list names: all of them if it is empty.
fn stages(only: &'static str) -> impl Iterator<Item = &'static Stage> {
    STAGES
        .iter()
        .filter(move |stage| only.is_empty() || only.split(',').any(|word| word == stage.name))
}

/// Refuses a list that names what is no stage.
fn check_stages(only: &str) -> Result {
    let known = |word: &str| STAGES.iter().any(|stage| stage.name == word);
    if !only.is_empty() && !only.split(',').all(known) {
        pr_err!("bench_only={only:.64}: valid are lists of {StageNames}\n");
        return Err(EINVAL);
    }
    Ok(())
}

/// All pairs.
fn pairs() -> impl Iterator<Item = &'static Pair> {
    [
        locks::ATOMICS,
        locks::SPINNING,
        locks::SLEEPING,
        locks::SEQUENCES,
        locks::PUBLISHED,
        ordered::PAIRS,
        loads::MEMORY,
        loads::TABLE,
        messages_alone::PAIRS,
    ]
    .into_iter()
    .flatten()
}

fn measure_pairs(run: &mut Run<'_, '_>) {
    measure_all(run, pairs());
}

fn measure_all(run: &mut Run<'_, '_>, pairs: impl IntoIterator<Item = &'static Pair>) {
    measure_in(run, run.rounds(), pairs);
}

fn measure_in(
    run: &mut Run<'_, '_>,
    rounds: Rounds,
    pairs: impl IntoIterator<Item = &'static Pair>,
) {
    for pair in pairs {
        if run.ctx.should_stop() {
            return;
        }
        if let Err(why) = pair::measure(pair, rounds, run.subject) {
            run.skip(pair.name, why);
        }
    }
}

/// A run. Dropping it ends it after the figure that is being measured.
pub(crate) struct Bench {
    _child: Option<Handle>,
}

impl Bench {
    /// Starts what the parameter `bench` says.
    ///
    /// # Errors
    ///
    /// `EINVAL`, after one line in the log that names what is valid; those of
    /// [`Builder::spawn`](crate::child::Builder::spawn).
    pub(crate) fn start(module: &'static ThisModule) -> Result<Self> {
        check_stages(ffi::param_only())?;
        let child = match Suite::from_word(ffi::param())? {
            Some(suite) => {
                let child = Builder::new(module, c"bench");
                Some(child.spawn(move |ctx| run(suite, module, ctx))?)
            }
            None => None,
        };
        Ok(Self { _child: child })
    }
}

/// How many CPUs are online.
fn online() -> usize {
    (0..kernel::cpu::nr_cpu_ids())
        .filter(|cpu| crate::ffi::cpu_online(*cpu))
        .count()
}

/// Measures one figure after the other. One that fails is told of, and the next one follows.
fn run(suite: Suite, module: &'static ThisModule, ctx: &mut Context<'_>) -> Result {
    ctx.sleep(SETTLE_MS);
    let subject = ffi::Subject::new()?;
    let only = ffi::param_only();
    let mut run = Run {
        suite,
        quick: ffi::param_quick(),
        module,
        ctx,
        subject: &subject,
    };
    record::write(&Record::Begin {
        suite: suite.name(),
        unit: suite.clock().unit(),
        cpus: online(),
        figures: stages(only).map(|stage| (stage.figures)(&run)).sum(),
    });
    for stage in stages(only) {
        (stage.measure)(&mut run);
        if run.ctx.should_stop() {
            return Ok(());
        }
    }
    record::write(&Record::End {
        suite: suite.name(),
    });
    Ok(())
}
