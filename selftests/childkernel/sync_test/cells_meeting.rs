// SPDX-License-Identifier: GPL-2.0

//! How contexts meet at what they share, and what they must find there.
//!
//! Who waits in an interrupt for a lock that the code it interrupted holds waits forever. So before
//! an interrupt takes the lock it looks who has it: the holder writes the number of its CPU beside
//! the lock. If that is this CPU, the case is lost, and it is counted instead of waited for.

use super::{
    cells_contexts::{occupy, Place, Visit, Visitor},
    cells_shared::{Keys, Shared},
    eventually,
};
use childkernel::sync::{
    atomic::{Atomic, Full, Relaxed},
    preempt::{local_bh_disable, local_interrupt_disable},
};
use kernel::{
    cpu::{nr_cpu_ids, CpuId},
    prelude::*,
    sync::Arc,
    time::{delay::udelay, Delta},
};

/// No CPU is inside.
const NOBODY: u32 = u32::MAX;

/// Each context has to have been there so often, or nothing was tried.
const OFTEN: u64 = 300;

/// How often an interrupt tries that must not wait, 1 us apart: longer than anybody stays.
const TRIES: u32 = 200;

/// What a context does when it comes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    /// Takes the lock and adds.
    Adds,
    /// Only looks whether it would wait forever.
    Looks,
}

/// Who takes part.
pub(super) struct Part {
    pub(super) place: Place,
    pub(super) cpu: CpuId,
    pub(super) does: Does,
    came: Atomic<u64>,
    added: Atomic<u64>,
}

impl Part {
    pub(super) fn new(place: Place, cpu: CpuId, does: Does) -> Self {
        Self {
            place,
            cpu,
            does,
            came: Atomic::new(0),
            added: Atomic::new(0),
        }
    }
}

/// What the parts share, with what they found there.
#[pin_data]
pub(super) struct Meeting<S: Shared> {
    #[pin]
    shared: S,
    parts: KVec<Part>,
    /// The CPU that is inside.
    holder: Atomic<u32>,
    /// For each CPU the contexts that are inside, on their way in, or on their way out.
    near: KVec<Atomic<u32>>,
    /// Found inside by what interrupted it, and so could not have left.
    stuck: Atomic<u64>,
    /// Found the words unequal.
    torn: Atomic<u64>,
    /// Were not where they thought they were.
    astray: Atomic<u64>,
}

impl<S: Shared> Meeting<S> {
    fn new(keys: Keys, parts: KVec<Part>) -> Result<Arc<Self>> {
        let mut near = KVec::new();
        for _ in 0..nr_cpu_ids() {
            near.push(Atomic::new(0), GFP_KERNEL)?;
        }
        Arc::pin_init(
            pin_init!(Self {
                shared <- S::init(keys),
                parts,
                holder: Atomic::new(NOBODY),
                near,
                stuck: Atomic::new(0),
                torn: Atomic::new(0),
                astray: Atomic::new(0),
            }),
            GFP_KERNEL,
        )
    }

    /// How often all were there.
    pub(super) fn came(&self) -> u64 {
        self.parts.iter().map(|part| part.came.load(Relaxed)).sum()
    }

    /// Whether each was there often enough to have met the others.
    pub(super) fn all_came(&self) -> bool {
        self.parts.iter().all(|part| match part.does {
            Does::Adds => part.added.load(Relaxed) >= OFTEN,
            Does::Looks => part.came.load(Relaxed) >= OFTEN,
        })
    }

    pub(super) fn stuck(&self) -> u64 {
        self.stuck.load(Relaxed)
    }

    pub(super) fn torn(&self) -> u64 {
        self.torn.load(Relaxed)
    }

    /// Whether each part was where it should be. Else nothing else it says is of use.
    pub(super) fn none_astray(&self) -> bool {
        self.astray.load(Relaxed) == 0
    }

    /// Whether both words are what the parts say they have added. Nobody may be there any more.
    pub(super) fn is_exact(&self) -> bool {
        let sum = self.parts.iter().map(|part| part.added.load(Relaxed)).sum();
        // Process context may be none of those that the lock is for. Bottom halves come back last, as
        // they have to on `PREEMPT_RT`.
        let _quiet = local_bh_disable();
        let off = local_interrupt_disable();
        let seen = self.shared.look();
        drop(off);
        seen == Some([sum, sum])
    }

    /// Goes inside once, unless that could hang the machine. `over` says whether this context has
    /// interrupted one of this CPU that is inside or not far.
    fn go_in(&self, part: &Part, over: bool) -> bool {
        let inside = || {
            self.holder.store(CpuId::current().as_u32(), Relaxed);
            udelay(part.place.hold());
            self.holder.store(NOBODY, Relaxed);
        };
        // Of those that are not far, one may have the lock and not have said so yet. That would be
        // a fault of the variant, for which `stuck` is; here it must only not hang.
        let equal = if over && part.place != Place::Process {
            (0..TRIES).find_map(|_| {
                let equal = self.shared.try_add(&inside);
                if equal.is_none() {
                    udelay(Delta::from_micros(1));
                }
                equal
            })
        } else {
            Some(self.shared.add(&inside))
        };
        if equal == Some(false) {
            self.torn.fetch_add(1, Relaxed);
        }
        equal.is_some()
    }
}

impl<S: Shared> Visit for Meeting<S> {
    fn visit(&self, index: usize) {
        let cpu = CpuId::current();
        let parts = (self.parts.get(index), self.near.get(cpu.as_u32() as usize));
        let (Some(part), Some(near)) = parts else {
            return;
        };
        if !part.place.is_here() || cpu != part.cpu {
            self.astray.fetch_add(1, Relaxed);
            return;
        }
        let over = near.fetch_add(1, Full) > 0;
        let waits = S::LOCKS && part.place.waits_forever();
        if waits && self.holder.load(Relaxed) == cpu.as_u32() {
            self.stuck.fetch_add(1, Relaxed);
        } else if part.does == Does::Adds && self.go_in(part, over) {
            part.added.fetch_add(1, Relaxed);
        }
        if part.does == Does::Adds && self.shared.look().is_some_and(|[a, b]| a != b) {
            self.torn.fetch_add(1, Relaxed);
        }
        near.fetch_sub(1, Full);
        part.came.fetch_add(1, Relaxed);
    }
}

/// Lets the parts meet until it is `enough`, ends them, and returns what they found and whether it
/// was enough within the limit.
pub(super) fn meet<S: Shared>(
    keys: Keys,
    parts: KVec<Part>,
    enough: impl Fn(&Meeting<S>) -> bool,
) -> Result<(Arc<Meeting<S>>, bool)> {
    let meeting = Meeting::<S>::new(keys, parts)?;
    let mut children = KVec::new();
    for (index, part) in meeting.parts.iter().enumerate() {
        let what: Arc<dyn Visit> = meeting.clone();
        let child = occupy(part.place, part.cpu, Visitor { what, index })?;
        children.push(child, GFP_KERNEL)?;
    }
    let was_enough = eventually(|| enough(&meeting));
    for child in &children {
        child.stop();
        // Bottom-half work that did not end, or no memory for a timer.
        if let Some(error) = child.record().error() {
            return Err(error);
        }
    }
    Ok((meeting, was_enough))
}
