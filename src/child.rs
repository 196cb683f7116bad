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
//! and asks [`Context::should_stop`] in each loop. Stopping waits for as long as it does not.
//!
//! A child that its owner forgot is joined inside a module notifier, so a child neither registers
//! nor unregisters one, nor loads a module.
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
//! [levels](crate::sync::order::levels): the threads of one child ([`Handle::stop`],
//! [`Handle::restart`]), then the list of all children.
#![deny(unsafe_code)]

use crate::sync::{
    atomic::{Atomic, Full, Relaxed, Release},
    order::{levels, Ordered, Token},
    rcu,
    registry::{Registry, RegistryMutex},
    Completion,
};
use kernel::{
    bindings,
    prelude::*,
    str::CString,
    sync::{Arc, Mutex}, //
};

#[allow(unsafe_code)]
pub mod arena;
mod builder;
mod context;
pub mod entry;
#[allow(unsafe_code)]
pub mod mailbox;
mod record;
pub(crate) mod report;
mod state;
#[allow(unsafe_code)]
mod thread;

pub use arena::{Arena, ArenaBox};
pub use builder::Builder;
pub use context::Context;
pub use record::{End, Identity, Record};
pub use state::State;

/// The longest name of a child.
pub const NAME_MAX: usize = 31;

/// Whether this can be the name of a child, or of an entry point.
fn is_name(name: &[u8]) -> bool {
    let valid = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:/".contains(b);
    !name.is_empty() && name.len() <= NAME_MAX && name.iter().all(valid)
}

/// The most threads that a child may have.
pub const THREADS_MAX: usize = 1024;

static CHILDREN: Registry<levels::Children, Child> = Registry::new(RegistryMutex::Children);
static LIVE: Atomic<bool> = Atomic::new(false);
static NEXT_ID: Atomic<u64> = Atomic::new(1);

/// What a child runs: called once in each of its threads.
trait Entry: Send + Sync {
    fn call(&self, ctx: &mut Context<'_>) -> Result;
}

impl<F: Fn(&mut Context<'_>) -> Result + Send + Sync> Entry for F {
    fn call(&self, ctx: &mut Context<'_>) -> Result {
        self(ctx)
    }
}

/// A child, with what belongs to its owner.
#[pin_data]
struct Child {
    record: Arc<Record>,
    /// The address of the owner's `struct module`, only to be compared.
    owner: usize,
    #[pin]
    body: Ordered<levels::Child, Mutex<Body>>,
    /// Completed when the last piece of the owner's code has been dropped.
    #[pin]
    closed: Completion,
}

/// What of a child is the owner's code, or runs it.
struct Body {
    /// `None` once the owner goes: from then on nothing of it is run, nor dropped, any more.
    entry: Option<Arc<dyn Entry>>,
    threads: KVec<thread::Thread<Part>>,
}

/// What one thread of a child runs.
struct Part {
    record: Arc<Record>,
    entry: Arc<dyn Entry>,
    /// That of its generation.
    arena: Arc<Arena>,
    index: usize,
}

impl thread::Body for Part {
    fn run(&self) {
        let record = &*self.record;
        if let Some(slot) = record.slots.get(self.index) {
            let mut ctx = Context::new(record, slot, &self.arena, self.index);
            if let Err(error) = self.entry.call(&mut ctx) {
                // The first error is the child's.
                let _ = record.end.cmpxchg(0, error.to_errno(), Relaxed);
            }
        }
        if record.alive.fetch_sub(1, Full) == 1 {
            // A wait that a stop has ended is what a stop is for.
            let asked =
                |error: &Error| record.state.is_stopping() && [EINTR, ERESTARTSYS].contains(error);
            if let Some(error) = record.error().filter(|error| !asked(error)) {
                pr_warn!("child {} ({}) ended: {error:?}\n", record.id, record.name());
            }
            record.transition(State::Stopped);
        }
    }
}

impl Child {
    /// Makes the threads of a new generation and lets them run.
    fn start(&self, body: &mut Body) -> Result {
        let record = &*self.record;
        let made = self.make_threads(body);
        if made.is_err() {
            // Those that were made have not run, and do not: dropping joins them.
            body.threads.clear();
            record.transition(State::Stopped);
            return made;
        }
        record.end.store(0, Relaxed);
        record
            .alive
            .store(u32::try_from(body.threads.len()).unwrap_or(0), Relaxed);
        record.generation.fetch_add(1, Relaxed);
        record.transition(State::Running);
        for thread in body.threads.iter() {
            thread.wake();
        }
        Ok(())
    }

    fn make_threads(&self, body: &mut Body) -> Result {
        let record = &*self.record;
        let entry = body.entry.as_ref().ok_or(ESRCH)?;
        let arena = Arc::pin_init(Arena::metered(record.memory.clone()), GFP_KERNEL)?;
        let count = record.slots.len();
        body.threads.reserve(count, GFP_KERNEL)?;
        for index in 0..count {
            let cpu = match record.cpus.len() {
                0 => None,
                n => record.cpus.get(index % n).copied(),
            };
            let name = if count == 1 {
                CString::try_from_fmt(fmt!("{}", record.name()))?
            } else {
                CString::try_from_fmt(fmt!("{}/{index}", record.name()))?
            };
            let part = Arc::new(
                Part {
                    record: self.record.clone(),
                    entry: entry.clone(),
                    arena: arena.clone(),
                    index,
                },
                GFP_KERNEL,
            )?;
            let thread = thread::Thread::create(&name, cpu, record.nice, part)?;
            body.threads.push(thread, GFP_KERNEL)?;
        }
        Ok(())
    }

    /// Asks the child to stop and joins its threads.
    fn join(&self, body: &mut Body) {
        self.record.transition(State::Stopping);
        // So that those that only sleep look at the state before it is their turn.
        for thread in body.threads.iter() {
            thread.wake();
        }
        // Each waits for its thread.
        body.threads.clear();
        self.record.transition(State::Stopped);
    }

    /// Joins the child and lets go of all that is its owner's: it does not run again.
    fn close(&self) {
        let mut token = Token::outermost();
        let (mut body, _token) = self.body.lock(&mut token);
        self.join(&mut body);
        let entry = body.entry.take();
        // It may own handles of other children, which are joined when it is dropped.
        drop(body);
        if entry.is_some() {
            drop(entry);
            self.closed.complete_all();
        }
    }
}

/// Owns a child kernel. Dropping it stops the child, joins it, and takes it off the list.
///
/// Not to be used, nor dropped, by a thread of that same child: it would wait for itself.
pub struct Handle {
    child: Arc<Child>,
}

impl Handle {
    /// What is known of the child.
    pub fn record(&self) -> &Record {
        &self.child.record
    }

    /// Asks the child to stop, and waits until all its threads have ended. Its record stays.
    ///
    /// All threads then see [`Context::should_stop`], but their waits are ended one after the
    /// other: a thread must not wait, on its way out, for another of the same child without limit.
    pub fn stop(&self) {
        let mut token = Token::outermost();
        let (mut body, _token) = self.child.body.lock(&mut token);
        self.child.join(&mut body);
    }

    /// Stops the child if it still runs, and starts its next generation.
    ///
    /// # Errors
    ///
    /// As [`Builder::spawn`], or `ESRCH` if the module that owns it has gone; the child is then
    /// stopped.
    pub fn restart(&self) -> Result {
        let mut token = Token::outermost();
        let (mut body, _token) = self.child.body.lock(&mut token);
        self.child.join(&mut body);
        self.child.record.transition(State::Spawning);
        self.child.start(&mut body)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.child.close();
        CHILDREN.remove(&mut Token::outermost(), &self.child);
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

/// Children can be spawned as long as this lives.
pub(crate) struct Live(());

impl Live {
    /// To be made when everything that children need is there.
    pub(crate) fn new() -> Self {
        LIVE.store(true, Release);
        Self(())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        LIVE.store(false, Release);
    }
}

/// Joins all children of a module that goes, and waits for what it gave to deferred reclaim.
///
/// Called after the module's exit and before its text is freed, so it finds only what the module
/// has forgotten.
pub(crate) fn owner_goes(module: *const bindings::module) {
    let owner = module.addr();
    // First, or there would be more children.
    entry::owner_goes(owner);
    // A child may leave something to reclaim, and a destructor may forget a child.
    while join_forgotten(owner) || rcu::flush_module(module) {}
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
        child.close();
        child.closed.wait();
        CHILDREN.remove(&mut token, &child);
    }
}
