// SPDX-License-Identifier: GPL-2.0

//! Each primitive contended, in Rust and in C: how much is done, who has to wait for how long, and
//! whether all get their share.
#![deny(unsafe_code)]

use super::{
    ffi::{contended as c, Contended, Subject},
    race::{self, InC, Outcome, Racer, Rules, Spin},
    record::{self, Record},
    shared, Run,
};
use crate::stats::json::List;
use kernel::{fmt, prelude::*, sync::Arc};

/// A primitive.
pub(super) struct Primitive {
    pub(super) name: &'static str,
    /// Whether who writes keeps all others out, who wait meanwhile.
    pub(super) excludes: bool,
    /// Whether there are those that only read, and share it.
    readers: bool,
    /// Whether interrupts are off from asking for it to having released it.
    irqs_off: bool,
    rust: fn() -> Result<Arc<dyn Racer>>,
    c: &'static Contended,
}

macro_rules! primitives {
    ($($name:literal, $excludes:literal, $readers:literal, $irqs_off:literal, $rust:expr,
       $c:expr;)*) => {
        &[$(Primitive {
            name: $name,
            excludes: $excludes,
            readers: $readers,
            irqs_off: $irqs_off,
            rust: $rust,
            c: &$c,
        }),*]
    };
}

pub(super) static PRIMITIVES: &[Primitive] = primitives! {
    "spinlock", true, false, false, shared::spinlock::<1>, c::SPINLOCK;
    "spinlock_irq", true, false, true, shared::spinlock_irq::<1>, c::SPINLOCK_IRQ;
    "raw_spinlock", true, false, false, shared::raw_spinlock::<1>, c::RAW_SPINLOCK;
    "resilient", true, false, false, shared::resilient::<1>, c::RESILIENT;
    "mutex", true, false, false, shared::mutex::<1>, c::MUTEX;
    "semaphore", true, false, false, shared::semaphore::<1>, c::SEMAPHORE;
    "bitlock", true, false, false, shared::bitlock::<1>, c::BITLOCK;
    "atomic_cas", false, false, false, shared::atomic_cas, c::ATOMIC_CAS;
    "percpu", false, false, false, shared::percpu, c::PERCPU;
    "rwlock", true, true, false, shared::rwlock::<1>, c::RWLOCK;
    "rwlock_irq", true, true, true, shared::rwlock_irq::<1>, c::RWLOCK_IRQ;
    "rwsem", true, true, false, shared::rwsem::<1>, c::RWSEM;
    "percpu_rwsem", true, true, false, shared::percpu_rwsem::<1>, c::PERCPU_RWSEM;
    "seqlock", true, true, false, shared::seqlock::<1>, c::SEQLOCK;
};

/// Which points there are.
struct Grid {
    holds: &'static [u64],
    reads: &'static [u32],
    repeats: usize,
    ms: u32,
}

static FULL: Grid = Grid {
    holds: &[0, 100, 1_000, 10_000],
    reads: &[50, 90, 95, 99, 100],
    repeats: 3,
    ms: 50,
};
static QUICK: Grid = Grid {
    holds: &[0, 1_000],
    reads: &[50, 95, 100],
    repeats: 1,
    ms: 12,
};

impl Grid {
    fn of(run: &Run<'_, '_>) -> &'static Self {
        if run.quick {
            &QUICK
        } else {
            &FULL
        }
    }

    /// Read shares of a primitive: none of one that has no readers.
    fn reads(&self, primitive: &Primitive) -> &'static [u32] {
        if primitive.readers {
            self.reads
        } else {
            &[0]
        }
    }
}

/// 1, 2, 3 and 4 CPUs, then powers of two, and all of them.
fn numbers_of_cpus() -> impl Iterator<Item = usize> {
    let all = race::all_cpus();
    (1..=all).filter(move |n| *n <= 4 || n.is_power_of_two() || *n == all)
}

/// How many records [`measure`] writes.
pub(super) fn figures(run: &Run<'_, '_>) -> usize {
    if !run.has_curves() {
        return 0;
    }
    let grid = Grid::of(run);
    let points =
        |primitive| numbers_of_cpus().count() * grid.holds.len() * grid.reads(primitive).len();
    PRIMITIVES.iter().map(points).sum::<usize>() * grid.repeats * 2
}

/// The two sides of a primitive.
pub(super) type Sides = [(&'static str, Arc<dyn Racer>); 2];

/// Makes both.
pub(super) fn sides(primitive: &Primitive, subject: &Arc<Subject>) -> Result<Sides> {
    let c = InC {
        subject: subject.clone(),
        twin: primitive.c,
    };
    let c: Arc<dyn Racer> = Arc::new(c, GFP_KERNEL)?;
    Ok([("rust", (primitive.rust)()?), ("c", c)])
}

/// Whose turn it is: Rust, C, C, Rust, ...
pub(super) fn turn(sides: &Sides, repeat: usize) -> Result<&(&'static str, Arc<dyn Racer>)> {
    let second = repeat % 4 == 1 || repeat % 4 == 2;
    sides.get(usize::from(second)).ok_or(EINVAL)
}

/// Measures all points.
pub(super) fn measure(run: &mut Run<'_, '_>) {
    if !run.has_curves() {
        return;
    }
    let grid = Grid::of(run);
    let spin = Spin::measure();
    let subject = Subject::new().and_then(|subject| Ok(Arc::new(subject, GFP_KERNEL)?));
    for primitive in PRIMITIVES {
        let sides = subject
            .as_ref()
            .map_err(|why| *why)
            .and_then(|subject| sides(primitive, subject));
        for &read in grid.reads(primitive) {
            for &hold in grid.holds {
                for cpus in numbers_of_cpus() {
                    let rules = Rules {
                        cpus,
                        read,
                        hold: spin.loops(hold),
                        ms: grid.ms,
                        handover: false,
                    };
                    for repeat in 0..grid.repeats * 2 {
                        if run.ctx.should_stop() {
                            return;
                        }
                        let went = match &sides {
                            Ok(sides) => turn(sides, repeat)
                                .and_then(|side| point(run, primitive, side, rules, hold)),
                            Err(why) => Err(*why),
                        };
                        if let Err(why) = went {
                            run.skip(primitive.name, why);
                        }
                    }
                }
            }
        }
    }
}

fn point(
    run: &mut Run<'_, '_>,
    primitive: &Primitive,
    (side, racer): &(&'static str, Arc<dyn Racer>),
    rules: Rules,
    hold: u64,
) -> Result {
    let outcome = race::race(run, racer.clone(), rules)?;
    record::write(&Record::Point {
        curve: "contended",
        fields: fmt!(
            "\"primitive\":\"{}\",\"side\":\"{side}\",\"cpus\":{},\"hold\":{hold},{}",
            primitive.name,
            rules.cpus,
            Fields {
                primitive,
                rules,
                outcome: &outcome
            }
        ),
    });
    Ok(())
}

/// What was seen, as a record has it.
struct Fields<'a> {
    primitive: &'a Primitive,
    rules: Rules,
    outcome: &'a Outcome,
}

impl fmt::Display for Fields<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { ns, each, sum } = self.outcome;
        if self.primitive.readers {
            f.write_fmt(fmt!(
                "\"read\":{},\"reads\":{},\"writes\":{},\"wait_read\":{},\"wait_write\":{},",
                self.rules.read,
                sum.reads,
                sum.writes,
                sum.wait_read,
                sum.wait_write
            ))?;
        } else {
            f.write_str("\"read\":null,")?;
        }
        f.write_fmt(fmt!(
            "\"ns\":{ns},\"each\":[{}],\"wait\":{},\"starve\":{},\"switches\":{},",
            List(each),
            sum.wait,
            sum.starve,
            sum.switches
        ))?;
        if self.primitive.irqs_off {
            f.write_fmt(fmt!("\"irqsoff\":{}", sum.longest))
        } else {
            f.write_str("\"irqsoff\":null")
        }
    }
}
