// SPDX-License-Identifier: GPL-2.0

//! What the module's exit leaves to deferred reclaim: it has to run before its text goes.

use super::report;
use childkernel::{
    new_rcu_list,
    sync::{
        atomic::{Atomic, Relaxed},
        rcu::Node as RcuNode,
        rcu_list::Node,
        Rcu, RcuList,
    },
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta},
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

/// How many elements the module's exit gives to deferred reclaim.
pub(crate) const LATE: u32 = 200;

pub(crate) struct Late(Arc<Farewell>);

impl Drop for Late {
    fn drop(&mut self) {
        self.0.drops.fetch_add(1, Relaxed);
    }
}

pub(crate) fn late_list() -> Result<Arc<RcuList<Late>>> {
    let farewell = Arc::new(
        Farewell {
            drops: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    let list: Arc<RcuList<Late>> = Arc::pin_init(new_rcu_list!("outsider_late"), GFP_KERNEL)?;
    for _ in 0..LATE {
        let node = Node::new(Late(farewell.clone()), GFP_KERNEL)?;
        list.lock().push_back(node);
    }
    Ok(list)
}

/// Takes its time to be dropped.
struct Slow;

impl Drop for Slow {
    fn drop(&mut self) {
        fsleep(Delta::from_millis(2000));
        pr_info!("slow to go\n");
    }
}

/// What gives to deferred reclaim when it is dropped.
struct Outer(Rcu<Slow>);

impl Drop for Outer {
    fn drop(&mut self) {
        if let Some(slow) = self.0.take() {
            slow.defer();
        }
    }
}

/// Gives one to deferred reclaim, by way of another, and does not wait.
pub(crate) fn defer_slow() -> Result {
    let list: Arc<RcuList<Outer>> = Arc::pin_init(new_rcu_list!("outsider_slow"), GFP_KERNEL)?;
    let outer = Outer(Rcu::new(RcuNode::new(Slow, GFP_KERNEL)?));
    list.lock().push_back(Node::new(outer, GFP_KERNEL)?);
    if let Some(removed) = list.lock().remove(|_| true) {
        removed.defer();
    }
    Ok(())
}
