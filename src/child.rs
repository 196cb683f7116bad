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

use crate::{
    new_completion,
    sync::{
        atomic::{Acquire, Atomic, Full, Relaxed, Release},
        order::{levels, Ordered, Token},
        rcu,
        registry::{Registry, RegistryMutex},
        Completion,
    },
};
use kernel::{
    bindings,
    cpu::CpuId,
    prelude::*,
    str::CString,
    sync::{new_mutex, Arc, Mutex},
    time::Instant,
    ThisModule,
};

#[allow(unsafe_code)]
pub mod arena;
mod context;
#[allow(unsafe_code)]
pub mod mailbox;
mod record;
pub(crate) mod report;
mod state;
#[allow(unsafe_code)]
mod thread;

pub use arena::{Arena, ArenaBox};
pub use context::Context;
pub use record::{End, Identity, Record};
pub use state::State;

/// The longest name of a child.
pub const NAME_MAX: usize = 31;

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

/// Describes a child kernel that is to be spawned.
///
/// # Examples
///
/// ```ignore
/// let child = Builder::new(module, c"worker")
///     .cpus(&[cpu])
///     .spawn(|ctx| {
///         while !ctx.should_stop() {
///             ctx.add_ops(1);
///             ctx.sleep(10);
///         }
///         Ok(())
///     })?;
/// ```
pub struct Builder<'a> {
    owner: &'static ThisModule,
    name: &'a CStr,
    workload: &'a CStr,
    threads: usize,
    memory: usize,
    cpus: &'a [CpuId],
    nice: i32,
}

impl<'a> Builder<'a> {
    /// Begins with a child of one thread, on any CPU, that belongs to module `owner`: the one
    /// whose code the entry function is.
    pub fn new(owner: &'static ThisModule, name: &'a CStr) -> Self {
        Self {
            owner,
            name,
            workload: c"",
            threads: 1,
            memory: 0,
            cpus: &[],
            nice: 0,
        }
    }

    /// Says what the child works at, for debugfs.
    pub fn workload(mut self, workload: &'a CStr) -> Self {
        self.workload = workload;
        self
    }

    /// Gives the child `n` threads.
    pub fn threads(mut self, n: usize) -> Self {
        self.threads = n;
        self
    }

    /// Lets the child take so many bytes from its [arena](Context::arena); none if this is not said.
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// Has the threads prefer these CPUs, in turn. A thread whose CPU is offline, or is isolated
    /// from the scheduler, runs elsewhere meanwhile.
    pub fn cpus(mut self, cpus: &'a [CpuId]) -> Self {
        self.cpus = cpus;
        self
    }

    /// Gives its threads this nice value, from -20 for those that go first to 19.
    pub fn nice(mut self, nice: i32) -> Self {
        self.nice = nice;
        self
    }

    /// Makes the child and lets it run `entry` in each of its threads.
    ///
    /// A thread that is stopped before it had a CPU for the first time never calls `entry`.
    ///
    /// # Errors
    ///
    /// `EINVAL` if the name is empty, longer than [`NAME_MAX`] or has other characters than
    /// letters, digits and `-_.:/`, if there are no threads or more than [`THREADS_MAX`], if the
    /// nice value is out of range, or if `entry` is no code of the owner's; `ENOMEM`; `EAGAIN` at the limit of threads; `EINTR` if
    /// the caller is killed meanwhile; `ENODEV` if the library is built in and could
    /// not be set up. Nothing stays behind.
    pub fn spawn<F>(self, entry: F) -> Result<Handle>
    where
        F: Fn(&mut Context<'_>) -> Result + Send + Sync + 'static,
    {
        let code = <F as Entry>::call as fn(&F, &mut Context<'_>) -> Result;
        let entry = Arc::new(entry, GFP_KERNEL)?;
        self.spawn_entry(entry, code as usize)
    }

    fn spawn_entry(self, entry: Arc<dyn Entry>, code: usize) -> Result<Handle> {
        if !LIVE.load(Acquire) {
            return Err(ENODEV);
        }
        // The child is joined when its owner goes: that must be when its code does.
        if !crate::ffi::owns(self.owner, code) {
            let owner = crate::ffi::module_name(self.owner);
            pr_err!("owner of a child: the module of its code, which {owner} is not\n");
            return Err(EINVAL);
        }
        let name = self.name.to_bytes();
        let valid = |b: &u8| b.is_ascii_alphanumeric() || b"-_.:/".contains(b);
        if name.is_empty() || name.len() > NAME_MAX || !name.iter().all(valid) {
            pr_err!("name of a child: 1 to {NAME_MAX} letters, digits or -_.:/\n");
            return Err(EINVAL);
        }
        if self.threads == 0 || self.threads > THREADS_MAX {
            pr_err!("threads of a child: 1 to {THREADS_MAX}\n");
            return Err(EINVAL);
        }

        if !(thread::NICE_MIN..=thread::NICE_MAX).contains(&self.nice) {
            let (min, max) = (thread::NICE_MIN, thread::NICE_MAX);
            pr_err!("nice value of a child: {min} to {max}\n");
            return Err(EINVAL);
        }

        let mut slots = KVec::with_capacity(self.threads, GFP_KERNEL)?;
        for _ in 0..self.threads {
            slots.push(context::Slot::new(), GFP_KERNEL)?;
        }
        let mut cpus = KVec::new();
        cpus.extend_from_slice(self.cpus, GFP_KERNEL)?;

        let record = Arc::pin_init(
            try_pin_init!(Record {
                id: NEXT_ID.fetch_add(1, Relaxed),
                name: CString::try_from(self.name)?,
                owner: CString::try_from_fmt(fmt!("{}", crate::ffi::module_name(self.owner)))?,
                workload: CString::try_from(self.workload)?,
                cpus,
                state: state::StateCell::new(),
                generation: Atomic::new(0),
                alive: Atomic::new(0),
                end: Atomic::new(0),
                slots,
                memory: Arc::new(arena::Meter::new(self.memory), GFP_KERNEL)?,
                nice: self.nice,
                ended <- new_completion!("childkernel_ended"),
                transitions: Atomic::new(0),
                made: Instant::now(),
                since: Atomic::new(0),
            }),
            GFP_KERNEL,
        )?;
        let child = Arc::pin_init(
            pin_init!(Child {
                record,
                owner: self.owner.as_ptr().addr(),
                body <- Ordered::new(new_mutex!(
                    Body {
                        entry: Some(entry),
                        threads: KVec::new(),
                    },
                    "childkernel_body"
                )),
                closed <- new_completion!("childkernel_closed"),
            }),
            GFP_KERNEL,
        )?;

        // Listed first: once it runs nothing may fail. The handle takes it off again.
        let mut token = Token::outermost();
        CHILDREN.add(&mut token, child.clone())?;
        let handle = Handle { child };
        let (mut body, _token) = handle.child.body.lock(&mut token);
        handle.child.start(&mut body)?;
        drop(body);
        Ok(handle)
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
