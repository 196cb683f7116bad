// SPDX-License-Identifier: GPL-2.0

//! What the module's exit leaves to deferred reclaim: it has to run before its text goes.

use super::{eventually, report};
use childkernel::{
    child::{entry::Text, Builder, Context, Handle},
    new_rcu_list,
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        rcu::Node as RcuNode,
        rcu_list::Node,
        Rcu, RcuList,
    },
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta},
    ThisModule,
};

/// Says that it is there no more, when the last that counts on it is gone.
pub(crate) struct Farewell {
    drops: Atomic<u32>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        report(
            "deferred_at_exit",
            match self.drops.load(Relaxed) {
                LATE => Ok(()),
                _ => Err(EINVAL),
            },
        );
    }
}

/// How many keepers there are, each but the first in the hands of another one's child.
const KEEPERS: u32 = 6;
/// How many elements there are.
pub(crate) const LATE: u32 = 200;

pub(crate) struct Late(Arc<Farewell>);

impl Drop for Late {
    fn drop(&mut self) {
        self.0.drops.fetch_add(1, Relaxed);
    }
}

/// Ends a child when it is dropped.
struct Keeper(#[expect(dead_code, reason = "it is dropped")] Handle);

/// What the module's exit leaves.
pub(crate) struct Leftovers {
    many: Arc<RcuList<Late>>,
    /// Its child has another keeper, and so on; the last one's child has one element more. Each gives
    /// what it has to deferred reclaim as it ends.
    keeper: Arc<RcuList<Keeper>>,
}

impl Leftovers {
    pub(crate) fn new(module: &'static ThisModule) -> Result<Self> {
        let farewell = Arc::new(
            Farewell {
                drops: Atomic::new(0),
            },
            GFP_KERNEL,
        )?;
        let list = || Arc::pin_init(new_rcu_list!("outsider_late"), GFP_KERNEL);
        let (many, one): (Arc<RcuList<Late>>, Arc<RcuList<Late>>) = (list()?, list()?);
        for n in 0..LATE {
            let node = Node::new(Late(farewell.clone()), GFP_KERNEL)?;
            let to = if n == 0 { &one } else { &many };
            to.lock().push_back(node);
        }
        let mut keeper = keeper(module, one)?;
        for _ in 1..KEEPERS {
            keeper = self::keeper(module, keeper)?;
        }
        Ok(Self { many, keeper })
    }

    pub(crate) fn defer(&self) {
        defer_all(&self.keeper);
        defer_all(&self.many);
    }
}

/// What ends a child when it is dropped, which then defers what is in `last`.
fn keeper<T: Send + Sync + 'static>(
    module: &'static ThisModule,
    last: Arc<RcuList<T>>,
) -> Result<Arc<RcuList<Keeper>>> {
    let child = Builder::new(module, c"kept").spawn(move |ctx| {
        while !ctx.should_stop() {
            ctx.sleep(10);
        }
        defer_all(&last);
        Ok(())
    })?;
    let list: Arc<RcuList<Keeper>> = Arc::pin_init(new_rcu_list!("outsider_keeper"), GFP_KERNEL)?;
    let node = Node::new(Keeper(child), GFP_KERNEL)?;
    list.lock().push_back(node);
    Ok(list)
}

fn defer_all<T: Send + Sync + 'static>(list: &RcuList<T>) {
    while let Some(removed) = list.lock().remove(|_| true) {
        removed.defer();
    }
}

/// Gives something to deferred reclaim.
pub(crate) fn give() -> Result {
    let list: Arc<RcuList<u64>> = Arc::pin_init(new_rcu_list!("outsider_give"), GFP_KERNEL)?;
    let node = Node::new(0, GFP_KERNEL)?;
    list.lock().push_back(node);
    defer_all(&list);
    Ok(())
}

/// The last one says that it is dropped, some time after that has begun; the others give the next to
/// deferred reclaim.
struct Slow {
    next: Rcu<Slow>,
}

impl Slow {
    fn chain(length: u32) -> Result<Rcu<Self>> {
        let mut first = Rcu::empty();
        for _ in 0..length {
            first = Rcu::new(RcuNode::new(Self { next: first }, GFP_KERNEL)?);
        }
        Ok(first)
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        if let Some(next) = self.next.take() {
            next.defer();
        } else {
            fsleep(Delta::from_millis(1000));
            pr_info!("slow to go\n");
        }
    }
}

/// Waits to be let go of, and then gives what it has to deferred reclaim.
struct Gate {
    open: Arc<Atomic<bool>>,
    slow: Rcu<Slow>,
}

impl Drop for Gate {
    fn drop(&mut self) {
        // Nobody may wait for ever: then the test has failed already.
        let _ = eventually(|| self.open.load(Acquire));
        if let Some(slow) = self.slow.take() {
            slow.defer();
        }
    }
}

/// A child that gives a gate to deferred reclaim, and opens it at a word.
pub(crate) fn gate(ctx: &mut Context<'_, Text>) -> Result {
    let list: Arc<RcuList<Gate>> = Arc::pin_init(new_rcu_list!("outsider_gate"), GFP_KERNEL)?;
    let open = Arc::new(Atomic::<bool>::new(false), GFP_KERNEL)?;
    let gate = Gate {
        open: open.clone(),
        slow: Slow::chain(5)?,
    };
    let node = Node::new(gate, GFP_KERNEL)?;
    list.lock().push_back(node);
    defer_all(&list);
    // Says so.
    ctx.add_ops(1);
    let word = ctx.recv();
    open.store(true, Release);
    word.map(drop)
}
