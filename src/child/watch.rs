// SPDX-License-Identifier: GPL-2.0

//! The supervisor: one thread that looks at all children.
//!
//! It looks when it is told that a thread has returned, and else once in a period, as a thread
//! that dies of an oops tells nobody. It takes no lock that a child's code runs under: a child
//! whose owner is just busy with it is looked at next time. It runs none of the owner's code.
#![deny(unsafe_code)]

use super::{
    budget::Budget,
    thread::{self, Thread},
    CHILDREN,
};
use crate::{
    ffi::param::in_range,
    new_completion,
    sync::{
        order::{levels, Token},
        registry::{Registry, RegistryMutex},
        Completion,
    },
};
use kernel::{
    prelude::*,
    sync::Arc,
    time::{msecs_to_jiffies, Jiffies},
};

/// What is watched, and how.
static WATCH: Registry<levels::Watch, Watch> = Registry::new(RegistryMutex::Watch);

/// What children and their supervisor share.
#[pin_data]
pub(super) struct Watch {
    #[pin]
    event: Completion,
    period: Jiffies,
    pub(super) budget: Budget,
}

impl Watch {
    /// The one that there is.
    ///
    /// # Errors
    ///
    /// `ENODEV` if the library is built in and could not be set up, or is going.
    pub(super) fn get() -> Result<Arc<Self>> {
        WATCH
            .with(&mut Token::outermost(), |watches| watches.first().cloned())
            .ok_or(ENODEV)
    }

    /// Has the supervisor look.
    pub(super) fn kick(&self) {
        self.event.complete();
    }
}

/// The thread.
struct Supervisor {
    watch: Arc<Watch>,
}

impl Supervisor {
    /// Looks at all children, and says whether one has to be looked at again, and when at most.
    fn look(&self) -> Option<Jiffies> {
        let mut token = Token::outermost();
        let mut next: Option<Jiffies> = None;
        // One at a time: nothing is allocated, and none is kept from going. Who goes meanwhile
        // may have another be left out, and kicks.
        for index in 0usize.. {
            let child = CHILDREN.with(&mut token, |children| children.get(index).cloned());
            let Some(child) = child else { break };
            if let Some(wish) = child.attend_if_free(self.watch.period) {
                next = Some(next.map_or(wish, |next| next.min(wish)));
            }
        }
        next
    }
}

impl thread::Body for Supervisor {
    fn run(&self) {
        let event = &self.watch.event;
        while !thread::should_stop() {
            // What comes from here on is looked at once more.
            event.reinit();
            // Ended early by an event, or the end.
            let _ = match self.look() {
                Some(limit) => event.wait_interruptible_timeout(limit).map(drop),
                None => event.wait_interruptible(),
            };
        }
    }
}

/// Children can be spawned as long as this lives.
pub(crate) struct Watching {
    watch: Arc<Watch>,
    _thread: Thread<Supervisor>,
}

impl Watching {
    /// Starts the supervisor: to be made when everything that children need is there.
    ///
    /// # Errors
    ///
    /// `EINVAL`, after one line in the log that names what is valid; `ENOMEM`.
    pub(crate) fn start(watchdog_ms: i64, oops_budget: i64) -> Result<Self> {
        let period = in_range("watchdog_ms", watchdog_ms, 10, 10_000)?;
        let budget = in_range("oops_budget", oops_budget, 0, 10_000)?;
        let watch = Arc::pin_init(
            pin_init!(Watch {
                event <- new_completion!("childkernel_watch"),
                period: msecs_to_jiffies(period as u32).max(1),
                budget: Budget::new(budget as u32),
            }),
            GFP_KERNEL,
        )?;
        let supervisor = Arc::new(
            Supervisor {
                watch: watch.clone(),
            },
            GFP_KERNEL,
        )?;
        let thread = Thread::create(c"childkernel", supervisor)?;
        WATCH.add(&mut Token::outermost(), watch.clone())?;
        thread.wake();
        Ok(Self {
            watch,
            _thread: thread,
        })
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        WATCH.remove(&mut Token::outermost(), &self.watch);
    }
}
