// SPDX-License-Identifier: GPL-2.0

//! What two contexts share: two words, and one of the variants that is to keep others out.

use childkernel::sync::{
    atomic::{Atomic, Relaxed},
    lock::{Backend, Lock},
    preempt::{
        local_bh_disable, local_interrupt_disable, preempt_disable, BottomHalvesDisabled,
        LocalInterruptDisabled, PreemptDisabled,
    },
    rwlock::{RwLockIn, Variant},
    seqlock::{self, SeqLockIn, WriteGuard},
};
use core::marker::PhantomData;
use kernel::{prelude::*, sync::LockClassKey};

/// They are equal whenever nobody is inside.
pub(super) type Words = [u64; 2];

/// Lock classes of one cell alone: what is right in one is wrong in another.
pub(super) type Keys = [Pin<&'static LockClassKey>; 2];

/// Two words that contexts share.
pub(super) trait Shared: Send + Sync + Sized + 'static {
    /// Whether it has a holder that others wait for.
    const LOCKS: bool = true;

    /// Makes one, of zeros.
    fn init(keys: Keys) -> impl PinInit<Self>;

    /// Adds one to the first word, calls `inside`, adds one to the second; waits if it has to.
    /// Returns whether they were equal before.
    fn add(&self, inside: &dyn Fn()) -> bool;

    /// The same, unless somebody is inside.
    fn try_add(&self, inside: &dyn Fn()) -> Option<bool>;

    /// What a reader sees, unless somebody is inside.
    fn look(&self) -> Option<Words>;
}

fn step(words: &mut Words, inside: &dyn Fn()) -> bool {
    let equal = words[0] == words[1];
    words[0] += 1;
    inside();
    words[1] += 1;
    equal
}

impl<B: Backend + 'static> Shared for Lock<Words, B> {
    fn init(keys: Keys) -> impl PinInit<Self> {
        Lock::new([0; 2], c"cell", keys[0])
    }

    fn add(&self, inside: &dyn Fn()) -> bool {
        step(&mut self.lock(), inside)
    }

    fn try_add(&self, inside: &dyn Fn()) -> Option<bool> {
        Some(step(&mut *self.try_lock()?, inside))
    }

    fn look(&self) -> Option<Words> {
        self.try_lock().map(|words| *words)
    }
}

impl<V: Variant + 'static> Shared for RwLockIn<Words, V> {
    fn init(keys: Keys) -> impl PinInit<Self> {
        RwLockIn::new([0; 2], c"cell", keys[0])
    }

    fn add(&self, inside: &dyn Fn()) -> bool {
        step(&mut self.write(), inside)
    }

    fn try_add(&self, inside: &dyn Fn()) -> Option<bool> {
        Some(step(&mut *self.try_write()?, inside))
    }

    fn look(&self) -> Option<Words> {
        self.try_read().map(|words| *words)
    }
}

impl<V: seqlock::Variant + 'static> Shared for SeqLockIn<Words, V> {
    fn init(keys: Keys) -> impl PinInit<Self> {
        SeqLockIn::new([0; 2], c"cell", keys[0], keys[1])
    }

    fn add(&self, inside: &dyn Fn()) -> bool {
        write(self.write(), inside)
    }

    fn try_add(&self, inside: &dyn Fn()) -> Option<bool> {
        Some(write(self.try_write()?, inside))
    }

    fn look(&self) -> Option<Words> {
        self.try_read(3)
    }
}

fn write<V: seqlock::Variant>(mut guard: WriteGuard<'_, Words, V>, inside: &dyn Fn()) -> bool {
    let mut words = guard.load();
    let equal = step(&mut words, inside);
    guard.store(words);
    equal
}

/// Something that is kept off this CPU as long as the token lives.
pub(super) trait Token: Send + Sync + 'static {
    type Off;

    fn take() -> Self::Off;
}

pub(super) struct Nothing;
pub(super) struct NoPreempt;
pub(super) struct NoBh;
pub(super) struct NoIrq;

impl Token for Nothing {
    type Off = ();

    fn take() {}
}

impl Token for NoPreempt {
    type Off = PreemptDisabled;

    fn take() -> PreemptDisabled {
        preempt_disable()
    }
}

impl Token for NoBh {
    type Off = BottomHalvesDisabled;

    fn take() -> BottomHalvesDisabled {
        local_bh_disable()
    }
}

impl Token for NoIrq {
    type Off = LocalInterruptDisabled;

    fn take() -> LocalInterruptDisabled {
        local_interrupt_disable()
    }
}

/// The two words with a token alone, which is no lock. The words are atomic, so that what gets
/// lost is a count and not the language's rules.
pub(super) struct Alone<K: Token> {
    words: [Atomic<u64>; 2],
    _token: PhantomData<fn() -> K>,
}

impl<K: Token> Shared for Alone<K> {
    const LOCKS: bool = false;

    fn init(_: Keys) -> impl PinInit<Self> {
        Self {
            words: [Atomic::new(0), Atomic::new(0)],
            _token: PhantomData,
        }
    }

    fn add(&self, inside: &dyn Fn()) -> bool {
        let off = K::take();
        let [first, second] = &self.words;
        let (a, b) = (first.load(Relaxed), second.load(Relaxed));
        first.store(a + 1, Relaxed);
        inside();
        second.store(b + 1, Relaxed);
        drop(off);
        a == b
    }

    fn try_add(&self, inside: &dyn Fn()) -> Option<bool> {
        Some(self.add(inside))
    }

    fn look(&self) -> Option<Words> {
        let [first, second] = &self.words;
        let off = K::take();
        let words = [first.load(Relaxed), second.load(Relaxed)];
        drop(off);
        Some(words)
    }
}
