// SPDX-License-Identifier: GPL-2.0

//! One case for each cell of the table "data shared between" of `sync.rs`: the variant that the
//! table names holds, and the next weaker one is caught.
//!
//! The first context of a cell runs on two CPUs if there are two, the second on the first of them:
//! they meet on one CPU, where one interrupts the other, and on two.
//!
//! On `PREEMPT_RT` soft interrupts are threads, which wait for one another, and only raw locks are
//! for hard ones: what does not apply there is left out, or skipped if nothing is left.

use super::{
    cells_contexts::{
        queue_on, Bottom,
        Place::{self, BhWork, Hardirq, Process, Softirq},
        Visit, Visitor,
    },
    cells_meeting::{meet, Does, Part},
    cells_shared::{Alone, Keys, NoBh, NoIrq, NoPreempt, Nothing, Shared, Words},
    cpus::{needs_two_cpus, two_cpus},
    eventually, skip,
};
use childkernel::sync::{
    atomic::{Atomic, Relaxed},
    Mutex, RawSpinLock, RawSpinLockIrq, RwLock, RwLockBh, RwLockIrq, SeqLock, SeqLockBh,
    SeqLockIrq, SpinLock, SpinLockBh, SpinLockIrq,
};
use kernel::{prelude::*, sync::Arc, time::delay::udelay};

cases!(sync_cells:
    process_process,
    process_process_wrong_is_caught,
    process_softirq,
    process_softirq_wrong_is_caught,
    process_bh_work,
    process_bh_work_wrong_is_caught,
    process_hardirq,
    process_hardirq_wrong_is_caught,
    softirq_softirq,
    softirq_softirq_wrong_is_caught,
    softirq_bh_work,
    softirq_bh_work_wrong_is_caught,
    softirq_hardirq,
    softirq_hardirq_wrong_is_caught,
    bh_work_bh_work,
    bh_work_bh_work_wrong_is_caught,
    bh_work_same_work,
    bh_work_hardirq,
    bh_work_hardirq_wrong_is_caught,
    hardirq_hardirq,
    hardirq_hardirq_wrong_is_caught,
    preempt_off_alone,
    preempt_off_alone_is_caught,
    preempt_off_against_hardirq_is_caught,
    irq_off_alone,
    irq_off_alone_is_caught,
);

const RT: bool = cfg!(CONFIG_PREEMPT_RT);

/// Lock classes for one cell.
macro_rules! keys {
    () => {
        [kernel::static_lock_class!(), kernel::static_lock_class!()]
    };
}

/// `a` on two CPUs, `b` on the first of them.
fn parts(a: Place, b: Place, b_does: Does) -> Result<KVec<Part>> {
    let mut parts = KVec::new();
    let cpus = two_cpus()?;
    for &cpu in &cpus {
        parts.push(Part::new(a, cpu, Does::Adds), GFP_KERNEL)?;
    }
    let &first = cpus.first().ok_or(ENODEV)?;
    parts.push(Part::new(b, first, b_does), GFP_KERNEL)?;
    Ok(parts)
}

/// Nothing is lost, nobody would wait forever, though they come `often` in all.
fn holds<S: Shared>(keys: Keys, parts: KVec<Part>, often: u64) -> Result {
    // No need to go on once it has failed.
    let (met, enough) = meet::<S>(keys, parts, |met| {
        met.all_came() && met.came() >= often || met.stuck() + met.torn() > 0
    })?;
    ensure!(met.none_astray());
    ensure!(met.stuck() == 0);
    ensure!(met.torn() == 0);
    ensure!(met.is_exact());
    ensure!(enough);
    Ok(())
}

/// The variant is right between `a` and `b`.
fn is_right<S: Shared>(keys: Keys, a: Place, b: Place) -> Result {
    holds::<S>(keys, parts(a, b, Does::Adds)?, 0)
}

/// With this variant `b` finds `a` inside on its own CPU, where waiting would be forever.
fn would_hang<S: Shared>(keys: Keys, what: &str, a: Place, b: Place) -> Result {
    let (met, caught) = meet::<S>(keys, parts(a, b, Does::Looks)?, |met| met.stuck() > 0)?;
    ensure!(met.none_astray());
    ensure!(met.is_exact());
    ensure!(caught);
    let (a, b, n) = (a.name(), b.name(), met.came());
    pr_info!("{what} between {a} and {b}: deadlock caught after {n} operations\n");
    Ok(())
}

/// With this instead of a lock they get in each other's way, so that one sees half of what another
/// does; whether a count is lost as well is a matter of luck. Returns after how many operations.
fn collide<S: Shared>(what: &str, parts: KVec<Part>) -> Result<u64> {
    let (met, caught) = meet::<S>(keys!(), parts, |met| met.torn() > 0)?;
    ensure!(met.none_astray());
    ensure!(caught);
    let n = met.came();
    pr_info!("{what}: caught after {n} operations\n");
    Ok(n)
}

/// `a` and `b` on the same CPU.
fn on_one(a: Place, b: Place) -> Result<KVec<Part>> {
    let &cpu = two_cpus()?.first().ok_or(ENODEV)?;
    let mut parts = KVec::new();
    for place in [a, b] {
        parts.push(Part::new(place, cpu, Does::Adds), GFP_KERNEL)?;
    }
    Ok(parts)
}

/// Without a lock two CPUs are in the same place at once.
fn collide_on_both<S: Shared>(case: &str, what: &str, place: Place) -> Result {
    let mut parts = KVec::new();
    for cpu in needs_two_cpus(case)? {
        parts.push(Part::new(place, cpu, Does::Adds), GFP_KERNEL)?;
    }
    collide::<S>(what, parts).map(drop)
}

fn process_process() -> Result {
    is_right::<SpinLock<Words>>(keys!(), Process, Process)?;
    is_right::<Mutex<Words>>(keys!(), Process, Process)?;
    is_right::<RwLock<Words>>(keys!(), Process, Process)?;
    is_right::<SeqLock<Words>>(keys!(), Process, Process)
}

fn process_process_wrong_is_caught() -> Result {
    let case = "process_process_wrong_is_caught";
    collide_on_both::<Alone<Nothing>>(case, "no lock between process and process", Process)
}

fn process_softirq() -> Result {
    is_right::<SpinLockBh<Words>>(keys!(), Process, Softirq)?;
    is_right::<RwLockBh<Words>>(keys!(), Process, Softirq)?;
    is_right::<SeqLockBh<Words>>(keys!(), Process, Softirq)
}

fn process_softirq_wrong_is_caught() -> Result {
    if RT {
        return skip("process_softirq_wrong_is_caught", "softirqs are threads");
    }
    would_hang::<SpinLock<Words>>(keys!(), "SpinLock", Process, Softirq)?;
    would_hang::<RwLock<Words>>(keys!(), "RwLock", Process, Softirq)?;
    would_hang::<SeqLock<Words>>(keys!(), "SeqLock", Process, Softirq)
}

fn process_bh_work() -> Result {
    is_right::<SpinLockBh<Words>>(keys!(), Process, BhWork)?;
    is_right::<RwLockBh<Words>>(keys!(), Process, BhWork)?;
    is_right::<SeqLockBh<Words>>(keys!(), Process, BhWork)
}

fn process_bh_work_wrong_is_caught() -> Result {
    if RT {
        return skip("process_bh_work_wrong_is_caught", "softirqs are threads");
    }
    would_hang::<SpinLock<Words>>(keys!(), "SpinLock", Process, BhWork)?;
    would_hang::<RwLock<Words>>(keys!(), "RwLock", Process, BhWork)?;
    would_hang::<SeqLock<Words>>(keys!(), "SeqLock", Process, BhWork)
}

/// The variants for hard interrupts hold against them.
macro_rules! right_for_hardirq {
    ($place:ident) => {{
        is_right::<RawSpinLockIrq<Words>>(keys!(), $place, Hardirq)?;
        if !RT {
            is_right::<SpinLockIrq<Words>>(keys!(), $place, Hardirq)?;
            is_right::<RwLockIrq<Words>>(keys!(), $place, Hardirq)?;
            is_right::<SeqLockIrq<Words>>(keys!(), $place, Hardirq)?;
        }
        Ok(())
    }};
}

/// Those that leave interrupts on do not.
macro_rules! wrong_for_hardirq {
    ($place:ident) => {{
        would_hang::<RawSpinLock<Words>>(keys!(), "RawSpinLock", $place, Hardirq)?;
        if !RT {
            would_hang::<SpinLock<Words>>(keys!(), "SpinLock", $place, Hardirq)?;
            would_hang::<SpinLockBh<Words>>(keys!(), "SpinLockBh", $place, Hardirq)?;
            would_hang::<RwLockBh<Words>>(keys!(), "RwLockBh", $place, Hardirq)?;
            would_hang::<SeqLockBh<Words>>(keys!(), "SeqLockBh", $place, Hardirq)?;
        }
        Ok(())
    }};
}

fn process_hardirq() -> Result {
    right_for_hardirq!(Process)
}

fn process_hardirq_wrong_is_caught() -> Result {
    wrong_for_hardirq!(Process)
}

fn softirq_softirq() -> Result {
    is_right::<SpinLock<Words>>(keys!(), Softirq, Softirq)?;
    is_right::<RwLock<Words>>(keys!(), Softirq, Softirq)?;
    is_right::<SeqLock<Words>>(keys!(), Softirq, Softirq)
}

fn softirq_softirq_wrong_is_caught() -> Result {
    let case = "softirq_softirq_wrong_is_caught";
    collide_on_both::<Alone<NoBh>>(case, "bottom halves off between two softirqs", Softirq)
}

fn softirq_bh_work() -> Result {
    is_right::<SpinLock<Words>>(keys!(), Softirq, BhWork)?;
    is_right::<RwLock<Words>>(keys!(), Softirq, BhWork)?;
    is_right::<SeqLock<Words>>(keys!(), Softirq, BhWork)
}

fn softirq_bh_work_wrong_is_caught() -> Result {
    let [first, second] = needs_two_cpus("softirq_bh_work_wrong_is_caught")?;
    let mut parts = KVec::new();
    parts.push(Part::new(Softirq, first, Does::Adds), GFP_KERNEL)?;
    parts.push(Part::new(BhWork, second, Does::Adds), GFP_KERNEL)?;
    let what = "bottom halves off between softirq and bottom-half work";
    collide::<Alone<NoBh>>(what, parts)?;
    Ok(())
}

fn softirq_hardirq() -> Result {
    right_for_hardirq!(Softirq)
}

fn softirq_hardirq_wrong_is_caught() -> Result {
    wrong_for_hardirq!(Softirq)
}

fn bh_work_bh_work() -> Result {
    is_right::<SpinLock<Words>>(keys!(), BhWork, BhWork)?;
    is_right::<RwLock<Words>>(keys!(), BhWork, BhWork)?;
    is_right::<SeqLock<Words>>(keys!(), BhWork, BhWork)
}

fn bh_work_bh_work_wrong_is_caught() -> Result {
    let case = "bh_work_bh_work_wrong_is_caught";
    collide_on_both::<Alone<NoBh>>(case, "bottom halves off between two works", BhWork)
}

/// One work that two CPUs queue needs no lock against itself: it never runs twice at once.
fn bh_work_same_work() -> Result {
    struct Same {
        inside: Atomic<u32>,
        twice: Atomic<u64>,
        ran: Atomic<u64>,
    }

    impl Visit for Same {
        fn visit(&self, _: usize) {
            if self.inside.fetch_add(1, Relaxed) != 0 {
                self.twice.fetch_add(1, Relaxed);
            }
            udelay(BhWork.hold());
            self.inside.fetch_sub(1, Relaxed);
            self.ran.fetch_add(1, Relaxed);
        }
    }

    let same = Arc::new(
        Same {
            inside: Atomic::new(0),
            twice: Atomic::new(0),
            ran: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    let visitor = Visitor {
        what: same.clone(),
        index: 0,
    };
    let work = Bottom::new(visitor.clone())?;
    let mut children = KVec::new();
    for &cpu in &two_cpus()? {
        let child = queue_on(cpu, visitor.clone(), work.clone())?;
        children.push(child, GFP_KERNEL)?;
    }
    let enough = eventually(|| same.ran.load(Relaxed) >= 400);
    for child in &children {
        child.stop();
    }
    ensure!(work.has_ended());
    ensure!(enough);
    ensure!(same.twice.load(Relaxed) == 0);
    Ok(())
}

fn bh_work_hardirq() -> Result {
    right_for_hardirq!(BhWork)
}

fn bh_work_hardirq_wrong_is_caught() -> Result {
    wrong_for_hardirq!(BhWork)
}

fn hardirq_hardirq() -> Result {
    right_for_hardirq!(Hardirq)
}

fn hardirq_hardirq_wrong_is_caught() -> Result {
    let case = "hardirq_hardirq_wrong_is_caught";
    collide_on_both::<Alone<NoIrq>>(case, "interrupts off between two hardirqs", Hardirq)
}

/// On one CPU it is enough that nobody takes that CPU away.
fn preempt_off_alone() -> Result {
    let mut often = 0;
    // Where a thread may be preempted in the kernel, it is not enough to be on one CPU. No interrupt
    // of User Mode Linux does that, whatever it is configured for.
    if cfg!(CONFIG_PREEMPTION) && !cfg!(CONFIG_UML) {
        often = collide::<Alone<Nothing>>("no lock on one CPU", on_one(Process, Process)?)?;
    }
    holds::<Alone<NoPreempt>>(keys!(), on_one(Process, Process)?, 10 * often)
}

fn preempt_off_alone_is_caught() -> Result {
    let case = "preempt_off_alone_is_caught";
    collide_on_both::<Alone<NoPreempt>>(case, "preemption off on two CPUs", Process)
}

/// What keeps threads away does not keep interrupts away.
fn preempt_off_against_hardirq_is_caught() -> Result {
    let what = "preemption off against a hardirq of this CPU";
    collide::<Alone<NoPreempt>>(what, on_one(Process, Hardirq)?)?;
    Ok(())
}

/// On one CPU it is enough that nothing interrupts.
fn irq_off_alone() -> Result {
    holds::<Alone<NoIrq>>(keys!(), on_one(Process, Hardirq)?, 0)
}

fn irq_off_alone_is_caught() -> Result {
    let case = "irq_off_alone_is_caught";
    collide_on_both::<Alone<NoIrq>>(case, "interrupts off on two CPUs", Process)
}
