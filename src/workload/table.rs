// SPDX-License-Identifier: GPL-2.0

//! `table`: children insert into, remove from and look up in one hash table, which has one lock, or
//! one for each bucket.
//!
//! Each child has keys of its own, of which it knows at any time whether they are there and with
//! what; others only look them up. Shared keys are inserted and removed by all. What must hold:
//! whatever is found is whole, a child finds of its own keys what it has put there and nothing
//! else, and in the end the table has what its children say they left, each key once.
//!
//! The memory of the table is made before: nothing is allocated under its locks.
#![deny(unsafe_code)]

use super::{
    buckets::{bucket_of, mix, Entry, Holds, Shard, BUCKETS},
    kind::{Granularity, Plan},
    Free, Guarded, Load, Twin, Worker,
};
use crate::{
    new_rwlock,
    stats::Counted,
    sync::{
        atomic::{Atomic, Relaxed},
        new_mutex, new_spinlock, Mutex, RwLock, SpinLock,
    },
};
use kernel::{fmt, prelude::*, sync::Arc};

/// How many keys each child has for itself, and all have together: powers of two.
const KEYS: u64 = 32;

/// How long the twin is without the lock, in the time that widens any race.
const GAP: usize = 32;

/// The key number `n` of an owner: a child counted from 1, or 0 for all of them.
fn key(owner: usize, n: u64) -> u64 {
    (owner as u64) << 32 | n
}

/// The key number `n` of child `index`.
fn own_key(index: usize, n: u64) -> u64 {
    key(index.saturating_add(1), n)
}

/// A key that all children use.
fn shared_key(n: u64) -> u64 {
    key(0, n)
}

struct Table<L: Holds> {
    /// All with the same statistics. A bucket belongs to the lock at the rest of its number.
    shards: KVec<Pin<KBox<Guarded<L>>>>,
    children: usize,
    twin: Option<Twin>,
    /// What each child says of each of its keys: the value that it left there, or 0.
    left: KVec<Atomic<u64>>,
    /// How often each shared key was inserted, less how often it was removed.
    shared: KVec<Atomic<i64>>,
    inserted: Atomic<u64>,
    removed: Atomic<u64>,
    found: Atomic<u64>,
    missed: Atomic<u64>,
}

macro_rules! under {
    ($($name:ident: $lock:ty = $new:ident, $class:literal;)*) => {
        $(
            pub(super) fn $name(plan: &Plan) -> Result<Arc<dyn Load>> {
                let name = kernel::c_str!(concat!("table/", stringify!($name)));
                make::<$lock, _>(plan, name, |shard| $new!(shard, $class))
            }
        )*
    };
}

under! {
    spinlock: SpinLock<Shard> = new_spinlock, "childkernel_table_spinlock";
    mutex: Mutex<Shard> = new_mutex, "childkernel_table_mutex";
    rwlock: RwLock<Shard> = new_rwlock, "childkernel_table_rwlock";
}

fn zeroes<T>(n: usize, zero: impl Fn() -> T) -> Result<KVec<T>> {
    let mut zeroes = KVec::with_capacity(n, GFP_KERNEL)?;
    for _ in 0..n {
        zeroes.push(zero(), GFP_KERNEL)?;
    }
    Ok(zeroes)
}

/// How many keys may come to each bucket.
fn room(children: usize) -> [usize; BUCKETS] {
    let mut room = [0usize; BUCKETS];
    let keys = (0..=children).flat_map(|owner| (0..KEYS).map(move |n| key(owner, n)));
    for key in keys {
        if let Some(room) = room.get_mut(bucket_of(key)) {
            *room = room.saturating_add(1);
        }
    }
    room
}

fn make<L, I>(plan: &Plan, name: &CStr, new: impl Fn(Shard) -> I) -> Result<Arc<dyn Load>>
where
    L: Holds + 'static,
    I: PinInit<L>,
{
    let locks = match plan.granularity {
        Granularity::Coarse => 1,
        Granularity::Fine => BUCKETS,
    };
    let room = room(plan.children);
    let mut shards: KVec<Pin<KBox<Guarded<L>>>> = KVec::with_capacity(locks, GFP_KERNEL)?;
    for first in 0..locks {
        let shard = Shard::new(room.iter().copied().skip(first).step_by(locks))?;
        let lock = new(shard);
        let shard = match shards.first() {
            None => KBox::pin_init(Guarded::new(Counted::new(name, lock)), GFP_KERNEL),
            Some(with) => {
                let lock = Counted::sharing(with.unordered(), lock);
                KBox::pin_init(Guarded::new(lock), GFP_KERNEL)
            }
        };
        shards.push(shard?, GFP_KERNEL)?;
    }
    let own = plan.children.saturating_mul(KEYS as usize);
    let table = Arc::new(
        Table {
            shards,
            children: plan.children,
            twin: plan.twin,
            left: zeroes(own, || Atomic::new(0))?,
            shared: zeroes(KEYS as usize, || Atomic::new(0))?,
            inserted: Atomic::new(0),
            removed: Atomic::new(0),
            found: Atomic::new(0),
            missed: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    Ok(table)
}

/// What one child has done, and how it chooses what to do.
struct Hand {
    random: u64,
    inserted: u64,
    removed: u64,
    found: u64,
    missed: u64,
}

impl Hand {
    fn new(index: usize) -> Self {
        Self {
            random: mix((index as u64).wrapping_add(1)),
            inserted: 0,
            removed: 0,
            found: 0,
            missed: 0,
        }
    }

    /// A number that is not 0.
    fn random(&mut self) -> u64 {
        // Marsaglia's xorshift: only 0 is followed by 0.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }
}

impl<L: Holds> Table<L> {
    /// The lock of a key, and which of the buckets inside is the key's.
    fn locate(&self, key: u64) -> Result<(&Guarded<L>, usize)> {
        let bucket = bucket_of(key);
        let locks = self.shards.len();
        let at = bucket.checked_rem(locks).ok_or(EINVAL)?;
        let row = bucket.checked_div(locks).ok_or(EINVAL)?;
        Ok((self.shards.get(at).ok_or(EINVAL)?, row))
    }

    fn left(&self, index: usize, n: u64) -> Result<&Atomic<u64>> {
        let at = index.saturating_mul(KEYS as usize);
        self.left.get(at.saturating_add(n as usize)).ok_or(EINVAL)
    }

    /// Looks a key up. What is found must be whole.
    fn look_up(
        &self,
        worker: &mut Worker<'_, '_>,
        hand: &mut Hand,
        key: u64,
    ) -> Result<Option<u64>> {
        let (lock, row) = self.locate(key)?;
        let pace = &worker.pace;
        let look = |shard: &Shard| {
            pace.hold();
            shard.find(row, key)
        };
        let (seen, _) = lock.lock_by(worker.ctx.token(), |counted| L::read(counted, look));
        let (found, times) = seen;
        match found {
            Some(entry) if times > 1 || !entry.is_whole() => worker.ctx.violation(),
            Some(_) => hand.found = hand.found.wrapping_add(1),
            None => hand.missed = hand.missed.wrapping_add(1),
        }
        Ok(found.map(|entry| entry.value))
    }

    /// Inserts an entry unless its key is there. False if it is.
    fn insert(
        &self,
        worker: &mut Worker<'_, '_>,
        hand: &mut Hand,
        key: u64,
        value: u64,
    ) -> Result<bool> {
        let (lock, row) = self.locate(key)?;
        let seen = match self.twin {
            Some(Twin::Relock) => Some(self.look_up(worker, hand, key)?.is_some()),
            _ => None,
        };
        if seen.is_some() {
            for _ in 0..GAP {
                worker.pace.widen();
            }
        }
        let (mut guard, _) = lock.lock(worker.ctx.token());
        let there = seen.unwrap_or_else(|| L::shard(&guard).find(row, key).1 > 0);
        if there {
            return Ok(false);
        }
        worker.pace.hold();
        let put = L::shard_mut(&mut guard).put(row, Entry::new(key, value));
        drop(guard);
        if put.is_err() {
            worker.ctx.violation();
            return Ok(false);
        }
        hand.inserted = hand.inserted.wrapping_add(1);
        Ok(true)
    }

    fn remove(
        &self,
        worker: &mut Worker<'_, '_>,
        hand: &mut Hand,
        key: u64,
    ) -> Result<Option<u64>> {
        let (lock, row) = self.locate(key)?;
        let (mut guard, _) = lock.lock(worker.ctx.token());
        worker.pace.hold();
        let removed = L::shard_mut(&mut guard).remove(row, key);
        drop(guard);
        if let Some(entry) = removed {
            if !entry.is_whole() {
                worker.ctx.violation();
            }
            hand.removed = hand.removed.wrapping_add(1);
        }
        Ok(removed.map(|entry| entry.value))
    }

    /// Does something with a key of the child's own, of which it knows what must come of that.
    fn use_own(&self, worker: &mut Worker<'_, '_>, hand: &mut Hand, n: u64) -> Result {
        let key = own_key(worker.index, n);
        let left = self.left(worker.index, n)?;
        let mine = Some(left.load(Relaxed)).filter(|value| *value != 0);
        let is_so = if hand.random() % 2 == 0 {
            self.look_up(worker, hand, key)? == mine
        } else if mine.is_some() {
            let removed = self.remove(worker, hand, key)?;
            left.store(0, Relaxed);
            removed == mine
        } else {
            let value = hand.random();
            let inserted = self.insert(worker, hand, key, value)?;
            left.store(value, Relaxed);
            inserted
        };
        if !is_so {
            worker.ctx.violation();
        }
        Ok(())
    }

    fn use_shared(&self, worker: &mut Worker<'_, '_>, hand: &mut Hand, n: u64) -> Result {
        let key = shared_key(n);
        let count = self.shared.get(n as usize).ok_or(EINVAL)?;
        match hand.random() % 4 {
            0 => {
                let value = hand.random();
                if self.insert(worker, hand, key, value)? {
                    count.add(1, Relaxed);
                }
            }
            1 => {
                if self.remove(worker, hand, key)?.is_some() {
                    count.fetch_sub(1, Relaxed);
                }
            }
            _ => drop(self.look_up(worker, hand, key)?),
        }
        Ok(())
    }

    /// Does one thing.
    fn step(&self, worker: &mut Worker<'_, '_>, hand: &mut Hand) -> Result {
        let random = hand.random();
        let n = (random >> 32) % KEYS;
        if self.twin.is_some() {
            // Few keys, for its children to meet.
            return self.use_shared(worker, hand, n % 2);
        }
        match random % 4 {
            0 | 1 => self.use_own(worker, hand, n),
            2 => self.use_shared(worker, hand, n),
            _ => {
                let whose = (random >> 8) as usize % 256;
                let whose = whose.checked_rem(self.children).unwrap_or(0);
                self.look_up(worker, hand, own_key(whose, n)).map(drop)
            }
        }
    }

    /// Whether a key is there as often as it should, and with this value if there is one. Counts
    /// what is there.
    fn is_as_left(
        &self,
        free: &mut Free<'_>,
        key: u64,
        times: i64,
        value: Option<u64>,
        entries: &mut u64,
    ) -> bool {
        let Ok((lock, row)) = self.locate(key) else {
            return false;
        };
        let (guard, _) = lock.lock_by(free, |counted| counted.inner().acquire());
        let (entry, there) = L::shard(&guard).find(row, key);
        *entries = entries.wrapping_add(there);
        let right =
            |entry: Entry| entry.is_whole() && value.is_none_or(|value| value == entry.value);
        there <= 1 && there as i64 == times && entry.is_none_or(right)
    }

    /// How many entries there are at all.
    fn count(&self, free: &mut Free<'_>) -> u64 {
        let mut entries = 0usize;
        for lock in &self.shards {
            let (guard, _) = lock.lock_by(free, |counted| counted.inner().acquire());
            entries = entries.wrapping_add(L::shard(&guard).count());
        }
        entries as u64
    }
}

impl<L: Holds> Load for Table<L> {
    fn work(&self, worker: &mut Worker<'_, '_>) -> Result {
        let mut hand = Hand::new(worker.index);
        while !worker.done() {
            self.step(worker, &mut hand)?;
            worker.ctx.add_ops(1);
            worker.pace.think();
        }
        self.inserted.fetch_add(hand.inserted, Relaxed);
        self.removed.fetch_add(hand.removed, Relaxed);
        self.found.fetch_add(hand.found, Relaxed);
        self.missed.fetch_add(hand.missed, Relaxed);
        Ok(())
    }

    fn finish(&self, free: &mut Free<'_>) -> u64 {
        let mut violations = 0u64;
        let mut entries = 0u64;
        for index in 0..self.children {
            for n in 0..KEYS {
                let value = self.left(index, n).map_or(0, |left| left.load(Relaxed));
                let (key, times) = (own_key(index, n), i64::from(value != 0));
                let right = self.is_as_left(free, key, times, Some(value), &mut entries);
                violations = violations.wrapping_add(u64::from(!right));
            }
        }
        for (n, times) in (0..KEYS).zip(&self.shared) {
            let times = times.load(Relaxed);
            let right = self.is_as_left(free, shared_key(n), times, None, &mut entries);
            violations = violations.wrapping_add(u64::from(!right));
        }
        let left = self
            .inserted
            .load(Relaxed)
            .wrapping_sub(self.removed.load(Relaxed));
        let all = self.count(free);
        violations.wrapping_add(u64::from(entries != all || entries != left))
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "locks {} inserted {} removed {} found {} missed {}",
            self.shards.len(),
            self.inserted.load(Relaxed),
            self.removed.load(Relaxed),
            self.found.load(Relaxed),
            self.missed.load(Relaxed)
        ))
    }
}
