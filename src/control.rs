// SPDX-License-Identifier: GPL-2.0

//! The file `control`: child kernels from the shell.
//!
//! One `write()` is one line is one command; [`grammar`] says what there is. A command is done when
//! the write returns: with its length, or with the errno that says why not, and then one line in
//! the log says more.
//!
//! # Whose children
//!
//! What `spawn` has made belongs to this file, until `remove`: at most [`CHILDREN_MAX`] at once. A
//! load is the library's own code; what a module has registered as an [entry point](entry) runs in a
//! child of that module, which is joined when the module goes. Children that kernel code has spawned
//! are for that code to stop, so for these there is `EPERM`. Only `crash` takes any child.
//!
//! # Context and locking
//!
//! Any number of writers at once. The list of children is locked to look something up, never while
//! a command waits: so a child that takes long to stop keeps only those waiting who want that child.
//! The file goes before the children do, and its removal waits for writers.
//!
//! It is a file of mode 0200: under lockdown, debugfs refuses to open it with `EPERM`.
#![deny(unsafe_code)]

use crate::{
    child::{self, entry, entry::Spawned, restart::Policy, Builder, Record, Restart, Scheduling},
    ffi::debugfs::{Command as CommandFile, Dir},
    new_completion, stats,
    sync::{
        atomic::{Atomic, FetchUpdate, Relaxed},
        order::{levels, Token},
        registry::{Registry, RegistryMutex},
        Completion,
    },
    workload::{Alone, Config},
};
use core::marker::PhantomData;
use kernel::{fmt, prelude::*, str::CString, sync::Arc, ModuleMetadata, ThisModule};

mod grammar;
mod refused;

use grammar::{Command, Spawn, What};
use refused::Refused;

/// The window of a limit, and the longest back-off, if they are not said.
const WINDOW_MS: u32 = 60_000;
const BACKOFF_MAX_MS: u32 = 10_000;

/// The most children of this file at once.
const CHILDREN_MAX: usize = 1024;

// What the grammar says is what the library says.
const _: () = assert!(grammar::NAME_MAX == child::NAME_MAX);
const _: () = assert!(grammar::THREADS_MAX as usize == child::THREADS_MAX);
const _: () = assert!(grammar::LIMIT_MAX == child::restart::LIMIT_MAX);
const _: () = assert!(grammar::DEPTH_MAX as usize == child::mailbox::DEPTH_MAX);

static CHILDREN: Registry<levels::Controlled, Owned> = Registry::new(RegistryMutex::Controlled);
static PLACES: Atomic<usize> = Atomic::new(0);

/// One of the children that there may be.
struct Place(());

impl Place {
    /// `None` if there are none left.
    fn take() -> Option<Self> {
        let more = |n: usize| (n < CHILDREN_MAX).then(|| n.wrapping_add(1));
        PLACES.fetch_update(more, Relaxed).ok().map(|_| Self(()))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        PLACES.fetch_sub(1, Relaxed);
    }
}

/// A child of this file.
struct Owned {
    child: Spawned,
    _place: Place,
    removed: Atomic<bool>,
    // Last: then the child has gone.
    gone: Gone,
}

/// Completes it when dropped.
struct Gone(Arc<Completion>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.complete_all();
    }
}

impl Owned {
    fn record(&self) -> &Record {
        self.child.record()
    }
}

/// The file, and the children that it has made. Dropping this ends them.
pub(crate) struct Control(());

impl Control {
    /// To be made before the file is.
    pub(crate) fn new() -> Self {
        Self(())
    }

    /// Creates the file.
    pub(crate) fn create_file<M: ModuleMetadata>(dir: &Dir) {
        dir.command::<M, File<M>>(c"control");
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        let mut token = Token::outermost();
        while let Some(last) = CHILDREN.with(&mut token, |all| all.last().cloned()) {
            CHILDREN.remove(&mut token, &last);
        }
    }
}

/// The file `control` of module `M`, which is this library.
struct File<M>(PhantomData<M>);

impl<M: ModuleMetadata> File<M> {
    const MODULE: &'static ThisModule = &M::THIS_MODULE;
}

impl<M: ModuleMetadata> CommandFile for File<M> {
    fn write(line: &[u8]) -> Result {
        match grammar::parse(line, cfg!(CONFIG_CHILDKERNEL_FAULTS)) {
            Ok(command) => execute(Self::MODULE, command),
            Err(refused) => {
                pr_err!("{refused}\n");
                Err(EINVAL)
            }
        }
    }
}

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        core::fmt::Display::fmt(self, f)
    }
}

fn execute(module: &'static ThisModule, command: Command<'_>) -> Result {
    match command {
        Command::Spawn(what) => spawn(module, &what),
        Command::Stop(id) => {
            find(id)?.child.stop();
            Ok(())
        }
        Command::Restart(id) => restart(id),
        Command::Remove(id) => remove(id),
        Command::Crash(id, fault) => crash(id, fault),
        Command::Send(id, text) => send(id, text),
        Command::ResetStats => {
            stats::locks()?.iter().for_each(|lock| lock.reset());
            Ok(())
        }
        Command::Stats(stats) => {
            stats::set_mode(match stats {
                grammar::Stats::Off => stats::Mode::Off,
                grammar::Stats::Contended => stats::Mode::Contended,
                grammar::Stats::Times => stats::Mode::Times,
            });
            Ok(())
        }
    }
}

/// The record of any child.
fn record(id: u64) -> Result<Arc<Record>> {
    let found = child::list()?.into_iter().find(|record| record.id() == id);
    found.ok_or_else(|| {
        pr_err!("{id}: valid are the IDs of children that there are\n");
        ESRCH
    })
}

/// A child of this file.
fn find(id: u64) -> Result<Arc<Owned>> {
    // One whose module has gone is none any more.
    let record = record(id)?;
    let found = CHILDREN.with(&mut Token::outermost(), |all| {
        all.iter().find(|owned| owned.record().id() == id).cloned()
    });
    found.ok_or_else(|| {
        let (name, owner) = (record.name(), record.owner());
        pr_err!("{id} ({name}): a child of {owner}; valid are those that were spawned here\n");
        EPERM
    })
}

/// The grammar knows it only in builds that can.
#[cfg(not(CONFIG_CHILDKERNEL_FAULTS))]
fn crash(_: u64, _: grammar::Fault) -> Result {
    Err(EINVAL)
}

#[cfg(CONFIG_CHILDKERNEL_FAULTS)]
fn crash(id: u64, fault: grammar::Fault) -> Result {
    use child::{Fault, State};

    let record = record(id)?;
    let fault = match fault {
        grammar::Fault::Error => Fault::Error,
        grammar::Fault::Panic => Fault::Panic,
        grammar::Fault::Bug => Fault::Bug,
        grammar::Fault::Null => Fault::Null,
        grammar::Fault::Spin => Fault::Spin,
        grammar::Fault::Leak => Fault::Leak,
        grammar::Fault::None => Fault::None,
    };
    // It would be kept for a generation that nobody meant.
    let alive = [State::Running, State::Stuck, State::Stopping].contains(&record.state());
    if !alive && fault != Fault::None {
        let (name, state) = (record.name(), record.state().name());
        pr_err!("{id} ({name}): is {state}; valid are children that run\n");
        return Err(EPIPE);
    }
    record.inject(fault);
    Ok(())
}

fn send(id: u64, text: &str) -> Result {
    let owned = find(id)?;
    owned.child.send(text).inspect_err(|error| {
        let name = owned.record().name();
        match *error {
            EOPNOTSUPP => pr_err!("{id} ({name}): takes no text; valid are entry points that do\n"),
            EAGAIN => pr_err!("{id} ({name}): its mailbox is full\n"),
            EPIPE => pr_err!("{id} ({name}): has ended; valid are children that run\n"),
            _ => pr_err!("{id} ({name}): {error:?}\n"),
        }
    })
}

fn restart(id: u64) -> Result {
    let owned = find(id)?;
    owned.child.restart().inspect_err(|error| {
        pr_err!(
            "{id} ({}): does not start: {error:?}\n",
            owned.record().name()
        );
    })
}

/// Returns when the child has gone, whoever else still has to do with it.
fn remove(id: u64) -> Result {
    let owned = find(id)?;
    owned.child.stop();
    if owned.removed.xchg(true, Relaxed) {
        // Somebody else was faster.
        return Err(ESRCH);
    }
    CHILDREN.remove(&mut Token::outermost(), &owned);
    let gone = owned.gone.0.clone();
    drop(owned);
    gone.wait_killable()
}

fn spawn(module: &'static ThisModule, what: &Spawn<'_>) -> Result {
    let place = Place::take().or_else(|| {
        sweep();
        Place::take()
    });
    let place = place.ok_or_else(|| {
        pr_err!("spawn {}: there are {CHILDREN_MAX} already\n", what.name);
        ENOSPC
    })?;
    let child = make(module, what)?;
    let gone = Arc::pin_init(new_completion!("childkernel_controlled_gone"), GFP_KERNEL)?;
    let owned = Arc::new(
        Owned {
            child,
            _place: place,
            removed: Atomic::new(false),
            gone: Gone(gone),
        },
        GFP_KERNEL,
    )?;
    CHILDREN.add(&mut Token::outermost(), owned.clone())?;
    pr_info!("{} ({}): spawned\n", owned.record().id(), what.name);
    Ok(())
}

fn make(module: &'static ThisModule, what: &Spawn<'_>) -> Result<Spawned> {
    let name = CString::try_from_fmt(fmt!("{}", what.name))?;
    let cpus = what.cpus.map_or(Ok(KVec::new()), Config::parse_cpus)?;
    let threads = what.threads.map(|n| n as usize);
    let scheduling = match what.scheduling {
        grammar::Scheduling::Normal => Scheduling::Normal,
        grammar::Scheduling::Batch => Scheduling::Batch,
        grammar::Scheduling::Idle => Scheduling::Idle,
        grammar::Scheduling::Fifo(priority) => Scheduling::Fifo(priority),
    };
    let describe = |owner| {
        Builder::new(owner, &name)
            .memory(what.memory)
            .cpus(&cpus)
            .nice(what.nice)
            .scheduling(scheduling)
            .heartbeat(what.heartbeat)
            .restart(restart_rules(what))
    };
    let made = match what.what {
        What::Load {
            workload,
            primitive,
        } => {
            let load = Alone::new(&name, workload, primitive, threads)?;
            let builder = describe(module)
                .threads(load.threads())
                .workload(load.label());
            let made = builder.spawn_with(move || load.begin(), |ctx, work| work.run(ctx));
            made.map(Spawned::Deaf)
        }
        What::Entry(point) => {
            let label = CString::try_from_fmt(fmt!("{point}"))?;
            entry::spawn(point, what.depth.map(|n| n as usize), |owner| {
                describe(owner)
                    .threads(threads.unwrap_or(1))
                    .workload(&label)
            })
            .inspect_err(|error| match *error {
                ENOENT => match entry::Names::get() {
                    Ok(names) => pr_err!("entry={point}: valid are {names}\n"),
                    Err(_) => pr_err!("entry={point}: no module has registered it\n"),
                },
                ENODEV => pr_err!("entry={point}: its module is going\n"),
                EOPNOTSUPP => pr_err!("depth=: entry={point} takes no text\n"),
                _ => {}
            })
        }
    };
    made.inspect_err(|error| {
        // What is wrong with what was said, was said.
        if ![EINVAL, ENOENT, ENODEV, EOPNOTSUPP].contains(error) {
            pr_err!("spawn {}: {error:?}\n", what.name);
        }
    })
}

fn restart_rules(what: &Spawn<'_>) -> Restart {
    let mut rules = Restart::by(match what.restart {
        grammar::Restart::Never => Policy::Never,
        grammar::Restart::OnError => Policy::OnError,
        grammar::Restart::OnCrash => Policy::OnCrash,
        grammar::Restart::Always => Policy::Always,
    });
    if let Some(limit) = what.limit {
        rules = rules.limit(limit, what.window.unwrap_or(WINDOW_MS));
    }
    if let Some(first) = what.backoff {
        rules = rules.backoff(first, what.backoff_max.unwrap_or(BACKOFF_MAX_MS.max(first)));
    }
    rules
}

/// Lets go of children whose module has gone.
fn sweep() {
    let mut token = Token::outermost();
    // In this order: a child is listed before it is here.
    let Ok(owned) = CHILDREN.collect(&mut token, |owned| Some(owned.clone())) else {
        return;
    };
    let Ok(listed) = child::list() else { return };
    for owned in &owned {
        let id = owned.record().id();
        if !listed.iter().any(|record| record.id() == id) {
            CHILDREN.remove(&mut token, owned);
        }
    }
}
