// SPDX-License-Identifier: GPL-2.0

//! Atomics and bits.

use super::{cpus::has_two, is_done, spawn_on};
use childkernel::{
    child::Context,
    sync::{
        atomic::{Acquire, Atomic, Bit, BitArray, FetchUpdate, Full, Relaxed, Release},
        preempt::preempt_disable,
    },
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{delay::udelay, Delta, Instant, Monotonic},
};

cases!(sync_atomic:
    fetch_update_promises,
    fetch_update_exact,
    bits_promises,
    bits_not_atomic,
    bits_shared,
    bit_lock_excludes,
);

/// Runs `body` in two children at once, on two CPUs if there are, telling it which one it is, and
/// says whether both have ended without an error.
pub(super) fn both<F>(body: F) -> Result<bool>
where
    F: Fn(&mut Context<'_>, usize) -> Result + Send + Sync + 'static,
{
    let body = Arc::new(body, GFP_KERNEL)?;
    let here = Arc::new(Atomic::<usize>::new(0), GFP_KERNEL)?;
    let mut children = KVec::new();
    for which in 0..2 {
        let (body, here) = (body.clone(), here.clone());
        let child = spawn_on(c"either", which as u32, move |ctx| {
            // One that ran alone could do no wrong.
            here.fetch_add(1, Full);
            while here.load(Acquire) < 2 {
                if ctx.should_stop() {
                    return Err(EINTR);
                }
            }
            body(ctx, which)
        })?;
        children.push(child, GFP_KERNEL)?;
    }
    Ok(children.iter().all(is_done))
}

/// Tries a broken twin until it is caught, as it has to be where two CPUs can race. On a machine with
/// other work they may do so for short moments only, so it is tried for some time at least.
pub(super) fn is_caught(mut twin: impl FnMut() -> Result<bool>) -> Result<bool> {
    if !has_two()? {
        return Ok(true);
    }
    let begun = Instant::<Monotonic>::now();
    let mut tries = 0u32;
    while tries < 20 || begun.elapsed().as_millis() < 30_000 {
        if twin()? {
            return Ok(true);
        }
        tries += 1;
    }
    Ok(false)
}

fn fetch_update_promises() -> Result {
    let n = Atomic::new(5u32);
    ensure!(n.fetch_update(|n| n.checked_add(1), Relaxed) == Ok(5));
    ensure!(n.fetch_update(|n| n.checked_add(1), Acquire) == Ok(6));
    ensure!(n.fetch_update(|n| n.checked_add(1), Release) == Ok(7));
    ensure!(n.fetch_update(|n| n.checked_add(1), Full) == Ok(8));
    ensure!(n.fetch_update(|_| None, Relaxed) == Err(9));
    ensure!(n.load(Relaxed) == 9);

    // Somebody else is faster twice: nothing of what it did is lost.
    let mut calls = 0;
    let before = n.fetch_update(
        |old| {
            calls += 1;
            if calls < 3 {
                n.add(10, Relaxed);
            }
            Some(old + 1)
        },
        Relaxed,
    );
    ensure!(before == Ok(29) && calls == 3);
    ensure!(n.load(Relaxed) == 30);

    let byte = Atomic::new(i8::MAX);
    ensure!(byte.fetch_update(|n| n.checked_add(1), Full) == Err(i8::MAX));
    let word = Atomic::new(i64::MIN);
    ensure!(word.fetch_update(|n| n.checked_neg().or(Some(1)), Full) == Ok(i64::MIN));
    ensure!(word.load(Relaxed) == 1);
    let flag = Atomic::new(false);
    ensure!(flag.fetch_update(|f| (!f).then_some(true), Full) == Ok(false));
    ensure!(flag.fetch_update(|f| (!f).then_some(true), Full) == Err(true));
    let mut target = 7u8;
    let ptr = Atomic::new(core::ptr::null_mut::<u8>());
    let there: *mut u8 = &mut target;
    ensure!(ptr
        .fetch_update(|p| p.is_null().then_some(there), Full)
        .is_ok());
    ensure!(ptr.fetch_update(|p| p.is_null().then_some(there), Full) == Err(there));
    Ok(())
}

/// Two add 20,000 each, in steps of which a third is refused by the closure.
fn fetch_update_exact() -> Result {
    let n = Arc::new(Atomic::<u64>::new(0), GFP_KERNEL)?;
    let same = n.clone();
    ensure!(both(move |_, _| {
        for i in 0..30_000 {
            let done = same.fetch_update(|n| (i % 3 != 0).then_some(n + 1), Relaxed);
            if done.is_ok() != (i % 3 != 0) {
                return Err(EINVAL);
            }
        }
        Ok(())
    })?);
    ensure!(n.load(Relaxed) == 40_000);

    // The broken twin, by a load and a store.
    ensure!(is_caught(|| {
        let n = Arc::new(Atomic::<u64>::new(0), GFP_KERNEL)?;
        let same = n.clone();
        let ended = both(move |_, _| {
            for _ in 0..20_000 {
                let old = same.load(Relaxed);
                udelay(Delta::from_micros(1));
                same.store(old + 1, Relaxed);
            }
            Ok(())
        })?;
        Ok(ended && n.load(Relaxed) != 40_000)
    })?);
    Ok(())
}

static FLAGS: BitArray<1> = BitArray::new();

/// Every operation at both ends of each word: it changes that bit alone, and returns the old one.
fn bits_promises() -> Result {
    const LAST: usize = 2 * usize::BITS as usize - 1;
    ensure!(Bit::<2>::new(LAST) == Some(Bit::at::<LAST>()));
    ensure!(Bit::<2>::new(LAST + 1).is_none() && Bit::<2>::new(usize::MAX).is_none());
    ensure!(Bit::<0>::new(0).is_none());
    ensure!(Bit::<2>::at::<70>().number() == 70);

    let bits = BitArray::<2>::new();
    let only = |n: Option<usize>| {
        (0..=LAST).all(|i| Bit::new(i).is_some_and(|bit| bits.test(bit) == (n == Some(i))))
    };
    for n in [0, 1, 31, 32, LAST / 2, LAST / 2 + 1, LAST] {
        let bit = Bit::new(n).ok_or(EINVAL)?;
        ensure!(only(None));
        bits.set(bit);
        ensure!(only(Some(n)) && bits.test_acquire(bit));
        bits.set(bit);
        ensure!(bits.test_and_set(bit) && only(Some(n)));
        bits.clear(bit);
        ensure!(only(None) && !bits.test_acquire(bit));
        bits.clear(bit);
        ensure!(!bits.test_and_clear(bit) && only(None));
        bits.change(bit);
        ensure!(only(Some(n)));
        bits.change(bit);
        ensure!(only(None));
        ensure!(!bits.test_and_change(bit) && only(Some(n)));
        ensure!(bits.test_and_change(bit) && only(None));
        ensure!(!bits.test_and_set(bit) && only(Some(n)));
        ensure!(bits.test_and_clear(bit) && only(None));
        ensure!(!bits.test_and_set_lock(bit) && only(Some(n)));
        ensure!(bits.test_and_set_lock(bit) && only(Some(n)));
        bits.clear_unlock(bit);
    }
    ensure!(only(None));

    const READY: Bit<1> = Bit::at::<3>();
    FLAGS.set(READY);
    ensure!(FLAGS.test_and_clear(READY) && !FLAGS.test(READY));
    Ok(())
}

fn bits_not_atomic() -> Result {
    let mut bits = BitArray::<2>::default();
    for n in [0, 63, 64, 127] {
        let bit = Bit::new(n).ok_or(EINVAL)?;
        bits.set_mut(bit);
        ensure!(bits.test(bit) && bits.test_and_set_mut(bit));
        bits.clear_mut(bit);
        ensure!(!bits.test(bit) && !bits.test_and_clear_mut(bit));
        bits.change_mut(bit);
        ensure!(bits.test(bit) && bits.test_and_change_mut(bit));
        ensure!(!bits.test(bit) && !bits.test_and_set_mut(bit));
        ensure!(bits.test_and_clear_mut(bit) && !bits.test_and_change_mut(bit));
        ensure!(bits.test(bit));
    }
    let set = (0..128).filter_map(Bit::new).filter(|&bit| bits.test(bit));
    ensure!(set.count() == 4);
    Ok(())
}

/// What two children do to bits of the same words.
trait Words: Send + Sync + 'static {
    fn set(&self, bit: Bit<2>);
    fn clear(&self, bit: Bit<2>);
    fn change(&self, bit: Bit<2>);
    fn test_and_set(&self, bit: Bit<2>) -> bool;
    fn test_and_clear(&self, bit: Bit<2>) -> bool;
    fn test_and_change(&self, bit: Bit<2>) -> bool;
    fn test(&self, bit: Bit<2>) -> bool;
}

impl Words for BitArray<2> {
    fn set(&self, bit: Bit<2>) {
        self.set(bit);
    }
    fn clear(&self, bit: Bit<2>) {
        self.clear(bit);
    }
    fn change(&self, bit: Bit<2>) {
        self.change(bit);
    }
    fn test_and_set(&self, bit: Bit<2>) -> bool {
        self.test_and_set(bit)
    }
    fn test_and_clear(&self, bit: Bit<2>) -> bool {
        self.test_and_clear(bit)
    }
    fn test_and_change(&self, bit: Bit<2>) -> bool {
        self.test_and_change(bit)
    }
    fn test(&self, bit: Bit<2>) -> bool {
        self.test(bit)
    }
}

/// The broken twin: reads a word, and writes it back changed.
struct Torn([Atomic<usize>; 2]);

impl Torn {
    fn modify(&self, bit: Bit<2>, change: impl Fn(usize, usize) -> usize) -> bool {
        let mask = 1usize << (bit.number() % usize::BITS as usize);
        let Some(word) = self.0.get(bit.number() / usize::BITS as usize) else {
            return false;
        };
        let old = word.load(Relaxed);
        udelay(Delta::from_micros(1));
        word.store(change(old, mask), Relaxed);
        old & mask != 0
    }
}

impl Words for Torn {
    fn set(&self, bit: Bit<2>) {
        self.test_and_set(bit);
    }
    fn clear(&self, bit: Bit<2>) {
        self.test_and_clear(bit);
    }
    fn change(&self, bit: Bit<2>) {
        self.test_and_change(bit);
    }
    fn test_and_set(&self, bit: Bit<2>) -> bool {
        self.modify(bit, |old, mask| old | mask)
    }
    fn test_and_clear(&self, bit: Bit<2>) -> bool {
        self.modify(bit, |old, mask| old & !mask)
    }
    fn test_and_change(&self, bit: Bit<2>) -> bool {
        self.modify(bit, |old, mask| old ^ mask)
    }
    fn test(&self, bit: Bit<2>) -> bool {
        self.modify(bit, |old, _| old)
    }
}

/// One child has the even bits of two words, the other the odd ones: each finds its own as it left
/// them. Returns how often that was not so; they do not go on when it was.
fn hammer(words: Arc<impl Words>, rounds: usize) -> Result<u64> {
    let wrong = Arc::new(Atomic::<u64>::new(0), GFP_KERNEL)?;
    let count = wrong.clone();
    let ended = both(move |_, which| {
        let ensure = |what: bool| count.add(u64::from(!what), Relaxed);
        for _ in 0..rounds {
            for bit in (which..2 * usize::BITS as usize)
                .step_by(2)
                .filter_map(Bit::new)
            {
                words.set(bit);
                ensure(words.test_and_clear(bit));
                ensure(!words.test_and_set(bit));
                words.change(bit);
                ensure(!words.test_and_change(bit));
                words.clear(bit);
                ensure(!words.test(bit));
            }
            if count.load(Relaxed) > 0 {
                break;
            }
        }
        Ok(())
    })?;
    if !ended {
        return Err(ETIMEDOUT);
    }
    Ok(wrong.load(Relaxed))
}

fn bits_shared() -> Result {
    ensure!(hammer(Arc::new(BitArray::new(), GFP_KERNEL)?, 100)? == 0);
    ensure!(is_caught(|| {
        let torn = Torn([Atomic::new(0), Atomic::new(0)]);
        Ok(hammer(Arc::new(torn, GFP_KERNEL)?, 200)? != 0)
    })?);
    Ok(())
}

/// A number that is added to by a load and a store, under a bit.
fn bit_lock_excludes() -> Result {
    const LOCK: Bit<1> = Bit::at::<5>();
    struct Locked {
        bits: BitArray<1>,
        number: Atomic<u64>,
        inside: Atomic<u64>,
    }
    let locked = Arc::new(
        Locked {
            bits: BitArray::new(),
            number: Atomic::new(0),
            inside: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    let same = locked.clone();
    ensure!(both(move |ctx, _| {
        for _ in 0..2_000 {
            let here = loop {
                let here = preempt_disable();
                if !same.bits.test_and_set_lock(LOCK) {
                    break here;
                }
                drop(here);
                if ctx.should_stop() {
                    return Err(EINTR);
                }
            };
            let alone = same.inside.fetch_add(1, Relaxed) == 0;
            let old = same.number.load(Relaxed);
            udelay(Delta::from_micros(1));
            same.number.store(old + 1, Relaxed);
            same.inside.fetch_sub(1, Relaxed);
            same.bits.clear_unlock(LOCK);
            drop(here);
            if !alone {
                return Err(EBUSY);
            }
        }
        Ok(())
    })?);
    ensure!(locked.number.load(Relaxed) == 4_000);
    ensure!(!locked.bits.test(LOCK));
    Ok(())
}
