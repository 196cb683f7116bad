// SPDX-License-Identifier: GPL-2.0

//! A thread for what the supervisor has its hands off: the owner's code, when no child runs.
#![deny(unsafe_code)]

use super::{
    generation::Generation,
    identity::Identity,
    record::End,
    thread::{self, Thread},
    watch::Watch,
};
use crate::{
    new_completion,
    sync::{
        atomic::{Atomic, Relaxed},
        Completion,
    },
};
use kernel::{
    prelude::*,
    str::CString,
    sync::{new_spinlock, Arc, SpinLock},
    time::{msecs_to_jiffies, Msecs},
};

/// How long who waits for one leaves it alone, at most: it may die.
const STEP_MS: Msecs = 100;

/// The end of a generation, as its owner is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exit {
    pub(super) identity: Identity,
    pub(super) end: End,
}

impl Exit {
    /// Which generation of which child.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// How it has ended.
    pub fn end(&self) -> End {
        self.end
    }
}

/// What an owner wants to be told.
pub(super) trait OnExit: Send + Sync {
    fn call(&self, exit: &Exit);
}

impl<F: Fn(&Exit) + Send + Sync> OnExit for F {
    fn call(&self, exit: &Exit) {
        self(exit);
    }
}

/// What there is to do.
pub(super) enum Errand {
    /// To tell the owner of an end.
    Tell(Arc<dyn OnExit>, Exit),
    /// To drop generations whose handle is gone.
    Bury(KBox<Generation>),
}

/// Does one errand, and ends.
#[pin_data]
pub(super) struct Deputy {
    #[pin]
    errand: SpinLock<Option<Errand>>,
    watch: Arc<Watch>,
    #[pin]
    done: Completion,
    returned: Atomic<bool>,
}

impl Deputy {
    /// Sends one out. If that fails, the errand is in `errand` again.
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINTR` if the caller is killed.
    pub(super) fn send(
        name: &str,
        watch: &Arc<Watch>,
        errand: &mut Option<Errand>,
    ) -> Result<Thread<Self>> {
        let this = Arc::pin_init(
            pin_init!(Self {
                errand <- new_spinlock!(None, "childkernel_errand"),
                watch: watch.clone(),
                done <- new_completion!("childkernel_deputy"),
                returned: Atomic::new(false),
            }),
            GFP_KERNEL,
        )?;
        let name = CString::try_from_fmt(fmt!("{name}/exit"))?;
        let thread = Thread::create(&name, this.clone())?;
        *this.errand.lock() = errand.take();
        thread.wake();
        Ok(thread)
    }

    /// Waits until it has done it, and says whether it has. If not, it died of it.
    pub(super) fn join(deputy: Thread<Self>) -> bool {
        // It is not asked to stop before: that would end its waits, or all that it does if it has
        // not had a CPU yet.
        let step = msecs_to_jiffies(STEP_MS);
        while !deputy.has_exited() && deputy.body().done.wait_timeout(step).is_err() {}
        deputy.body().has_returned()
    }

    /// Whether it has done it. If not, and its thread has exited, it died of it.
    pub(super) fn has_returned(&self) -> bool {
        self.returned.load(Relaxed)
    }
}

impl thread::Body for Deputy {
    fn run(&self) {
        let errand = self.errand.lock().take();
        match errand {
            Some(Errand::Tell(hook, exit)) => hook.call(&exit),
            Some(Errand::Bury(remains)) => drop(remains),
            None => {}
        }
        self.returned.store(true, Relaxed);
        self.done.complete_all();
        self.watch.kick();
    }
}
