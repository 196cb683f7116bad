// SPDX-License-Identifier: GPL-2.0

//! Torture: primitives and protocols, used as badly as they may be, and their broken twins, used in
//! the same way.
//!
//! Only in builds with `TORTURE=1` (`CONFIG_CHILDKERNEL_TORTURE`). The parameter `torture` names
//! subjects; a child kernel has each used by the threads of another child and, where the subject is
//! for that, by timers in soft and hard interrupts: readers and writers in all mixes, with delays at
//! bad moments, threads that move between CPUs, and children that end in errors or crash meanwhile.
//!
//! Each subject checks itself. Whether its checks notice anything is proven by its twins, each with
//! one mistake that a person would make: they are checked in the same way, and each has to be
//! caught. Memory is never freed early: what a twin frees is poisoned.
//!
//! C header: `src/torture/torture.h`
#![deny(unsafe_code)]

use crate::{
    child::{Builder, Context, Handle},
    ffi::param::in_range,
    sync::atomic::{Atomic, Relaxed},
};
use bout::{Bout, Unrest};
use kernel::{
    fmt,
    prelude::*,
    sync::Arc,
    time::{Instant, Monotonic},
    ModuleMetadata, ThisModule,
};
use mistake::Mistake;
use outcome::Outcome;
use random::Random;
use record::Record;

mod actor;
mod arenas;
mod barriers;
mod bout;
mod counts;
#[allow(unsafe_code)]
mod ffi;
mod handles;
mod locks;
mod mail;
mod mistake;
mod order;
mod outcome;
mod pool;
mod published;
mod random;
mod record;
mod sequences;
mod signals;
mod snapshot;
mod witness;

use actor::Actor;

/// Whose children do all this.
const MODULE: &ThisModule = &crate::ChildKernel::THIS_MODULE;

/// How long a machine that has just booted is left alone, in ms.
const SETTLE_MS: u32 = 500;
/// How long a twin is used until it is caught, in ms, at most.
const TWIN_MS: i64 = 30_000;
/// How long something sound is used at a time, in ms: at least, and how much longer at most.
const SOUND_MS: (u32, u64) = (100, 200);
/// The most children that may crash.
const CRASHES_MAX: i64 = 50;

/// What is tortured. All of it is used at once, by any number of threads and interrupts.
trait Subject: Send + Sync {
    /// Does an operation, in one of the contexts that it is for, and checks what it sees.
    fn act(&self, actor: &mut Actor<'_>);

    /// Checks what shows only when all is quiet.
    fn settle(&self, _: &mut Actor<'_>) {}
}

/// Where a subject is used, besides in process context.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Contexts {
    Process,
    Softirq,
    Hardirq,
}

/// What a subject is made for.
struct Setup {
    mistake: Option<Mistake>,
    /// How many threads there are.
    threads: usize,
}

/// A subject and its twins.
struct Entry {
    name: &'static str,
    contexts: Contexts,
    /// Whether it takes two CPUs for a twin that keeps the only one for itself to be noticed.
    spins: bool,
    twins: &'static [Mistake],
    make: fn(&Setup) -> Result<Arc<dyn Subject>>,
}

/// All of them.
fn entries() -> impl Iterator<Item = &'static Entry> + Clone {
    [
        locks::ENTRIES,
        order::ENTRIES,
        sequences::ENTRIES,
        published::ENTRIES,
        signals::ENTRIES,
        counts::ENTRIES,
        barriers::ENTRIES,
        mail::ENTRIES,
        arenas::ENTRIES,
        handles::ENTRIES,
        snapshot::ENTRIES,
    ]
    .into_iter()
    .flatten()
}

/// Their names, for the log.
struct Names;

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("all")?;
        for entry in entries() {
            f.write_fmt(fmt!(", {}", entry.name))?;
        }
        Ok(())
    }
}

/// What the parameters say.
struct Scope {
    words: &'static str,
    sound: bool,
    twins: bool,
    seconds: u32,
    seed: u64,
    crashes: u32,
}

impl Scope {
    /// `None` if nothing is to be done.
    ///
    /// # Errors
    ///
    /// `EINVAL`, after one line in the log that names what is valid.
    fn from_params() -> Result<Option<Self>> {
        let words = ffi::param();
        let known = |word| word == "all" || entries().any(|entry| entry.name == word);
        if !words.is_empty() && !words.split(',').all(known) {
            pr_err!("torture={words}: valid are {Names}, or several with commas\n");
            return Err(EINVAL);
        }
        let (sound, twins) = match ffi::param_mode() {
            "sound" => (true, false),
            "twins" => (false, true),
            "both" => (true, true),
            word => {
                pr_err!("torture_mode={word}: valid are sound, twins, both\n");
                return Err(EINVAL);
            }
        };
        let seconds = in_range("torture_seconds", ffi::param_seconds(), 1, 86_400)?;
        let seed = in_range("torture_seed", ffi::param_seed(), 0, i64::MAX)?;
        let most = match cfg!(CONFIG_CHILDKERNEL_FAULTS) {
            true => CRASHES_MAX,
            false => 0,
        };
        let crashes = in_range("torture_crashes", ffi::param_crashes(), 0, most)?;
        Ok((!words.is_empty()).then_some(Self {
            words,
            sound,
            twins,
            seconds: seconds as u32,
            seed: seed as u64,
            crashes: crashes as u32,
        }))
    }

    fn entries(&self) -> impl Iterator<Item = &'static Entry> + Clone {
        let words = self.words;
        entries().filter(move |entry| {
            let mut words = words.split(',');
            words.any(|word| word == "all" || word == entry.name)
        })
    }
}

/// A run. Dropping it ends it.
pub(crate) struct Torture {
    _child: Option<Handle>,
}

impl Torture {
    /// Starts what the parameter `torture` says.
    ///
    /// # Errors
    ///
    /// `EINVAL`, after one line in the log that names what is valid; those of [`Builder::spawn`].
    pub(crate) fn start(module: &'static ThisModule) -> Result<Self> {
        let child = match Scope::from_params()? {
            Some(scope) => {
                let seed = Atomic::new(scope.seed);
                let child = Builder::new(module, c"torture");
                Some(child.spawn(move |ctx| run(&scope, &seed, ctx))?)
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

/// A run that has begun.
struct Run<'a, 'c> {
    ctx: &'a mut Context<'c>,
    random: Random,
    threads: usize,
    unrest: Unrest,
}

fn run(scope: &Scope, seed: &Atomic<u64>, ctx: &mut Context<'_>) -> Result {
    ctx.sleep(SETTLE_MS);
    if scope.seed == 0 {
        seed.store(ffi::any_seed(), Relaxed);
    }
    let cpus = online();
    let mut run = Run {
        ctx,
        random: Random::new(seed.load(Relaxed), 0),
        threads: cpus.saturating_mul(2).clamp(4, 16),
        unrest: Unrest::new(scope.crashes)?,
    };
    record::write(&Record::Begin {
        scope,
        seed: seed.load(Relaxed),
        cpus,
        subjects: match scope.sound {
            true => scope.entries().count(),
            false => 0,
        },
        twins: match scope.twins {
            true => scope.entries().map(|entry| entry.twins.len()).sum(),
            false => 0,
        },
    });
    if scope.twins {
        for entry in scope.entries() {
            for mistake in entry.twins {
                run.twin(entry, *mistake);
            }
        }
    }
    if scope.sound && !run.ctx.should_stop() {
        record::write(&Record::Sound);
        run.sound(scope)?;
    }
    if !run.ctx.should_stop() {
        record::write(&Record::End);
    }
    Ok(())
}

impl Run<'_, '_> {
    fn bout(
        &mut self,
        entry: &'static Entry,
        mistake: Option<Mistake>,
        ms: u32,
    ) -> Result<Outcome> {
        let setup = Setup {
            mistake,
            threads: self.threads,
        };
        let seed = self.random.next() << 32 | self.random.next();
        Bout::run(self.ctx, entry, &setup, seed, ms, &mut self.unrest)
    }

    /// Uses a twin until it is caught, or there is no more patience.
    fn twin(&mut self, entry: &'static Entry, mistake: Mistake) {
        let needs = if entry.spins && mistake.needs_two_cpus() && online() < 2 {
            Some("needs two processors")
        } else if mistake.needs_interrupts() && cfg!(CONFIG_PREEMPT_RT) {
            Some("needs interrupts that are no threads")
        } else {
            None
        };
        if let Some(why) = needs {
            record::write(&Record::Skip {
                subject: entry.name,
                mistake,
                why,
            });
            return;
        }
        let began = Instant::<Monotonic>::now();
        let outcome = Outcome::new(self.threads).and_then(|mut outcome| {
            while began.elapsed().as_millis() < TWIN_MS {
                outcome.add(&self.bout(entry, Some(mistake), mistake.bout_ms())?);
                if outcome.wrongs.any() || self.ctx.should_stop() {
                    break;
                }
            }
            Ok(outcome)
        });
        if self.ctx.should_stop() {
            return;
        }
        match &outcome {
            Ok(outcome) => record::write(&Record::Twin {
                subject: entry.name,
                mistake,
                outcome,
                ms: began.elapsed().as_millis(),
            }),
            Err(why) => record::write(&Record::Failed {
                subject: entry.name,
                why: *why,
            }),
        }
    }

    /// Uses all that is sound, in turn and in another order each time, until the time is over and
    /// each has had its turn.
    fn sound(&mut self, scope: &Scope) -> Result {
        let mut all = KVec::new();
        for entry in scope.entries() {
            all.push((entry, Outcome::new(self.threads)?), GFP_KERNEL)?;
        }
        let began = Instant::<Monotonic>::now();
        let late = || began.elapsed().as_nanos() > i64::from(scope.seconds) * 1_000_000_000;
        let mut first = true;
        while first || !late() {
            for i in (1..all.len()).rev() {
                all.swap(i, self.random.below(i as u64 + 1) as usize);
            }
            for (entry, outcome) in &mut all {
                if self.ctx.should_stop() {
                    return Ok(());
                }
                if !first && late() {
                    break;
                }
                let ms = SOUND_MS.0 + self.random.below(SOUND_MS.1) as u32;
                match self.bout(entry, None, ms) {
                    Ok(bout) => outcome.add(&bout),
                    Err(why) => record::write(&Record::Failed {
                        subject: entry.name,
                        why,
                    }),
                }
            }
            first = false;
        }
        for entry in scope.entries() {
            if let Some((_, outcome)) = all.iter().find(|(e, _)| core::ptr::eq(*e, entry)) {
                record::write(&Record::Subject {
                    name: entry.name,
                    outcome,
                });
            }
        }
        record::write(&Record::Children {
            errors: self.unrest.errors(),
            crashes: self.unrest.crashes(),
        });
        Ok(())
    }
}
