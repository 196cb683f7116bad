// SPDX-License-Identifier: GPL-2.0

//! Child kernels: groups of kernel threads with an identity, an owner and an end of their own.
//!
//! A workqueue or a `kthread_worker` runs work for you; take one of those where that is enough. A
//! child kernel is for what has a life: it has a name, it can be watched, stopped and restarted,
//! its failure is a value and not a silence.
//!
//! # Rules inside a child
//!
//! Kernel threads ignore signals. A child is asked to stop by `kthread_stop()`, which ends
//! interruptible waits and sleeps but no others. So a child waits interruptibly or with a limit,
//! and asks [`Context::should_stop`] in each loop. One that gives no sign of life for two heartbeats
//! after it was asked to, or has not ended in ten seconds, is given up.
//!
//! What a thread holds when it dies stays held. So what several children use together is a
//! [`ResilientSpinLock`](crate::sync::ResilientSpinLock), whose waiters get an error then, or is waited for with a limit; and what one child
//! uses alone is made anew for each of its generations, by [`Builder::spawn_with`].
//!
//! A child that its owner forgot is joined inside a module notifier, so a child neither registers
//! nor unregisters one, nor loads a module.
//!
//! # What becomes of it
//!
//! Each start is a generation, with an arena, a mailbox and, by [`Builder::spawn_with`], locks of
//! its own. A supervisor looks at all children: it sees a thread that has died of an oops, or gives
//! no sign of life, tells the owner ([`Builder::on_exit`]) and user space (a uevent), and starts the
//! next generation as [`Restart`] says. What does not end is given up: it stays in quarantine, with
//! its memory and the module that owns it. [`State`] has the whole picture.
//!
//! A thread that dies runs no destructors: what was on its stack is lost, what it had locked stays
//! locked. What is in its arena is freed; what its generation owned otherwise is dropped by the
//! first thread of the next one, before it begins, or by who stops the child.
//!
//! # Whose code runs
//!
//! The entry function lives in the owner's text. Dropping the [`Handle`] stops and joins the child.
//! If an owner forgets a handle, the library joins the child when that module goes, after its exit
//! function and before its text is freed.
//!
//! # Context and locking
//!
//! Everything here is for process context and may sleep. The order of its locks is that of their
//! [levels](crate::sync::order::levels): the generations of one child, then its mailbox's address,
//! then the list of all children.
#![deny(unsafe_code)]

use crate::sync::{
    atomic::Atomic,
    order::{levels, Ordered, Token},
    rcu,
    registry::{Registry, RegistryMutex},
    Completion,
};
use kernel::{
    bindings,
    prelude::*,
    sync::{Arc, Mutex},
    time::{msecs_to_jiffies, Jiffies, Msecs},
};

#[allow(unsafe_code)]
pub mod arena;
mod body;
mod budget;
mod builder;
#[allow(unsafe_code)]
pub mod call;
mod context;
mod deputy;
mod directory;
pub mod entry;
#[cfg(CONFIG_CHILDKERNEL_FAULTS)]
mod fault;
#[allow(unsafe_code)]
mod generation;
mod history;
mod identity;
mod life;
#[allow(unsafe_code)]
pub mod mailbox;
mod port;
mod pulse;
mod record;
#[allow(unsafe_code)]
pub mod region;
pub(crate) mod report;
pub mod restart;
mod run;
mod state;
#[allow(unsafe_code)]
mod thread;
mod watch;

pub use arena::{Arena, ArenaBox};
pub use budget::QUARANTINE_MAX;
pub use builder::Builder;
pub use call::Call;
pub use context::{Context, Nothing};
pub use deputy::Exit;
#[cfg(CONFIG_CHILDKERNEL_FAULTS)]
pub use fault::Fault;
pub use history::Past;
pub use identity::Identity;
pub use port::Port;
pub use record::{End, MailMeter, Record};
pub use region::{ReadOnly, ReadWrite, Region, Shared};
pub use restart::Restart;
pub use state::State;
pub use thread::Scheduling;
pub(crate) use watch::Watching;

use body::Body;
use run::Post;

/// The longest name of a child.
pub const NAME_MAX: usize = 31;

/// Whether this can be the name of a child, or of an entry point.
fn is_name(name: &[u8]) -> bool {
    let valid = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:/".contains(b);
    !name.is_empty() && name.len() <= NAME_MAX && name.iter().all(valid)
}

/// The most threads that a child may have.
pub const THREADS_MAX: usize = 1024;

/// How long an owner that waits for a child leaves it alone, at most.
const STEP_MS: Msecs = 100;

static CHILDREN: Registry<levels::Children, Child> = Registry::new(RegistryMutex::Children);
static NEXT_ID: Atomic<u64> = Atomic::new(1);

/// A child, with what belongs to its owner.
#[pin_data]
struct Child {
    record: Arc<Record>,
    /// The address of the owner's `struct module`, only to be compared.
    owner: usize,
    #[pin]
    body: Ordered<levels::Child, Mutex<KBox<Body>>>,
    /// Completed when the last piece of the owner's code has been dropped.
    #[pin]
    closed: Completion,
}

/// Whom a wait is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    /// The present generation, which may be given up.
    Present,
    /// All that runs.
    All,
}

impl Child {
    /// The first generation.
    fn begin(&self) -> Result {
        let mut token = Token::outermost();
        let (mut body, mut token) = self.body.lock(&mut token);
        body.start(&self.record, &mut token)
    }

    /// A step by the supervisor, who waits for nobody but readers of the files that a child leaves
    /// behind which has ended in quarantine, its handle gone. Says when to look again, at the latest.
    fn attend_if_free(&self, period: Jiffies) -> Option<Jiffies> {
        let mut token = Token::outermost();
        let (wish, buried, pin) = {
            let (body, mut token) = self.body.lock_by(&mut token, |body| body.try_lock());
            let Some(mut body) = body else {
                return Some(period);
            };
            body.attend(&self.record, &mut token, false);
            // Who closes it may still be dropping what is the owner's.
            let buried = body.is_buried() && self.closed.is_done();
            let pin = buried.then(|| body.take_pin()).flatten();
            (body.wish(&self.record, period), buried, pin)
        };
        if buried {
            self.unlist();
        }
        // Its owner may go only when the child is off the list.
        drop(pin);
        wish
    }

    /// Nobody finds it any more.
    fn unlist(&self) {
        CHILDREN.remove(&mut Token::outermost(), self);
        // The supervisor may have missed another for it.
        self.record.watch.kick();
        directory::remove(&self.record);
    }

    /// Asks the child to end, and waits until it has, or was given up. Drops what it has left,
    /// unless its owner goes already: then that is for [`close`](Self::close).
    fn stop(&self, whom: For) {
        let mut outer = Token::outermost();
        loop {
            let (mut body, mut token) = self.body.lock(&mut outer);
            body.ask(&self.record);
            body.attend(&self.record, &mut token, true);
            let Some(life) = body.awaited(whom == For::All) else {
                let remains = body.take_remains();
                drop(body);
                drop(remains);
                return;
            };
            if whom == For::All && body.has_given_up() {
                body.remind(&self.record);
            }
            drop(body);
            // Ended early when the last thread has returned; one that dies is seen next time.
            let _ = life.over.wait_timeout(msecs_to_jiffies(STEP_MS));
        }
    }

    fn restart(&self) -> Result {
        let mut outer = Token::outermost();
        loop {
            self.stop(For::Present);
            let (mut body, mut token) = self.body.lock(&mut outer);
            if body.awaited(false).is_some() {
                // Somebody else was faster.
                continue;
            }
            if body.has_given_up() && !self.record.watch.budget.has_room() {
                return Err(EBUSY);
            }
            body.want();
            self.record.transition(State::Spawning);
            let started = body.start(&self.record, &mut token);
            if started.is_err() {
                self.record.ended.complete_all();
            }
            return started;
        }
    }

    /// Joins the child and lets go of all that is its owner's: it does not run again. Says whether
    /// it is all over; if not, the owner is held until it is.
    fn close(&self, mut whom: For) -> bool {
        let mut outer = Token::outermost();
        let (leftovers, over) = loop {
            self.stop(whom);
            let (mut body, _token) = self.body.lock(&mut outer);
            if body.awaited(whom == For::All).is_some() {
                // Somebody has started it again.
                continue;
            }
            if !body.has_given_up() {
                break (body.close(&self.record, None), true);
            }
            if let Some(pin) = body.new_pin() {
                break (body.close(&self.record, Some(pin)), false);
            }
            // The owner can not be held any more.
            whom = For::All;
        };
        let first = leftovers.are_first();
        // It may own handles of other children, which are joined when it is dropped.
        leftovers.settle(&self.record);
        if first {
            self.closed.complete_all();
            self.record.watch.kick();
        }
        over
    }
}

/// Owns a child kernel. Dropping it stops the child, joins it, and takes it off the list.
///
/// A child that does not end is given up, if its owner can still be held: it stays on the list, in
/// quarantine, and so does the module. If that is going already, dropping waits, and the log says
/// again and again for whom.
///
/// Not to be used, nor dropped, by a thread of that same child: it would wait for itself.
pub struct Handle<T: Send + 'static = Nothing> {
    child: Arc<Child>,
    post: Arc<Post<T>>,
}

impl<T: Send + 'static> Handle<T> {
    /// What is known of the child.
    pub fn record(&self) -> &Record {
        &self.child.record
    }

    /// The same, to be kept.
    pub fn shared_record(&self) -> Arc<Record> {
        self.child.record.clone()
    }

    /// Asks the child to stop, and waits until all its threads have ended, or until it was given
    /// up because they do not. Its record stays, and says which. It is not started again by itself.
    pub fn stop(&self) {
        self.child.stop(For::Present);
    }

    /// Stops the child if it still runs, and starts its next generation.
    ///
    /// # Errors
    ///
    /// As [`Builder::spawn`], or `ESRCH` if the module that owns it has gone; the child is then
    /// stopped. `EBUSY` if it does not end, and [so many](QUARANTINE_MAX) are in quarantine already
    /// that it can not be replaced.
    pub fn restart(&self) -> Result {
        self.child.restart()
    }

    /// The way to the mailbox of the present generation.
    ///
    /// # Errors
    ///
    /// `EBADF` if the child has no mailbox, `EPIPE` if no generation runs that would take messages.
    pub fn port(&self) -> Result<Port<T>> {
        let (generation, sender) = self.post.current().ok_or(EBADF)?;
        if sender.is_closed() {
            return Err(EPIPE);
        }
        Ok(Port::new(self.shared_record(), generation, sender))
    }
}

impl<T: Send + 'static> Drop for Handle<T> {
    fn drop(&mut self) {
        if self.child.close(For::Present) {
            self.child.unlist();
        }
    }
}

/// The records of all children that there are now, oldest first.
///
/// # Errors
///
/// `ENOMEM`.
pub fn list() -> Result<KVec<Arc<Record>>> {
    CHILDREN.collect(&mut Token::outermost(), |child| Some(child.record.clone()))
}

/// The record of the child that `identity` names, as long as it is that generation's.
///
/// # Errors
///
/// `ESRCH` if there is no such child any more; `ESTALE` if it has been started again since.
pub fn find(identity: Identity) -> Result<Arc<Record>> {
    let found = CHILDREN.with(&mut Token::outermost(), |children| {
        let mut records = children.iter().map(|child| &child.record);
        records.find(|record| record.id == identity.id()).cloned()
    });
    let record = found.ok_or(ESRCH)?;
    if record.identity() != identity {
        return Err(ESTALE);
    }
    Ok(record)
}

/// Joins all children of a module that goes, and waits for what was given to deferred reclaim, by
/// whomever: it may need the module's code.
///
/// Called after the module's exit and before its text is freed, so it finds only what the module
/// has forgotten.
pub(crate) fn owner_goes(module: *const bindings::module) {
    let owner = module.addr();
    // A handle that is on its way there was not forgotten.
    rcu::flush();
    // A child may leave something to reclaim, or an entry point, also one that was just gone when it
    // was looked for; a destructor may forget a child, or join one. So it has been quiet only when
    // nothing was found twice.
    let mut quiet = false;
    loop {
        // First, or there would be more children.
        let points = entry::owner_goes(owner);
        let found = join_forgotten(owner) || points;
        // Not before they are joined: they might never stop giving.
        rcu::flush_module(module);
        if quiet && !found {
            return;
        }
        quiet = !found;
    }
}

/// Joins the children that a module has forgotten, and says whether there were any.
fn join_forgotten(owner: usize) -> bool {
    let mut token = Token::outermost();
    let mut any = false;
    loop {
        let left = CHILDREN.with(&mut token, |children| {
            let mine = |child: &&Arc<Child>| child.owner == owner;
            children.iter().find(mine).cloned()
        });
        let Some(child) = left else { return any };
        any = true;
        pr_warn!(
            "module {} goes without child {} ({}): joining it\n",
            child.record.owner(),
            child.record.id,
            child.record.name()
        );
        // A handle that somebody else has may outlive this. It finds nothing of the owner's; and
        // if it is being dropped just now, that has to be over.
        child.close(For::All);
        child.closed.wait();
        child.unlist();
    }
}
