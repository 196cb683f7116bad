// SPDX-License-Identifier: GPL-2.0

//! What the loads do again and again, and what an arena costs, against the same in C.
//!
//! The locks, sequence locks and lookups in them have pairs of their own.
#![deny(unsafe_code)]

use super::{
    ffi as c,
    pair::{inc, pairs, rust, Irqs, Pair, Rival, Rounds, Side},
    Run, Suite, MODULE,
};
use crate::{
    child::{Arena, Builder},
    new_completion, new_percpu_rwsem, new_rcu_list,
    sync::{new_spinlock, rcu, rcu_list::Node, Completion, PerCpuRwSemaphore, RcuList, SpinLock},
    workload::buckets::{Entry, Shard},
};
use kernel::{prelude::*, sync::Arc};

/// As many bytes as the measured pieces need, and more.
const QUOTA: usize = 1 << 16;

/// Taking memory, writing all of it, giving it back.
pub(super) static MEMORY: &[Pair] = pairs! {
    "arena_box_64", "take 64 bytes, write, give back", On, Rival::OtherC("kmalloc", c::KMALLOC_64);
    Arena = Arena::new(QUOTA), |arena, left| {
        arena.alloc([left; 8], GFP_KERNEL).map_or(0, |words| first(&words[..]))
    };

    "arena_box_64", "take 64 bytes, write, give back", On, Rival::OtherC("mempool", c::MEMPOOL_64);
    Arena = Arena::new(QUOTA), |arena, left| {
        arena.alloc([left; 8], GFP_KERNEL).map_or(0, |words| first(&words[..]))
    };

    "arena_slice_64", "take 8 words, write, give back", On, Rival::OtherC("kmalloc", c::KMALLOC_64);
    Arena = Arena::new(QUOTA), |arena, left| {
        arena.slice(8, left, GFP_KERNEL).map_or(0, |words| first(&words))
    };

    "arena_slice_1024", "take 128 words, write, give back", On,
    Rival::OtherC("kmalloc", c::KMALLOC_1024);
    Arena = Arena::new(QUOTA), |arena, left| {
        arena.slice(128, left, GFP_KERNEL).map_or(0, |words| first(&words))
    };

    "arena_slice_1024", "take 128 words, write, give back", On,
    Rival::OtherC("mempool", c::MEMPOOL_1024);
    Arena = Arena::new(QUOTA), |arena, left| {
        arena.slice(128, left, GFP_KERNEL).map_or(0, |words| first(&words))
    };
};

#[inline(always)]
fn first(words: &[u64]) -> u64 {
    words.first().copied().unwrap_or(0)
}

/// The places of a bucket, and the key that is there from the start: as on the C side.
const PLACES: usize = 8;
const KEY: u64 = 1_000_000;

fn bucket() -> Result<Shard> {
    let mut shard = Shard::new([PLACES].into_iter())?;
    shard.put(0, Entry::new(KEY, 1))?;
    Ok(shard)
}

/// What the load `table` does under the lock of a bucket.
pub(super) static TABLE: &[Pair] = &[
    Pair {
        name: "table_lookup",
        what: "lock, find one of 8 places, unlock",
        irqs: Irqs::Off,
        rival: Rival::C(c::TABLE_LOOKUP),
        rust: || {
            let table = new_spinlock!(bucket()?, "bench_table");
            rust(table, |table: &SpinLock<Shard>, _| {
                match table.lock().find(0, KEY) {
                    (Some(entry), 1) => entry.value,
                    _ => 0,
                }
            })
        },
    },
    Pair {
        name: "table_change",
        what: "insert unless it is there, remove, each under the lock",
        irqs: Irqs::Off,
        rival: Rival::C(c::TABLE_CHANGE),
        rust: || {
            let table = new_spinlock!(bucket()?, "bench_table");
            rust(table, |table: &SpinLock<Shard>, key| {
                let mut shard = table.lock();
                if shard.find(0, key).1 == 0 {
                    // There is a place.
                    let _ = shard.put(0, Entry::new(key, key));
                }
                drop(shard);
                table.lock().remove(0, key).map_or(0, |entry| entry.value)
            })
        },
    },
];

/// What waits for a grace period is freed before each round, where nothing is measured.
struct Flushed(Arc<dyn Side>);

impl Side for Flushed {
    fn prepare(&self) {
        rcu::flush();
    }

    fn run(&self, n: u64) -> u64 {
        self.0.run(n)
    }
}

fn list() -> Result<Arc<dyn Side>> {
    let side = rust(
        new_rcu_list!("bench_changing"),
        |list: &RcuList<u64>, key| {
            let Ok(node) = Node::new(key, GFP_ATOMIC) else {
                return 0;
            };
            list.lock().push_front(node);
            let removed = list.lock().remove(|at| *at == key);
            if let Some(removed) = removed {
                removed.defer();
            }
            0
        },
    )?;
    let side = Arc::new(Flushed(side), GFP_KERNEL)?;
    Ok(side)
}

/// What the load `list` does to its list. The element ends a grace period later: `kfree_rcu()` can
/// only free, a work can also run a destructor, as the Rust side does.
static LIST: &[Pair] = &[
    Pair {
        name: "rcu_list_change",
        what: "allocate, insert, remove, defer the end",
        irqs: Irqs::Off,
        rival: Rival::OtherC("rcu_work", c::LIST_RCU_WORK),
        rust: list,
    },
    Pair {
        name: "rcu_list_change",
        what: "allocate, insert, remove, defer the end",
        irqs: Irqs::Off,
        rival: Rival::OtherC("kfree_rcu", c::LIST_KFREE_RCU),
        rust: list,
    },
];

/// No more than a load leaves to be freed later.
const LIST_OPS: u64 = 64;

#[pin_data]
struct Handshake {
    #[pin]
    ping: Completion,
    #[pin]
    pong: Completion,
}

/// Asks a child that answers, and waits for that each time.
struct Asking(Arc<Handshake>);

impl Side for Asking {
    fn run(&self, n: u64) -> u64 {
        let shared = self.0.clone();
        let answer = Builder::new(MODULE, c"bench-answer").spawn(move |ctx| {
            while !ctx.should_stop() {
                if ctx.idle(|| shared.ping.wait_interruptible()).is_ok() {
                    shared.pong.complete();
                }
            }
            Ok(())
        });
        if answer.is_ok() {
            for _ in 0..n {
                self.0.ping.complete();
                self.0.pong.wait();
            }
        }
        0
    }
}

static HANDSHAKE: &[Pair] = &[Pair {
    name: "handshake",
    what: "signal another thread, wait for its answer",
    irqs: Irqs::On,
    rival: Rival::C(c::HANDSHAKE),
    rust: || {
        let shared = Arc::pin_init(
            pin_init!(Handshake {
                ping <- new_completion!("bench_ping"),
                pong <- new_completion!("bench_pong"),
            }),
            GFP_KERNEL,
        )?;
        let side = Arc::new(Asking(shared), GFP_KERNEL)?;
        Ok(side)
    },
}];

/// Threads are made and joined in each round, and that is not what is measured.
const HANDSHAKE_OPS: u64 = 2_000;

/// A writer waits for a grace period: that is time, and hardly any instructions of its own.
static WRITER: &[Pair] = pairs! {
    "percpu_rwsem_write", "down, add, up", On, Rival::C(c::PERCPU_RWSEM_WRITE);
    PerCpuRwSemaphore<u64> = new_percpu_rwsem!(0, "bench_percpu_rwsem_write"),
    |n, _left| inc(&mut n.write());
};

/// Each takes some ms.
const WRITER_OPS: u64 = 2;

/// How many records [`measure`] writes.
pub(super) fn figures(run: &Run<'_, '_>) -> usize {
    match run.suite {
        Suite::Exact => LIST.len(),
        Suite::Native | Suite::Real => [LIST, HANDSHAKE, WRITER].iter().map(|p| p.len()).sum(),
    }
}

/// Measures what needs other rounds than all others.
pub(super) fn measure(run: &mut Run<'_, '_>) {
    let rounds = |ops| Rounds {
        ops,
        ..run.rounds()
    };
    let [list, handshake, writer] = [LIST_OPS, HANDSHAKE_OPS, WRITER_OPS].map(rounds);
    super::measure_in(run, list, LIST);
    if run.suite != Suite::Exact {
        super::measure_in(run, handshake, HANDSHAKE);
        super::measure_in(run, writer, WRITER);
    }
}
