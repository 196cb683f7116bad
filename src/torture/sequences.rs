// SPDX-License-Identifier: GPL-2.0

//! Sequence locks and counts: no copy is torn, and none is older than what was written before.
#![deny(unsafe_code)]

use super::{
    actor::Actor,
    outcome::Wrong,
    Contexts::{Hardirq, Process, Softirq},
    Entry,
    Mistake::{self, NoRetry, Relock, TwoReads},
    Setup, Subject,
};
use crate::{
    new_raw_spinlock_irq, new_rwlock, new_seqcount, new_seqlock,
    sync::{
        atomic::{Acquire, Atomic, Release},
        new_mutex, new_spinlock,
        seqcount::Outer,
        seqlock::{self, SeqLockIn},
        Mutex, RawSpinLockIrq, RwLock, SeqCount, SpinLock,
    },
};
use kernel::{prelude::*, sync::Arc};

/// What is inside: all the same whenever nobody writes.
type Words = [u64; 4];

/// How often a reader tries before it gives up, or locks.
const TRIES: u32 = 4;

/// Something that is read without a lock.
trait Sequence: Send + Sync + 'static {
    fn read(&self) -> Words;
    fn try_read(&self) -> Option<Words>;
    /// Without a retry for ever: takes the lock after a few.
    fn read_or_lock(&self) -> Words;
    fn read_locked(&self) -> Words;
    /// What a broken reader does.
    fn read_torn(&self, pause: impl Fn()) -> Words;
    /// Stores what `next` makes of the present value.
    fn update(&self, next: impl FnOnce(Words) -> Words);
    fn try_update(&self, next: impl FnOnce(Words) -> Words) -> bool;
}

impl<V: seqlock::Variant + 'static> Sequence for SeqLockIn<Words, V> {
    fn read(&self) -> Words {
        SeqLockIn::read(self)
    }
    fn try_read(&self) -> Option<Words> {
        SeqLockIn::try_read(self, TRIES)
    }
    fn read_or_lock(&self) -> Words {
        SeqLockIn::read_or_lock(self, TRIES)
    }
    fn read_locked(&self) -> Words {
        *SeqLockIn::read_locked(self)
    }
    fn read_torn(&self, pause: impl Fn()) -> Words {
        SeqLockIn::read_torn(self, pause)
    }
    fn update(&self, next: impl FnOnce(Words) -> Words) {
        self.write().update(next);
    }
    fn try_update(&self, next: impl FnOnce(Words) -> Words) -> bool {
        let guard = self.try_write();
        guard.map(|mut guard| guard.update(next)).is_some()
    }
}

impl<L: Outer + Send + Sync + 'static> Sequence for SeqCount<Words, L> {
    fn read(&self) -> Words {
        SeqCount::read(self)
    }
    fn try_read(&self) -> Option<Words> {
        SeqCount::try_read(self, TRIES)
    }
    fn read_or_lock(&self) -> Words {
        SeqCount::read_or_lock(self, TRIES)
    }
    fn read_locked(&self) -> Words {
        self.lock().load()
    }
    fn read_torn(&self, pause: impl Fn()) -> Words {
        SeqCount::read_torn(self, pause)
    }
    fn update(&self, next: impl FnOnce(Words) -> Words) {
        self.lock().write().update(next);
    }
    fn try_update(&self, next: impl FnOnce(Words) -> Words) -> bool {
        let guard = self.try_lock();
        guard.map(|mut guard| guard.write().update(next)).is_some()
    }
}

/// It, and how often it was written.
#[pin_data]
struct Sequenced<S: Sequence> {
    #[pin]
    sequence: S,
    /// How often it was written. Counted after that, so that the value is not less.
    written: Atomic<u64>,
}

impl<S: Sequence> Sequenced<S> {
    fn make<E>(sequence: impl PinInit<S, E>) -> Result<Arc<dyn Subject>>
    where
        Error: From<E>,
    {
        let subject = Arc::<Self>::pin_init::<Error>(
            try_pin_init!(Self {
                sequence <- sequence,
                written: Atomic::new(0),
            }? Error),
            GFP_KERNEL,
        )?;
        Ok(subject)
    }

    fn copy(&self, actor: &mut Actor<'_>) -> Option<Words> {
        let sequence = &self.sequence;
        if actor.errs(NoRetry) {
            return Some(sequence.read_torn(|| crate::ffi::ndelay(500)));
        }
        if actor.errs(TwoReads) {
            let [a, b, ..] = sequence.read();
            actor.pause();
            let [.., c, d] = sequence.read();
            return Some([a, b, c, d]);
        }
        actor.wait(|actor| match actor.random.below(8) {
            0 => sequence.try_read(),
            1 => Some(sequence.read_or_lock()),
            2 => Some(sequence.read_locked()),
            _ => Some(sequence.read()),
        })
    }

    fn read(&self, actor: &mut Actor<'_>) {
        // Acquire: what was written by then is seen.
        let before = self.written.load(Acquire);
        let Some([first, rest @ ..]) = self.copy(actor) else {
            return;
        };
        let whole = rest.iter().all(|word| *word == first);
        actor.check(whole, Wrong::Torn);
        actor.check(first >= before, Wrong::Backwards);
    }

    fn write(&self, actor: &mut Actor<'_>) {
        let more = |[n, ..]: Words| [n.wrapping_add(1); 4];
        if actor.errs(Relock) {
            let known = self.sequence.read_locked();
            actor.rest(true);
            self.sequence.update(|_| more(known));
            self.written.fetch_add(1, Release);
            return;
        }
        let (sequence, tries) = (&self.sequence, actor.random.one_in(4));
        let done = actor.wait(|actor| {
            let next = |words| {
                actor.pause();
                more(words)
            };
            match tries {
                true => sequence.try_update(next),
                false => {
                    sequence.update(next);
                    true
                }
            }
        });
        if done {
            self.written.fetch_add(1, Release);
        }
    }
}

impl<S: Sequence> Subject for Sequenced<S> {
    fn act(&self, actor: &mut Actor<'_>) {
        if actor.reads() {
            self.read(actor);
        } else {
            self.write(actor);
        }
    }

    fn settle(&self, actor: &mut Actor<'_>) {
        let [value, ..] = self.sequence.read();
        actor.check(value == self.written.load(Acquire), Wrong::Lost);
    }
}

const TWINS: &[Mistake] = &[NoRetry, TwoReads, Relock];

macro_rules! entries {
    ($($name:ident, $contexts:ident, $sequence:ty: $init:expr;)*) => {
        /// All of them.
        pub(super) static ENTRIES: &[Entry] = &[$(
            Entry {
                name: stringify!($name),
                contexts: $contexts,
                spins: true,
                twins: TWINS,
                make: |_: &Setup| Sequenced::<$sequence>::make($init),
            },
        )*];
    };
}

entries! {
    seqlock, Process, SeqLockIn<Words, seqlock::Plain>: new_seqlock!([0; 4], "torture_seqlock");
    seqlock_bh, Softirq, SeqLockIn<Words, seqlock::Bh>: new_seqlock!([0; 4], "torture_seqlock_bh");
    seqlock_irq, Hardirq, SeqLockIn<Words, seqlock::Irq>:
        new_seqlock!([0; 4], "torture_seqlock_irq");
    seqcount, Process, SeqCount<Words, SpinLock<()>>: new_seqcount!(
        [0; 4],
        new_spinlock!((), "torture_seqcount_lock"),
        "torture_seqcount"
    );
    seqcount_raw_irq, Hardirq, SeqCount<Words, RawSpinLockIrq<()>>: new_seqcount!(
        [0; 4],
        new_raw_spinlock_irq!((), "torture_seqcount_raw_lock"),
        "torture_seqcount_raw"
    );
    seqcount_rwlock, Process, SeqCount<Words, RwLock<()>>: new_seqcount!(
        [0; 4],
        new_rwlock!((), "torture_seqcount_rw_lock"),
        "torture_seqcount_rw"
    );
    seqcount_mutex, Process, SeqCount<Words, Mutex<()>>: new_seqcount!(
        [0; 4],
        new_mutex!((), "torture_seqcount_mx_lock"),
        "torture_seqcount_mx"
    );
}
