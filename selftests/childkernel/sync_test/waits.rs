// SPDX-License-Identifier: GPL-2.0

//! Waits of a user task: a signal ends them, or does not, as the C API says.
//!
//! Kernel threads ignore signals, so it is the task that writes to `childkernel_sync_test/wait` in
//! debugfs that waits. The words are
//!
//! - `hold`: a child takes all locks, and completes nothing;
//! - `NAME [MS]`: the wait of that name, with that limit if it is one that has a limit, or else an
//!   hour; the result of the write is that of the wait, which is logged as well;
//! - `release`: the child lets go, and completes once;
//! - `whole`: whether everything is as if nobody had ever waited.
//!
//! Reading the file gives how many wait and how many have begun to. The names stand in the module's
//! information, as `wait=NAME:KIND`.

use super::{is_done, spawn, HOUR_MS};
use childkernel::{
    child::{Context, Handle},
    new_completion, new_percpu_rwsem, new_rwsem, new_semaphore,
    sync::{
        atomic::{Acquire, Atomic, Full, Relaxed},
        new_mutex, Completion, Mutex, MutexExt, PerCpuRwSemaphore, RwSemaphore, Semaphore,
    },
};
use kernel::{fmt, prelude::*, sync::Arc, time::Jiffies, uaccess::UserSliceReader};

/// What is waited for.
#[pin_data]
struct Locks {
    #[pin]
    mutex: Mutex<()>,
    #[pin]
    semaphore: Semaphore,
    #[pin]
    rwsem: RwSemaphore<()>,
    #[pin]
    percpu_rwsem: PerCpuRwSemaphore<()>,
    #[pin]
    completion: Completion,
    /// The holder has all locks.
    #[pin]
    held: Completion,
    /// The holder is to let go.
    #[pin]
    release: Completion,
    waiting: Atomic<u32>,
    begun: Atomic<u32>,
}

type Wait = fn(&Locks, Jiffies) -> Result;

/// Makes the table of waits, and the same for the module's information.
macro_rules! waits {
    ($($name:literal, $kind:literal => $wait:expr;)*) => {
        static WAITS: &[(&str, Wait)] = &[$(($name, $wait)),*];

        $(
            const _: () = {
                const TEXT: &str = concat!("wait=", $name, ":", $kind, "\0");

                #[link_section = ".modinfo"]
                #[used(compiler)]
                static INFO: [u8; TEXT.len()] = match TEXT.as_bytes().first_chunk() {
                    Some(text) => *text,
                    None => [0; TEXT.len()],
                };
            };
        )*
    };
}

waits! {
    "mutex.lock", "uninterruptible" => |on, _| {
        drop(on.mutex.lock());
        Ok(())
    };
    "mutex.lock_interruptible", "interruptible" => |on, _| on.mutex.lock_interruptible().map(drop);
    "mutex.lock_killable", "killable" => |on, _| on.mutex.lock_killable().map(drop);
    "semaphore.down", "uninterruptible" => |on, _| {
        drop(on.semaphore.down());
        Ok(())
    };
    "semaphore.down_interruptible", "interruptible" =>
        |on, _| on.semaphore.down_interruptible().map(drop);
    "semaphore.down_killable", "killable" => |on, _| on.semaphore.down_killable().map(drop);
    "semaphore.down_timeout", "timed-uninterruptible" =>
        |on, limit| on.semaphore.down_timeout(limit).map(drop);
    "rwsem.read", "uninterruptible" => |on, _| {
        drop(on.rwsem.read());
        Ok(())
    };
    "rwsem.read_interruptible", "interruptible" => |on, _| on.rwsem.read_interruptible().map(drop);
    "rwsem.read_killable", "killable" => |on, _| on.rwsem.read_killable().map(drop);
    "rwsem.write", "uninterruptible" => |on, _| {
        drop(on.rwsem.write());
        Ok(())
    };
    "rwsem.write_killable", "killable" => |on, _| on.rwsem.write_killable().map(drop);
    "percpu_rwsem.read", "uninterruptible" => |on, _| {
        drop(on.percpu_rwsem.read());
        Ok(())
    };
    "percpu_rwsem.write", "uninterruptible" => |on, _| {
        drop(on.percpu_rwsem.write());
        Ok(())
    };
    // A completion that was waited for is gone: this gives it back, as leaving a lock does.
    "completion.wait", "uninterruptible" => |on, _| {
        on.completion.wait();
        on.completion.complete();
        Ok(())
    };
    "completion.wait_interruptible", "interruptible" =>
        |on, _| on.completion.wait_interruptible().map(|()| on.completion.complete());
    "completion.wait_killable", "killable" =>
        |on, _| on.completion.wait_killable().map(|()| on.completion.complete());
    "completion.wait_timeout", "timed-uninterruptible" =>
        |on, limit| on.completion.wait_timeout(limit).map(|_| on.completion.complete());
    "completion.wait_interruptible_timeout", "timed-interruptible" =>
        |on, limit| {
            let waited = on.completion.wait_interruptible_timeout(limit);
            waited.map(|_| on.completion.complete())
        };
    "completion.wait_killable_timeout", "timed-killable" =>
        |on, limit| on.completion.wait_killable_timeout(limit).map(|_| on.completion.complete());
}

impl Locks {
    fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            mutex <- new_mutex!((), "wait_mutex"),
            semaphore <- new_semaphore!(1, "wait_semaphore"),
            rwsem <- new_rwsem!((), "wait_rwsem"),
            percpu_rwsem <- new_percpu_rwsem!((), "wait_percpu_rwsem"),
            completion <- new_completion!("wait_completion"),
            held <- new_completion!("wait_held"),
            release <- new_completion!("wait_release"),
            waiting: Atomic::new(0),
            begun: Atomic::new(0),
        })
    }

    /// Has all locks until told to let go, or stopped.
    fn hold(&self) -> Result {
        let _mutex = self.mutex.lock();
        let _permit = self.semaphore.down();
        let _rwsem = self.rwsem.write();
        let _percpu_rwsem = self.percpu_rwsem.write();
        self.held.complete();
        self.release.wait_interruptible()
    }

    fn wait(&self, name: &str, wait: Wait, limit: Jiffies) -> Result {
        self.waiting.fetch_add(1, Full);
        self.begun.fetch_add(1, Full);
        let result = wait(self, limit);
        self.waiting.fetch_sub(1, Full);
        match result {
            Ok(()) => pr_info!("wait {name}: OK\n"),
            Err(error) => pr_info!("wait {name}: {error:?}\n"),
        }
        result
    }

    /// Whether all locks are free, but only once, and one completion is there.
    fn is_whole(&self) -> Result {
        ensure!(self.waiting.load(Relaxed) == 0);
        ensure!(self.mutex.try_lock().is_some());
        let (a, b) = (self.semaphore.try_down(), self.semaphore.try_down());
        ensure!(a.is_some() && b.is_none());
        ensure!(self.rwsem.try_read().is_some());
        ensure!(self.rwsem.try_write().is_some());
        ensure!(self.percpu_rwsem.try_read().is_some());
        drop(self.percpu_rwsem.write());
        ensure!(self.completion.try_wait() && !self.completion.try_wait());
        Ok(())
    }
}

/// What the file has.
#[pin_data]
pub(super) struct Waits {
    locks: Arc<Locks>,
    #[pin]
    holder: Mutex<Option<Handle>>,
}

impl Waits {
    pub(super) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            locks: Arc::pin_init(Locks::new(), GFP_KERNEL)?,
            holder <- new_mutex!(None, "wait_holder"),
        })
    }

    fn hold(&self) -> Result {
        let mut holder = self.holder.lock();
        if holder.is_some() {
            return Err(EBUSY);
        }
        // Whatever an attempt that went wrong has left.
        let locks = self.locks.clone();
        locks.completion.reinit();
        locks.held.reinit();
        locks.release.reinit();
        *holder = Some(spawn(c"holder", move |_| locks.hold())?);
        let limit = Context::jiffies(20_000);
        self.locks.held.wait_interruptible_timeout(limit).map(drop)
    }

    fn release(&self) -> Result {
        let holder = self.holder.lock().take().ok_or(ENOENT)?;
        self.locks.release.complete();
        ensure!(is_done(&holder));
        self.locks.completion.complete();
        Ok(())
    }
}

/// Does what is written.
pub(super) fn write(waits: &Waits, input: &mut UserSliceReader) -> Result {
    let mut text = [0; 64];
    let text = text.get_mut(..input.len()).ok_or(EINVAL)?;
    input.read_slice(text)?;
    let mut words = core::str::from_utf8(text)
        .map_err(|_| EINVAL)?
        .split_whitespace();
    match words.next().ok_or(EINVAL)? {
        "hold" => waits.hold(),
        "release" => waits.release(),
        "whole" => waits.locks.is_whole(),
        name => {
            let (name, wait) = WAITS.iter().find(|w| w.0 == name).ok_or(ENOENT)?;
            let ms = match words.next() {
                Some(ms) => ms.parse().map_err(|_| EINVAL)?,
                None => HOUR_MS,
            };
            waits.locks.wait(name, *wait, Context::jiffies(ms))
        }
    }
}

/// How many wait, and how many have begun to.
pub(super) fn read(waits: &Waits, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let locks = &waits.locks;
    let (waiting, begun) = (locks.waiting.load(Acquire), locks.begun.load(Acquire));
    writeln!(f, "{waiting} {begun}")
}
