// SPDX-License-Identifier: GPL-2.0

//! What is said of a child before it runs.
#![deny(unsafe_code)]

use super::{
    arena, context, record::Record, state, thread, Body, Child, Context, Entry, Handle, CHILDREN,
    LIVE, NAME_MAX, NEXT_ID, THREADS_MAX,
};
use crate::{
    new_completion,
    sync::{
        atomic::{Acquire, Atomic, Relaxed},
        order::{Ordered, Token},
    },
};
use kernel::{
    cpu::CpuId,
    prelude::*,
    str::CString,
    sync::{new_mutex, Arc},
    time::Instant,
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
