// SPDX-License-Identifier: GPL-2.0

//! What is said of a child before it runs.
#![deny(unsafe_code)]

use super::{
    arena,
    context::{self, Nothing},
    deputy::{Exit, OnExit},
    directory,
    history::History,
    identity::Generations,
    record::{MailMeter, Record},
    restart::{Restart, Restarts, LIMIT_MAX},
    run::{Functions, Post, Program, Run, Typed, TypedRun},
    state,
    thread::{self, Scheduling},
    watch::Watch,
    Body, Child, Context, Handle, CHILDREN, NAME_MAX, NEXT_ID, THREADS_MAX,
};
use crate::{
    new_completion,
    sync::{
        atomic::{Atomic, Relaxed},
        order::{Ordered, Token},
    },
};
use core::marker::PhantomData;
use kernel::{
    cpu::CpuId,
    prelude::*,
    str::CString,
    sync::{Arc, Mutex},
    time::{Instant, Msecs},
    ThisModule,
};

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
pub struct Builder<'a, T: Send + 'static = Nothing> {
    owner: &'static ThisModule,
    name: &'a CStr,
    workload: &'a CStr,
    threads: usize,
    memory: usize,
    cpus: &'a [CpuId],
    scheduling: Scheduling,
    nice: i32,
    heartbeat: Msecs,
    restart: Restart,
    depth: usize,
    hook: Result<Option<Arc<dyn OnExit>>>,
    /// Where the hook's code is.
    hook_code: Option<usize>,
    _messages: PhantomData<fn(T)>,
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
            scheduling: Scheduling::Normal,
            nice: 0,
            heartbeat: 0,
            restart: Restart::NEVER,
            depth: 0,
            hook: Ok(None),
            hook_code: None,
            _messages: PhantomData,
        }
    }

    /// Gives the child a mailbox for up to `depth` messages of type `T`: a power of two, at most
    /// [`DEPTH_MAX`](super::mailbox::DEPTH_MAX). Each generation gets a new one. The child's first
    /// thread receives.
    pub fn mailbox<T: Send + 'static>(self, depth: usize) -> Builder<'a, T> {
        Builder {
            owner: self.owner,
            name: self.name,
            workload: self.workload,
            threads: self.threads,
            memory: self.memory,
            cpus: self.cpus,
            scheduling: self.scheduling,
            nice: self.nice,
            heartbeat: self.heartbeat,
            restart: self.restart,
            // 0 is for none; what is no depth is refused when the mailbox is opened.
            depth: if depth == 0 { usize::MAX } else { depth },
            hook: self.hook,
            hook_code: self.hook_code,
            _messages: PhantomData,
        }
    }
}

impl<'a, T: Send + 'static> Builder<'a, T> {
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

    /// Has its threads scheduled like this.
    pub fn scheduling(mut self, scheduling: Scheduling) -> Self {
        self.scheduling = scheduling;
        self
    }

    /// Expects a sign of life from each of its threads every `ms` milliseconds:
    /// [`Context::should_stop`], [`Context::beat`], or that it waits by a method of its context. A
    /// child that gives none is [stuck](super::State::Stuck); after as long again it is
    /// [given up](super::State::Quarantined). So is one that was told to end and gives none for
    /// twice as long, or does not end in 10 seconds. 0, which is the default, expects none.
    pub fn heartbeat(mut self, ms: Msecs) -> Self {
        self.heartbeat = ms;
        self
    }

    /// Says when the child is started again by itself. Never, by default.
    pub fn restart(mut self, restart: Restart) -> Self {
        self.restart = restart;
        self
    }

    /// Has `hook` called whenever a generation has ended, before the next one is started by itself.
    /// One that is started by hand does not wait for it; if so many follow that one ends while the
    /// end before it waits for the hook, the log says that it is missed.
    ///
    /// It runs in a thread of its own, in process context, or, where none can be made any more, in
    /// the one that drops the child's handle. It may take its time, and may stop the child or start
    /// it again; it must neither drop the child's handle nor wait for its end, as both wait for it.
    pub fn on_exit<H: Fn(&Exit) + Send + Sync + 'static>(mut self, hook: H) -> Self {
        let code = <H as OnExit>::call as fn(&H, &Exit);
        self.hook_code = Some(code as usize);
        self.hook = Arc::new(hook, GFP_KERNEL)
            .map(|hook: Arc<H>| -> Option<Arc<dyn OnExit>> { Some(hook) })
            .map_err(Error::from);
        self
    }

    /// Makes the child and lets it run `entry` in each of its threads.
    ///
    /// A thread that is stopped before it had a CPU for the first time never calls `entry`.
    ///
    /// # Errors
    ///
    /// `EINVAL`, and the log says why, if the name is empty, longer than [`NAME_MAX`] or has other
    /// characters than letters, digits and `-_.:/`, if there are no threads or more than
    /// [`THREADS_MAX`], if a nice value, a priority, a depth or what was said of restarts is out
    /// of range, or if `entry` or the hook is no code of the owner's; `ENOMEM`; `EAGAIN` at the
    /// limit of threads; `EINTR` if the caller is killed meanwhile; `ENODEV` if the library is
    /// built in and could not be set up. Nothing stays behind.
    pub fn spawn<F>(self, entry: F) -> Result<Handle<T>>
    where
        F: Fn(&mut Context<'_, T>) -> Result + Send + Sync + 'static,
    {
        self.spawn_with(|| Ok(()), move |ctx, ()| entry(ctx))
    }

    /// The same, for a child whose threads share a state that is made anew for each generation:
    /// its locks, its tables. `make` is called in the first thread, before `entry` is in any.
    ///
    /// What a generation that died has left locked stays locked, so what it alone uses should be
    /// its own. It is dropped when the next generation begins, or by who stops the child.
    ///
    /// # Errors
    ///
    /// As [`spawn`](Self::spawn).
    pub fn spawn_with<S, M, F>(self, make: M, entry: F) -> Result<Handle<T>>
    where
        S: Send + Sync + 'static,
        M: Fn() -> Result<S> + Send + Sync + 'static,
        F: Fn(&mut Context<'_, T>, &S) -> Result + Send + Sync + 'static,
    {
        // What is not inlined into anything of the library's: the owner's own instance.
        let code = <TypedRun<T, S, M, F> as Run>::abort as fn(&TypedRun<T, S, M, F>);
        let post = Arc::pin_init(Post::new(), GFP_KERNEL)?;
        let functions = Functions { make, entry };
        let program = Typed::new(functions, post.clone(), self.depth)?;
        let child = self.spawn_program(Arc::new(program, GFP_KERNEL)?, code as usize)?;
        let handle = Handle { child, post };
        handle.child.begin()?;
        Ok(handle)
    }

    /// Makes the child and lists it.
    fn spawn_program(self, program: Arc<dyn Program>, code: usize) -> Result<Arc<Child>> {
        let watch = Watch::get()?;
        self.check(code)?;
        let hook = self.hook?;

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
                scheduling: self.scheduling,
                nice: self.nice,
                heartbeat: self.heartbeat,
                watch,
                state: state::StateCell::new(),
                generations: Generations::new(),
                outcome: Atomic::new(0),
                concluded: Atomic::new(0),
                slots,
                memory: Arc::new(arena::Meter::new(self.memory), GFP_KERNEL)?,
                ended <- new_completion!("childkernel_ended"),
                made: Instant::now(),
                since: Atomic::new(0),
                crashes: Atomic::new(0),
                silence: Atomic::new(0),
                mail: MailMeter::new(),
                history <- History::new(),
                #[cfg(CONFIG_CHILDKERNEL_FAULTS)]
                fault: Atomic::new(0),
            }),
            GFP_KERNEL,
        )?;
        let body = KBox::new(
            Body::new(program, hook, self.owner, Restarts::new(self.restart)),
            GFP_KERNEL,
        )?;
        let child = Arc::pin_init(
            pin_init!(Child {
                record,
                owner: self.owner.as_ptr().addr(),
                body <- Ordered::new(Mutex::new(
                    body,
                    crate::lock_name!("childkernel_body"),
                    kernel::static_lock_class!(),
                )),
                closed <- new_completion!("childkernel_closed"),
            }),
            GFP_KERNEL,
        )?;
        // Listed first: once it runs nothing may fail. The handle takes it off again.
        CHILDREN.add(&mut Token::outermost(), child.clone())?;
        directory::add(&child.record);
        Ok(child)
    }

    fn check(&self, code: usize) -> Result {
        // The child is joined when its owner goes: that must be when its code does.
        let owns = |code| crate::ffi::owns(self.owner, code);
        if !owns(code) || !self.hook_code.is_none_or(owns) {
            let owner = crate::ffi::module_name(self.owner);
            pr_err!("owner of a child: the module of its code, which {owner} is not\n");
            return Err(EINVAL);
        }
        if !super::is_name(self.name.to_bytes()) {
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
        if let Scheduling::Fifo(priority) = self.scheduling {
            if !(1..=thread::PRIORITY_MAX).contains(&priority) {
                pr_err!("priority of a child: 1 to {}\n", thread::PRIORITY_MAX);
                return Err(EINVAL);
            }
        }
        if !self.restart.is_valid() {
            pr_err!(
                "restarts of a child: up to {LIMIT_MAX} in a window, a back-off not above its most\n"
            );
            return Err(EINVAL);
        }
        Ok(())
    }
}
