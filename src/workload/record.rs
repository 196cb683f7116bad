// SPDX-License-Identifier: GPL-2.0

//! `record`: writers update a record of 8 words under a lock, or replace it, readers copy it.
//!
//! What must hold: no copy is torn, and no reader sees an older record after a newer one.
#![deny(unsafe_code)]

use super::{buffered::Buffered, published::Published, Free, Guarded, Load, Plan, Twin, Worker};
use crate::{
    new_percpu_rwsem, new_rwlock, new_rwsem, new_seqcount, new_seqlock,
    stats::Counted,
    sync::{
        atomic::{Atomic, Relaxed},
        lock::Lock,
        lockable::{BackendKind, Lockable},
        new_mutex, new_spinlock,
        seqcount::Outer,
        seqlock::{SeqLockIn, Variant},
        Mutex, PerCpuRwSemaphore, RwLock, RwSemaphore, SeqCount, SeqLock, SeqLockBh, SeqLockIrq,
        SpinLock,
    },
};
use kernel::{fmt, prelude::*, sync::Arc};

const WORDS: usize = 8;

/// Record number `n`: each word tells the number in another way.
fn record(n: u64) -> Record {
    let mut words = [0; WORDS];
    for (word, salt) in words.iter_mut().zip(1u64..) {
        *word = n.wrapping_mul(salt.wrapping_mul(2).wrapping_sub(1));
    }
    words
}

/// The number of a record, if it is whole.
fn number(words: &Record) -> Option<u64> {
    words.first().copied().filter(|n| record(*n) == *words)
}

type Record = [u64; WORDS];

/// A lock that has a record inside.
trait Holds: Lockable + Send + Sync {
    /// Reads the record as a writer.
    fn load(guard: &Self::Guard<'_>) -> Record;
    /// Writes the record.
    fn store(guard: &mut Self::Guard<'_>, record: Record);
    /// Reads the record as a reader; `None` if a writer was in the way. `pause` is called while
    /// writers are kept out, where they are.
    fn try_read(&self, pause: impl Fn()) -> Option<Record>;
    /// Reads as a broken reader would.
    fn read_torn(&self, _pause: impl Fn()) -> Option<Record> {
        None
    }
}

impl<V: Variant> Holds for SeqLockIn<Record, V> {
    fn load(guard: &Self::Guard<'_>) -> Record {
        guard.load()
    }

    fn store(guard: &mut Self::Guard<'_>, record: Record) {
        guard.store(record);
    }

    fn try_read(&self, _: impl Fn()) -> Option<Record> {
        SeqLockIn::try_read(self, 1)
    }

    #[cfg(CONFIG_CHILDKERNEL_TWINS)]
    fn read_torn(&self, pause: impl Fn()) -> Option<Record> {
        Some(SeqLockIn::read_torn(self, pause))
    }
}

impl<L: Outer + Lockable + Send + Sync> Holds for SeqCount<Record, L> {
    fn load(guard: &Self::Guard<'_>) -> Record {
        guard.load()
    }

    fn store(guard: &mut Self::Guard<'_>, record: Record) {
        guard.write().store(record);
    }

    fn try_read(&self, _: impl Fn()) -> Option<Record> {
        SeqCount::try_read(self, 1)
    }

    #[cfg(CONFIG_CHILDKERNEL_TWINS)]
    fn read_torn(&self, pause: impl Fn()) -> Option<Record> {
        Some(SeqCount::read_torn(self, pause))
    }
}

macro_rules! holds {
    ($([$($generics:tt)*] $lock:ty, $read:ident;)*) => {
        $(
            impl<$($generics)*> Holds for $lock {
                fn load(guard: &Self::Guard<'_>) -> Record {
                    **guard
                }

                fn store(guard: &mut Self::Guard<'_>, record: Record) {
                    **guard = record;
                }

                fn try_read(&self, pause: impl Fn()) -> Option<Record> {
                    let guard = self.$read();
                    pause();
                    Some(*guard)
                }
            }
        )*
    };
}

holds! {
    [B: BackendKind + Send + Sync] Lock<Record, B>, lock;
    [] RwLock<Record>, read;
    [] RwSemaphore<Record>, read;
    [] PerCpuRwSemaphore<Record>, read;
}

impl Holds for Buffered<WORDS> {
    fn load(guard: &Self::Guard<'_>) -> Record {
        guard.load()
    }

    fn store(guard: &mut Self::Guard<'_>, record: Record) {
        guard.store(&record);
    }

    fn try_read(&self, pause: impl Fn()) -> Option<Record> {
        Some(self.read(pause))
    }
}

impl Holds for Published<Record> {
    fn load(guard: &Self::Guard<'_>) -> Record {
        guard.load().unwrap_or([0; WORDS])
    }

    fn store(guard: &mut Self::Guard<'_>, record: Record) {
        guard.store(record);
    }

    fn try_read(&self, pause: impl Fn()) -> Option<Record> {
        self.read(pause)
    }
}

#[pin_data]
struct Records<L: Holds> {
    #[pin]
    record: Guarded<L>,
    writers: usize,
    twin: Option<Twin>,
    writes: Atomic<u64>,
    reads: Atomic<u64>,
    retries: Atomic<u64>,
}

fn make<L: Holds + 'static>(
    plan: &Plan,
    record: impl PinInit<Guarded<L>, Error>,
) -> Result<Arc<dyn Load>> {
    let records: Arc<Records<L>> = Arc::pin_init(
        try_pin_init!(Records {
            record <- record,
            writers: plan.writers,
            twin: plan.twin,
            writes: Atomic::new(0),
            reads: Atomic::new(0),
            retries: Atomic::new(0),
        }),
        GFP_KERNEL,
    )?;
    Ok(records)
}

macro_rules! under {
    ($($name:ident: $lock:ty = $new:expr;)*) => {
        $(
            pub(super) fn $name(plan: &Plan) -> Result<Arc<dyn Load>> {
                let name = kernel::c_str!(concat!("record/", stringify!($name)));
                make(plan, Guarded::<$lock>::new(Counted::new(name, $new)))
            }
        )*
    };
}

under! {
    seqlock: SeqLock<Record> = new_seqlock!(record(0), "childkernel_record_seqlock");
    seqlock_bh: SeqLockBh<Record> = new_seqlock!(record(0), "childkernel_record_seqlock_bh");
    seqlock_irq: SeqLockIrq<Record> = new_seqlock!(record(0), "childkernel_record_seqlock_irq");
    seqcount: SeqCount<Record, SpinLock<()>> = new_seqcount!(
        record(0),
        new_spinlock!((), "childkernel_record_seqcount_lock"),
        "childkernel_record_seqcount"
    );
    seqcount_mutex: SeqCount<Record, Mutex<()>> = new_seqcount!(
        record(0),
        new_mutex!((), "childkernel_record_seqcount_mutex_lock"),
        "childkernel_record_seqcount_mutex"
    );
    spinlock: SpinLock<Record> = new_spinlock!(record(0), "childkernel_record_spinlock");
    mutex: Mutex<Record> = new_mutex!(record(0), "childkernel_record_mutex");
    rwlock: RwLock<Record> = new_rwlock!(record(0), "childkernel_record_rwlock");
    rwsem: RwSemaphore<Record> = new_rwsem!(record(0), "childkernel_record_rwsem");
    percpu_rwsem: PerCpuRwSemaphore<Record> =
        new_percpu_rwsem!(record(0), "childkernel_record_percpu");
    rcu: Published<Record> = Published::new(record(0));
    srcu: Buffered<WORDS> = Buffered::new(record(0));
}

impl<L: Holds> Records<L> {
    fn write(&self, worker: &mut Worker<'_, '_>) {
        while !worker.done() {
            let (mut guard, _) = self.record.lock(worker.ctx.token());
            let n = L::load(&guard)
                .first()
                .copied()
                .unwrap_or(0)
                .wrapping_add(1);
            worker.pace.hold();
            L::store(&mut guard, record(n));
            drop(guard);
            if self.twin.is_some() {
                // As slow as its readers, so as not to end long before them.
                for _ in 0..WORDS {
                    worker.pace.widen();
                }
            }
            worker.ctx.add_ops(1);
            worker.pace.think();
        }
        self.writes.fetch_add(worker.ops(), Relaxed);
    }

    /// One attempt to read: `None` if a writer was in the way.
    fn try_read(&self, worker: &mut Worker<'_, '_>) -> Option<Record> {
        let pace = &worker.pace;
        let read = |counted: &Counted<L>| {
            if self.twin == Some(Twin::NoRetry) {
                return counted.inner().read_torn(|| pace.widen());
            }
            counted.inner().try_read(|| pace.hold())
        };
        self.record.lock_by(worker.ctx.token(), read).0
    }

    fn read(&self, worker: &mut Worker<'_, '_>) {
        let mut newest = 0;
        let mut retries = 0u64;
        while !worker.done() {
            // Readers may be kept trying by writers for long, so each try looks whether it is
            // time to end.
            let Some(copy) = self.try_read(worker) else {
                retries = retries.wrapping_add(1);
                continue;
            };
            match number(&copy) {
                Some(n) if n >= newest => newest = n,
                _ => worker.ctx.violation(),
            }
            worker.ctx.add_ops(1);
            worker.pace.think();
        }
        self.reads.fetch_add(worker.ops(), Relaxed);
        self.retries.fetch_add(retries, Relaxed);
    }
}

impl<L: Holds> Load for Records<L> {
    fn work(&self, worker: &mut Worker<'_, '_>) -> Result {
        if worker.index < self.writers {
            self.write(worker);
        } else {
            self.read(worker);
        }
        Ok(())
    }

    /// All writes are in the record: writers exclude each other.
    fn finish(&self, free: &mut Free<'_>) -> u64 {
        let (guard, _) = self
            .record
            .lock_by(free, |counted| counted.inner().acquire());
        let last = L::load(&guard);
        u64::from(number(&last) != Some(self.writes.load(Relaxed)))
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_fmt(fmt!(
            "writes {} reads {} retries {}",
            self.writes.load(Relaxed),
            self.reads.load(Relaxed),
            self.retries.load(Relaxed)
        ))
    }
}
