// SPDX-License-Identifier: GPL-2.0

//! How the lending of a region ends: who is kept out and waited for, and when the pages go back.

use super::{
    a_while, eventually, is_done,
    lose::lose,
    regions::{page_at, region, sevens},
    skip, spawn,
    timers::{Hard, HardUnlessRt, Interrupt},
    MODULE,
};
use childkernel::{
    child::{
        region::{pages, quarantined_pages, ReadWord},
        Builder, Context, Handle, ReadOnly, ReadWrite, Shared, State,
    },
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        new_spinlock_irq, SpinLockIrq,
    },
};
use kernel::{
    new_mutex,
    page::PAGE_SIZE,
    prelude::*,
    sync::{Arc, Mutex},
    time::Delta,
};

cases!(child_revocation:
    region_refused_after_revoke,
    region_unmapped,
    region_given_back,
    region_revoke_waits,
    region_revoke_times_out,
    region_viewed_after_drop,
    region_forgotten_view,
    region_from_interrupt,
    region_goes_in_interrupt,
    region_storm,
);

fn flag() -> Result<Arc<Atomic<bool>>> {
    Ok(Arc::new(Atomic::<bool>::new(false), GFP_KERNEL)?)
}

/// Where it is, without a view of it.
fn address(shared: &Shared<ReadOnly>) -> Result<*const [ReadWord]> {
    let view = shared.view()?;
    Ok(core::ptr::from_ref(&*view))
}

/// A child that views it until it is told to let go, and says when it does.
struct Viewer {
    child: Handle,
    go: Arc<Atomic<bool>>,
    left: Arc<Atomic<bool>>,
}

impl Viewer {
    fn new(shared: Shared<ReadOnly>) -> Result<Self> {
        let (go, left, inside) = (flag()?, flag()?, flag()?);
        let (its_go, its_left, its_inside) = (go.clone(), left.clone(), inside.clone());
        let child = spawn(c"viewer", move |ctx| {
            let view = shared.view()?;
            its_inside.store(true, Release);
            let mut wrong = 0;
            while !ctx.should_stop() && !its_go.load(Acquire) {
                ctx.sleep(2);
                wrong += view.iter().filter(|w| w.load(Relaxed) != 7).count();
            }
            its_left.store(true, Release);
            drop(view);
            if wrong == 0 {
                Ok(())
            } else {
                Err(EUCLEAN)
            }
        })?;
        if !eventually(|| inside.load(Acquire)) {
            return Err(ETIMEDOUT);
        }
        Ok(Self { child, go, left })
    }

    fn release(&self) -> bool {
        self.go.store(true, Release);
        is_done(&self.child)
    }
}

fn region_refused_after_revoke() -> Result {
    let region = region(PAGE_SIZE)?;
    let (one, two) = (region.lend::<ReadOnly>()?, region.lend::<ReadWrite>()?);
    drop((one.view()?, one.clone().view()?, two.view()?));
    region.revoke(0)?;
    ensure!(one.view().err() == Some(EACCES) && two.view().err() == Some(EACCES));
    // Again, and for one that is not there: nothing to do.
    region.revoke(0)?;
    one.revoke(0)?;
    // What comes after it is not meant.
    let three = region.lend::<ReadOnly>()?;
    ensure!(three.view().is_ok() && one.view().is_err());
    drop(region);
    ensure!(three.view().err() == Some(EACCES));
    Ok(())
}

/// When the revocation has returned, nothing is at that address any more.
fn region_unmapped() -> Result {
    let region = region(PAGE_SIZE)?;
    let page = page_at(region.words());
    ensure!(!page.is_null());
    for round in 0..20 {
        let shared = region.lend::<ReadOnly>()?;
        let at = address(&shared)?;
        ensure!(page_at(at) == page);
        if round % 2 == 0 {
            region.revoke(0)?;
        } else {
            shared.revoke(0)?;
        }
        ensure!(page_at(at) != page);
    }
    ensure!(page_at(region.words()) == page);
    Ok(())
}

/// The last clone that is dropped ends the lend.
fn region_given_back() -> Result {
    let region = region(PAGE_SIZE)?;
    let page = page_at(region.words());
    let shared = region.lend::<ReadOnly>()?;
    let at = address(&shared)?;
    let other = shared.clone();
    drop(shared);
    a_while();
    ensure!(page_at(at) == page && other.view().is_ok());
    drop(other);
    ensure!(eventually(|| page_at(at) != page));
    region.revoke(0)?;
    Ok(())
}

/// It ends when the view does, and not before.
fn region_revoke_waits() -> Result {
    let region = sevens(1)?;
    let shared = region.lend::<ReadOnly>()?;
    let viewer = Viewer::new(shared.clone())?;
    let at = address(&shared)?;
    let page = page_at(region.words());
    let (theirs, left) = (region.clone(), viewer.left.clone());
    let revoker = spawn(c"revoker", move |_| {
        theirs.revoke(Context::jiffies(20_000))?;
        left.load(Acquire).then_some(()).ok_or(EUCLEAN)
    })?;
    ensure!(eventually(|| shared.view().err() == Some(EACCES)));
    a_while();
    let waited = revoker.record().state() == State::Running && page_at(at) == page;
    ensure!(viewer.release());
    ensure!(is_done(&revoker) && waited);
    ensure!(page_at(at) != page);
    Ok(())
}

/// Revoked all the same; it is unmapped when the view ends, without anybody who waits.
fn region_revoke_times_out() -> Result {
    let before = pages();
    let region = sevens(3)?;
    let (shared, other) = (region.lend::<ReadOnly>()?, region.lend::<ReadWrite>()?);
    let viewer = Viewer::new(shared.clone())?;
    let at = address(&shared)?;
    let page = page_at(region.words());
    ensure!(region.revoke(Context::jiffies(20)) == Err(ETIMEDOUT));
    ensure!(shared.revoke(0) == Err(ETIMEDOUT));
    ensure!(shared.view().err() == Some(EACCES) && other.view().err() == Some(EACCES));
    ensure!(page_at(at) == page && pages() == before + 3);
    ensure!(viewer.release());
    ensure!(eventually(|| page_at(at) != page));
    ensure!(region.revoke(0).is_ok() && shared.revoke(0).is_ok());
    drop((region, other));
    ensure!(pages() == before);
    Ok(())
}

/// The region goes, the view and what is in it stay until it ends, and are counted.
fn region_viewed_after_drop() -> Result {
    let (before, others) = (pages(), quarantined_pages());
    let region = sevens(5)?;
    let shared = region.lend::<ReadOnly>()?;
    let viewer = Viewer::new(shared.clone())?;
    drop(region);
    ensure!(shared.view().err() == Some(EACCES));
    a_while();
    ensure!(quarantined_pages() == others + 5 && pages() == before + 5);
    ensure!(viewer.child.record().state() == State::Running);
    // It has found its sevens all the time.
    ensure!(viewer.release());
    ensure!(eventually(|| pages() == before));
    ensure!(quarantined_pages() == others);
    drop(shared);
    Ok(())
}

/// What a thread leaves behind that dies in a view: two pages, until the next boot.
fn region_forgotten_view() -> Result {
    let (before, others) = (pages(), quarantined_pages());
    let region = sevens(2)?;
    let page = page_at(region.words());
    let (shared, other) = (region.lend::<ReadOnly>()?, region.lend::<ReadOnly>()?);
    let at = address(&shared)?;
    lose(shared.view()?)?;
    lose(other.view()?)?;
    ensure!(shared.revoke(Context::jiffies(20)) == Err(ETIMEDOUT));
    drop(shared);
    ensure!(region.revoke(Context::jiffies(20)) == Err(ETIMEDOUT));
    ensure!(quarantined_pages() == others);
    drop(region);
    ensure!(quarantined_pages() == others + 2);
    drop(other);
    a_while();
    // However many views there were, and however they went.
    ensure!(quarantined_pages() == others + 2 && pages() == before + 2);
    ensure!(page_at(at) == page);
    // SAFETY: That mapping stays, as was just seen.
    ensure!(unsafe { &*at }.iter().all(|w| w.load(Relaxed) == 7));
    Ok(())
}

/// An interrupt views and ends views, the last of them too.
fn region_from_interrupt() -> Result {
    if cfg!(CONFIG_PREEMPT_RT) {
        return skip(
            "region_from_interrupt",
            "a view does not end in hardirq on PREEMPT_RT",
        );
    }
    let before = pages();
    let region = sevens(1)?;
    let shared = region.lend::<ReadOnly>()?;
    let counts = Arc::new((Atomic::new(0u64), Atomic::new(0u64)), GFP_KERNEL)?;
    let seen = counts.clone();
    let timer = Hard::every(Delta::from_micros(300), move || match shared.view() {
        Ok(view) if view.iter().all(|w| w.load(Relaxed) == 7) && Hard::is_here() => {
            seen.0.fetch_add(1, Relaxed);
        }
        Err(EACCES) => {
            seen.1.fetch_add(1, Relaxed);
        }
        _ => (),
    })?;
    let came = eventually(|| counts.0.load(Relaxed) > 50);
    let revoked = region.revoke(Context::jiffies(20_000));
    let views = counts.0.load(Relaxed);
    let refused = eventually(|| counts.1.load(Relaxed) > 50);
    drop(timer);
    ensure!(came && revoked.is_ok() && refused);
    ensure!(counts.0.load(Relaxed) == views);
    drop(region);
    ensure!(eventually(|| pages() == before));
    Ok(())
}

/// The last that refers to a mapping goes in an interrupt, and somebody has forgotten a view.
fn region_goes_in_interrupt() -> Result {
    let region = sevens(1)?;
    let shared = region.lend::<ReadOnly>()?;
    let at = address(&shared)?;
    lose(shared.view()?)?;
    drop(region);
    let place: Arc<SpinLockIrq<Option<Shared<ReadOnly>>>> = Arc::pin_init(
        new_spinlock_irq!(Some(shared), "child_test_goes"),
        GFP_KERNEL,
    )?;
    let (gone, within) = (flag()?, flag()?);
    let (says, its, held) = (gone.clone(), within.clone(), place.clone());
    let timer = HardUnlessRt::once(Delta::from_millis(1), move || {
        let shared = held.lock().take();
        its.store(HardUnlessRt::is_here(), Relaxed);
        drop(shared);
        says.store(true, Release);
    })?;
    ensure!(eventually(|| gone.load(Acquire)));
    drop(timer);
    ensure!(within.load(Relaxed) && place.lock().is_none());
    // SAFETY: That mapping stays, as its view did not end.
    ensure!(unsafe { &*at }.iter().all(|w| w.load(Relaxed) == 7));
    Ok(())
}

/// Children that view all the time, and a parent that takes it back all the time. Who reads what is
/// not mapped any more, dies, and the log has it.
fn region_storm() -> Result {
    const ROUNDS: usize = 60;
    let before = pages();
    let region = region(2 * PAGE_SIZE)?;
    let slot = Arc::pin_init(new_mutex!(None::<Shared<ReadOnly>>), GFP_KERNEL)?;
    let counts = Arc::new((Atomic::new(0usize), Atomic::new(0usize)), GFP_KERNEL)?;
    let (its_slot, seen): (Arc<Mutex<_>>, _) = (slot.clone(), counts.clone());
    let child = Builder::new(&MODULE, c"storm")
        .threads(4)
        .spawn(move |ctx| {
            while !ctx.should_stop() {
                let Some(shared) = its_slot.lock().clone() else {
                    ctx.sleep(1);
                    continue;
                };
                loop {
                    match shared.view() {
                        Ok(view) => {
                            let round = view.first().map_or(0, |w| w.load(Acquire));
                            if view.iter().any(|w| w.load(Relaxed) != round) {
                                return Err(EUCLEAN);
                            }
                            seen.0.fetch_add(1, Relaxed);
                        }
                        Err(EACCES) => break,
                        Err(other) => return Err(other),
                    }
                    if ctx.should_stop() {
                        break;
                    }
                }
                seen.1.fetch_add(1, Relaxed);
                // A slot that is taken out is not found again, but by who is faster than that.
                ctx.sleep(1);
            }
            Ok(())
        })?;
    for round in 1..=ROUNDS {
        // Nobody looks now, so all are the same again.
        for word in region.words() {
            word.store(round, Relaxed);
        }
        let shared = region.lend::<ReadOnly>()?;
        *slot.lock() = Some(shared);
        let (views, refused) = (counts.0.load(Relaxed), counts.1.load(Relaxed));
        ensure!(eventually(|| counts.0.load(Relaxed) > views + 2));
        ensure!(region.revoke(Context::jiffies(20_000)).is_ok());
        ensure!(eventually(|| counts.1.load(Relaxed) > refused));
        ensure!(child.record().state() == State::Running);
    }
    *slot.lock() = None;
    child.stop();
    ensure!(is_done(&child));
    drop(region);
    ensure!(eventually(|| pages() == before));
    Ok(())
}
