// SPDX-License-Identifier: GPL-2.0

//! One generation, as its child owns it: its threads, what they run, and what they had.

use super::{
    life::Life,
    record::{End, Record},
    run::{Core, Run},
    thread::{self, Thread},
};
use kernel::{prelude::*, str::CString, sync::Arc, ThisModule};

/// What one thread of a generation runs.
pub(super) struct Part {
    record: Arc<Record>,
    life: Arc<Life>,
    run: Arc<dyn Run>,
    index: usize,
}

impl thread::Body for Part {
    fn run(&self) {
        let life = &*self.life;
        if self.index == 0 {
            // Destructors of the owner's: here they can do no harm to others.
            drop(life.inherit());
        }
        if !life.was_stopped() {
            if let Some(core) = Core::new(&self.record, life, self.index) {
                if let Err(error) = self.run.call(core) {
                    life.fail(error);
                }
            }
        }
        life.returns(self.index);
        self.record.watch.kick();
    }
}

/// A reference on the module that owns a generation, so that it does not go.
pub(super) struct Pin(&'static ThisModule);

impl Pin {
    /// `None` if the module is going.
    pub(super) fn new(owner: &'static ThisModule) -> Option<Self> {
        // SAFETY: It is a module, or null for code that is built in. It has not gone: children are
        // joined before their owner is freed.
        let got = unsafe { crate::ffi::childkernel_try_module_get(owner.as_ptr()) };
        // Made only if it was taken: dropping it gives it back.
        got.then(|| Self(owner))
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        // SAFETY: The reference was taken by `new`.
        unsafe { crate::ffi::childkernel_module_put(self.0.as_ptr()) };
    }
}

/// A generation of a child.
///
/// Dropping it joins what still runs, and drops what is its owner's.
pub(super) struct Generation {
    // First: it waits for all that runs the rest.
    threads: KVec<Thread<Part>>,
    pub(super) life: Arc<Life>,
    pub(super) run: Arc<dyn Run>,
    /// Held while it is in quarantine.
    pub(super) pin: Option<Pin>,
    /// The next in a list of generations.
    pub(super) next: Option<KBox<Generation>>,
}

impl Generation {
    /// Makes the threads, which do not run before [`wake`](Self::wake).
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINTR` if the caller is killed meanwhile.
    pub(super) fn create(
        record: &Arc<Record>,
        life: Arc<Life>,
        run: Arc<dyn Run>,
    ) -> Result<KBox<Self>> {
        let count = record.slots.len();
        let mut this = KBox::new(
            Self {
                threads: KVec::with_capacity(count, GFP_KERNEL)?,
                life,
                run,
                pin: None,
                next: None,
            },
            GFP_KERNEL,
        )?;
        for index in 0..count {
            let name = if count == 1 {
                CString::try_from_fmt(fmt!("{}", record.name()))?
            } else {
                CString::try_from_fmt(fmt!("{}/{index}", record.name()))?
            };
            let part = Part {
                record: record.clone(),
                life: this.life.clone(),
                run: this.run.clone(),
                index,
            };
            let thread = Thread::create(&name, Arc::new(part, GFP_KERNEL)?)?;
            thread.schedule(record.scheduling, record.nice)?;
            if let Some(cpu) = index
                .checked_rem(record.cpus.len())
                .and_then(|at| record.cpus.get(at))
            {
                thread.prefer(*cpu)?;
            }
            this.threads.push(thread, GFP_KERNEL)?;
        }
        Ok(this)
    }

    /// Lets all threads begin. Signs of life are expected from `now` on.
    pub(super) fn wake(&self, now: i64) {
        self.life.begin(now);
        for thread in &self.threads {
            thread.wake();
        }
    }

    /// Tells all threads to end, and ends their interruptible waits. Does not wait.
    pub(super) fn stop(&self) {
        self.life.stop();
        for thread in &self.threads {
            thread.interrupt();
        }
    }

    /// Looks for threads that have died since the last look, and returns how many.
    pub(super) fn count_deaths(&self) -> u32 {
        let mut deaths: u32 = 0;
        for (index, thread) in self.threads.iter().enumerate() {
            if thread.has_exited() && self.life.count_death(index) {
                deaths = deaths.saturating_add(1);
            }
        }
        deaths
    }

    /// Whether joining would not wait.
    pub(super) fn has_exited(&self) -> bool {
        self.life.alive() == 0 && self.threads.iter().all(Thread::has_exited)
    }

    /// Joins all threads and frees what they left in the arena. Returns the signal of the first
    /// that has died, or 0.
    pub(super) fn join(&mut self) -> i32 {
        let mut signal = 0;
        for thread in &mut self.threads {
            match thread.join() {
                Some(code) if signal == 0 => signal = code,
                _ => {}
            }
        }
        self.run.abort();
        // SAFETY: What borrows from this arena lives on the stack of one of its threads, as a
        // `Context` can not give it to anything that lives longer; and all of them are joined.
        unsafe { self.life.arena.clear() };
        signal
    }

    /// How it has ended, if it was not given up. After [`join`](Self::join).
    pub(super) fn end(&self, died: bool, signal: i32) -> End {
        match self.life.error() {
            _ if died => End::Crashed(signal),
            Some(error) => End::Failed(error),
            None => End::Returned,
        }
    }
}
