// SPDX-License-Identifier: GPL-2.0

//! `record`: writers update a record of 8 words under a sequence lock, readers copy it.
//!
//! What must hold: no copy is torn, and no reader sees an older record after a newer one.
#![deny(unsafe_code)]

use super::{Load, Twin, Worker};
use crate::{
    new_seqlock,
    stats::Counted,
    sync::{
        atomic::{Atomic, Relaxed},
        SeqLock,
    },
};
use kernel::{fmt, prelude::*, sync::Arc};

const WORDS: usize = 8;

/// Record number `n`: each word tells the number in another way.
fn record(n: u64) -> [u64; WORDS] {
    let mut words = [0; WORDS];
    for (word, salt) in words.iter_mut().zip(1u64..) {
        *word = n.wrapping_mul(salt.wrapping_mul(2).wrapping_sub(1));
    }
    words
}

/// The number of a record, if it is whole.
fn number(words: &[u64; WORDS]) -> Option<u64> {
    words.first().copied().filter(|n| record(*n) == *words)
}

#[pin_data]
struct Records {
    #[pin]
    record: Counted<SeqLock<[u64; WORDS]>>,
    writers: usize,
    twin: Option<Twin>,
    writes: Atomic<u64>,
    reads: Atomic<u64>,
    retries: Atomic<u64>,
}

/// Makes the load.
pub(super) fn new(writers: usize, twin: Option<Twin>) -> Result<Arc<dyn Load>> {
    let records = Arc::pin_init(
        try_pin_init!(Records {
            record <- Counted::new(
                c"record/seqlock",
                new_seqlock!(record(0), "childkernel_record")
            ),
            writers,
            twin,
            writes: Atomic::new(0),
            reads: Atomic::new(0),
            retries: Atomic::new(0),
        }),
        GFP_KERNEL,
    )?;
    Ok(records)
}

impl Records {
    fn write(&self, worker: &mut Worker<'_, '_>) {
        while !worker.done() {
            let mut guard = self.record.lock();
            let n = guard.load().first().copied().unwrap_or(0).wrapping_add(1);
            worker.hold();
            guard.store(record(n));
            drop(guard);
            if self.twin.is_some() {
                // As slow as its readers, so as not to end long before them.
                for _ in 0..WORDS {
                    worker.widen();
                }
            }
            worker.ctx.add_ops(1);
            worker.think();
        }
        self.writes.fetch_add(worker.ctx.ops(), Relaxed);
    }

    /// One attempt to read: `None` if a writer was in the way.
    fn try_read(&self, worker: &Worker<'_, '_>) -> Option<[u64; WORDS]> {
        #[cfg(CONFIG_CHILDKERNEL_TWINS)]
        if self.twin == Some(Twin::NoRetry) {
            return Some(self.record.inner().read_torn(|| worker.widen()));
        }
        let _ = worker;
        self.record.inner().try_read(1)
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
            worker.think();
        }
        self.reads.fetch_add(worker.ctx.ops(), Relaxed);
        self.retries.fetch_add(retries, Relaxed);
    }
}

impl Load for Records {
    fn work(&self, worker: &mut Worker<'_, '_>) -> Result {
        if worker.index < self.writers {
            self.write(worker);
        } else {
            self.read(worker);
        }
        Ok(())
    }

    /// All writes are in the record: writers exclude each other.
    fn finish(&self) -> u64 {
        u64::from(number(&self.record.inner().read()) != Some(self.writes.load(Relaxed)))
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
