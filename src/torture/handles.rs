// SPDX-License-Identifier: GPL-2.0

//! Handles of children: one of an earlier generation gets `ESTALE`, and what was sent by it never
//! comes to the next one.
//!
//! The first thread starts a child again and again, the others use what they know of it.
#![deny(unsafe_code)]

use super::{
    actor::Actor,
    outcome::Wrong,
    Contexts::Process,
    Entry,
    Mistake::{ByNumber, CheckThenUse},
    Setup, Subject, MODULE,
};
use crate::{
    child::{self, Builder, Context, Handle, Identity, Port},
    sync::atomic::{Acquire, Atomic, Relaxed, Release},
};
use kernel::{prelude::*, sync::Arc};

/// The room in its mailbox.
const DEPTH: usize = 64;

/// For which generation a message is.
type Message = u32;

struct Handles {
    child: Handle<Message>,
    /// The last generation that has begun.
    begun: Atomic<u32>,
    /// Messages that came to a generation that they were not for.
    strays: Arc<Atomic<u64>>,
}

impl Handles {
    fn make(_: &Setup) -> Result<Arc<dyn Subject>> {
        let strays = Arc::new(Atomic::<u64>::new(0), GFP_KERNEL)?;
        let seen = strays.clone();
        let child = Builder::new(MODULE, c"t:handles")
            .mailbox::<Message>(DEPTH)
            .spawn(move |ctx| {
                while !ctx.should_stop() {
                    match ctx.recv_timeout(Context::jiffies(20)) {
                        Ok(generation) if generation != ctx.generation() => {
                            seen.fetch_add(1, Relaxed);
                        }
                        _ => (),
                    }
                }
                Ok(())
            })?;
        let subject = Self {
            child,
            begun: Atomic::new(1),
            strays,
        };
        Ok(Arc::new(subject, GFP_KERNEL)?)
    }

    fn restart(&self, actor: &mut Actor<'_>) {
        if actor.wait(|_| self.child.restart()).is_ok() {
            self.begun.store(self.child.record().generation(), Release);
        }
        actor.linger();
    }

    /// The way to the present generation, and which that is.
    fn port(&self) -> Option<Port<Message>> {
        self.child.port().ok()
    }

    fn find(&self, actor: &mut Actor<'_>, known: Identity) {
        // Acquire: what has begun by then has.
        let begun = self.begun.load(Acquire);
        let found = if actor.errs(ByNumber) {
            let mut all = child::list().unwrap_or_default().into_iter();
            all.find(|record| record.id() == known.id()).ok_or(ESRCH)
        } else {
            child::find(known)
        };
        match found {
            Ok(_) => actor.check(known.generation() >= begun, Wrong::Stale),
            Err(why) => actor.check(why == ESTALE, Wrong::Lost),
        }
    }

    fn send(&self, actor: &mut Actor<'_>, port: &Port<Message>) {
        let known = port.identity();
        let begun = self.begun.load(Acquire);
        let sent = if actor.errs(CheckThenUse) {
            let valid = child::find(known).is_ok();
            actor.linger();
            match self.port().filter(|_| valid) {
                Some(port) => port.try_send(known.generation()),
                None => return,
            }
        } else {
            port.try_send(known.generation())
        };
        match sent.map_err(|unsent| unsent.error()) {
            Ok(()) => actor.check(known.generation() >= begun, Wrong::Stale),
            // Full, or just going.
            Err(why) if why == EAGAIN || why == EPIPE => (),
            Err(why) => actor.check(why == ESTALE, Wrong::Lost),
        }
    }
}

impl Subject for Handles {
    fn act(&self, actor: &mut Actor<'_>) {
        if actor.index == 0 {
            return self.restart(actor);
        }
        let Some(port) = self.port() else {
            return actor.rest(true);
        };
        for _ in 0..16 {
            if actor.reads() {
                self.find(actor, port.identity());
            } else {
                self.send(actor, &port);
            }
            actor.rest(true);
        }
        let strays = self.strays.load(Relaxed);
        actor.check(strays == 0, Wrong::Stale);
    }
}

/// All of them.
pub(super) static ENTRIES: &[Entry] = &[Entry {
    name: "handles",
    contexts: Process,
    spins: false,
    twins: &[ByNumber, CheckThenUse],
    make: Handles::make,
}];
