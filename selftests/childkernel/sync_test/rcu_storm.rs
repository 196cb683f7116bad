// SPDX-License-Identifier: GPL-2.0

//! RCU under load: readers in all three contexts while writers do all that they can.

use super::{
    element::{Element, Tally},
    spawn,
    timers::{Hard, Interrupt, Soft},
};
use childkernel::{
    child::{Context, Handle},
    new_rcu_list,
    sync::{
        atomic::{Atomic, Relaxed},
        preempt::{in_hardirq, in_softirq},
        rcu,
        rcu_list::{Node, Removed},
        rcu_pointer, Rcu, RcuList,
    },
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta},
};

cases!(sync_rcu_storm:
    rcu_pointer_storm,
    rcu_list_storm_30s,
);

/// How often the timers look.
const TICK: Delta = Delta::from_micros(500);
/// A writer waits for a grace period once in so many ends, so that no more wait for theirs.
const SYNCHRONIZE_EVERY: u64 = 64;

/// What has been seen, and where.
struct Sight {
    process: Atomic<u64>,
    softirq: Atomic<u64>,
    hardirq: Atomic<u64>,
    wrong: Atomic<u64>,
}

impl Sight {
    fn new() -> Self {
        Self {
            process: Atomic::new(0),
            softirq: Atomic::new(0),
            hardirq: Atomic::new(0),
            wrong: Atomic::new(0),
        }
    }

    /// Counts a look, which was `right` or not, in the context in which it was.
    fn count(&self, right: bool) {
        let context = if in_hardirq() {
            &self.hardirq
        } else if in_softirq() {
            &self.softirq
        } else {
            &self.process
        };
        context.fetch_add(1, Relaxed);
        if !right {
            self.wrong.fetch_add(1, Relaxed);
        }
    }

    fn is_right(&self) -> bool {
        self.wrong.load(Relaxed) == 0
    }

    fn is_from_everywhere(&self) -> bool {
        [&self.process, &self.softirq, &self.hardirq]
            .iter()
            .all(|context| context.load(Relaxed) > 0)
    }
}

/// Something that is looked at from any context.
trait Scene: Send + Sync {
    fn look(&self);
    fn sight(&self) -> &Sight;
}

/// Lets two writers do `write` for so long, with two children and two timers that look.
fn storm<S: Scene + 'static>(
    scene: &Arc<S>,
    seconds: u32,
    write: fn(&S, u64, &mut Context<'_>) -> Result,
) -> Result {
    let mut children = KVec::<Handle>::new();
    let (in_hard, in_soft) = (scene.clone(), scene.clone());
    let hard = Hard::every(TICK, move || in_hard.look())?;
    let soft = Soft::every(TICK, move || in_soft.look())?;
    for writer in 1..=2 {
        let theirs = scene.clone();
        let child = spawn(c"writer", move |ctx| write(&theirs, writer, ctx))?;
        children.push(child, GFP_KERNEL)?;
        let theirs = scene.clone();
        let child = spawn(c"reader", move |ctx| {
            while !ctx.should_stop() {
                theirs.look();
            }
            Ok(())
        })?;
        children.push(child, GFP_KERNEL)?;
    }
    for _ in 0..seconds {
        fsleep(Delta::from_secs(1));
    }
    for child in &children {
        child.stop();
    }
    drop((hard, soft));
    for child in &children {
        ensure!(child.record().error().is_none());
    }
    ensure!(scene.sight().is_right());
    ensure!(scene.sight().is_from_everywhere());
    Ok(())
}

struct PointerScene {
    pointer: Rcu<Element>,
    sight: Sight,
    tally: Arc<Tally>,
    replaced: Atomic<u64>,
}

impl Scene for PointerScene {
    fn look(&self) {
        let guard = rcu::read_lock();
        let first = self.pointer.read(&guard);
        let whole = first.is_none_or(Element::is_whole);
        let second = self.pointer.read(&guard);
        // What was read first is whole still, and what is read later is not older.
        let right = whole
            && first.is_none_or(Element::is_whole)
            && second.is_none_or(Element::is_whole)
            && first.map(Element::key) <= second.map(Element::key);
        self.sight.count(right);
    }

    fn sight(&self) -> &Sight {
        &self.sight
    }
}

impl PointerScene {
    /// Counts up, without a lock.
    fn write(&self, _: u64, ctx: &mut Context<'_>) -> Result {
        let mut own = 0u64;
        let mut spare = None;
        while !ctx.should_stop() {
            let mut node = match spare.take() {
                Some(node) => node,
                None => rcu_pointer::Node::new(Element::new(0, &self.tally), GFP_KERNEL)?,
            };
            let guard = rcu::read_lock();
            let seen = self.pointer.read(&guard);
            node.set_key(seen.map_or(0, Element::key) + 1);
            let result = self.pointer.try_replace(seen, node);
            drop(guard);
            match result {
                Ok(old) => {
                    own += 1;
                    if let Some(old) = old.filter(|_| own % SYNCHRONIZE_EVERY == 0) {
                        old.synchronize();
                    }
                }
                Err(node) => spare = Some(node),
            }
        }
        self.replaced.fetch_add(own, Relaxed);
        Ok(())
    }
}

/// Two writers who count up lose no count, and no reader sees a number after a larger one.
fn rcu_pointer_storm() -> Result {
    let tally = Tally::new()?;
    let scene = Arc::new(
        PointerScene {
            pointer: Rcu::empty(),
            sight: Sight::new(),
            tally: tally.clone(),
            replaced: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    storm(&scene, 2, PointerScene::write)?;
    let last = scene.pointer.take().ok_or(EINVAL)?;
    ensure!(last.key() > 0 && last.key() == scene.replaced.load(Relaxed));
    last.defer();
    drop(scene);
    rcu::flush();
    ensure!(tally.is_clean_at(tally.born()));
    Ok(())
}

/// What a writer does to the list.
const KINDS: usize = 8;
/// More than so many, and a writer only removes.
const FULL: usize = 24;

#[pin_data]
struct ListScene {
    #[pin]
    list: RcuList<Element>,
    sight: Sight,
    tally: Arc<Tally>,
    /// How often each kind was done.
    done: [Atomic<u64>; KINDS],
}

impl Scene for ListScene {
    fn look(&self) {
        let guard = rcu::read_lock();
        let right = self.list.iter(&guard).all(|element| {
            let whole = element.is_whole();
            for _ in 0..20 {
                core::hint::spin_loop();
            }
            whole && element.is_whole()
        });
        self.sight.count(right);
    }

    fn sight(&self) -> &Sight {
        &self.sight
    }
}

impl ListScene {
    /// Does one of the kinds at place `at`. Returns what has to end, and the node if it was not
    /// needed; only the node if it could not be done. Nothing ends under the lock.
    fn change(
        &self,
        kind: usize,
        at: usize,
        node: Node<Element>,
    ) -> Result<(Option<Removed<Element>>, Option<Node<Element>>), Node<Element>> {
        let mut writer = self.list.lock();
        let length = writer.iter().count();
        let mut nth = 0;
        let wanted = |_: &Element| {
            nth += 1;
            nth > at
        };
        match kind {
            5.. if length == 0 => Err(node),
            0..=3 | 7 if length > FULL => Err(node),
            0 => {
                writer.push_front(node);
                Ok((None, None))
            }
            1 => {
                writer.push_back(node);
                Ok((None, None))
            }
            2 => writer.insert_after(wanted, node).map(|()| (None, None)),
            3 => writer.insert_before(wanted, node).map(|()| (None, None)),
            4 => writer.replace(wanted, node).map(|old| (Some(old), None)),
            5 => match writer.remove(wanted) {
                Some(old) => Ok((Some(old), Some(node))),
                None => Err(node),
            },
            // All by one cursor: the last goes to the front, or is replaced there.
            6 => {
                let mut cursor = writer.cursor();
                cursor.move_prev();
                let removed = cursor.remove();
                cursor.insert_after(node);
                Ok((removed, None))
            }
            _ => {
                let mut cursor = writer.cursor();
                cursor.move_next();
                cursor.insert_before(node);
                Ok((cursor.remove(), None))
            }
        }
    }

    fn write(&self, writer: u64, ctx: &mut Context<'_>) -> Result {
        let mut random = writer;
        let mut ended = 0u64;
        let mut spare = None;
        while !ctx.should_stop() {
            // Knuth's generator; its high bits are good.
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let kind = (random >> 61) as usize;
            let at = (random >> 40) as usize % FULL;
            let mut node = match spare.take() {
                Some(node) => node,
                None => Node::new(Element::new(0, &self.tally), GFP_KERNEL)?,
            };
            node.set_key(random);
            match self.change(kind, at, node) {
                Ok((old, unused)) => {
                    spare = unused;
                    if let Some(done) = self.done.get(kind) {
                        done.fetch_add(1, Relaxed);
                    }
                    let Some(old) = old else { continue };
                    ended += 1;
                    if ended % SYNCHRONIZE_EVERY == 0 {
                        old.synchronize();
                    }
                }
                Err(node) => spare = Some(node),
            }
        }
        Ok(())
    }
}

/// No look finds what is half built or freed, and all that was made ends once.
fn rcu_list_storm_30s() -> Result {
    let tally = Tally::new()?;
    let shared = tally.clone();
    let scene = Arc::pin_init(
        pin_init!(ListScene {
            list <- new_rcu_list!("test_storm"),
            sight: Sight::new(),
            tally: shared,
            done: [const { Atomic::new(0) }; KINDS],
        }),
        GFP_KERNEL,
    )?;
    storm(&scene, 30, ListScene::write)?;
    ensure!(scene.done.iter().all(|done| done.load(Relaxed) > 0));
    pr_info!(
        "storm: {} looks from children, {} from softirq, {} from hardirq, {} elements\n",
        scene.sight.process.load(Relaxed),
        scene.sight.softirq.load(Relaxed),
        scene.sight.hardirq.load(Relaxed),
        tally.born()
    );
    let mut writer = scene.list.lock();
    let linked = writer.iter().count();
    let mut cursor = writer.cursor();
    cursor.move_next();
    let removed = core::iter::from_fn(|| cursor.remove()).count();
    drop(writer);
    ensure!(removed == linked);
    drop(scene);
    rcu::flush();
    ensure!(tally.is_clean_at(tally.born()));
    Ok(())
}
