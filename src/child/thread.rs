// SPDX-License-Identifier: GPL-2.0

//! A kernel thread that is owned: who has it can stop it, and who drops it has joined it.
//!
//! C header: [`include/linux/kthread.h`](srctree/include/linux/kthread.h)

use core::ptr::NonNull;
use kernel::{
    bindings,
    cpu::CpuId,
    cpumask::CpumaskVar,
    error::{from_err_ptr, to_result},
    prelude::*,
    sync::Arc,
};

/// `MIN_NICE`: what a nice value can be, at the least.
pub(super) const NICE_MIN: i32 = -20;
/// `MAX_NICE`: and at the most.
pub(super) const NICE_MAX: i32 = 19;

/// How a thread is scheduled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheduling {
    /// `SCHED_NORMAL`, with its nice value.
    Normal,
    /// `SCHED_BATCH`: the same, for what computes and is not waited for.
    Batch,
    /// `SCHED_IDLE`: when nothing else wants the CPU.
    Idle,
    /// `SCHED_FIFO` with a priority from 1 to 99: before all of these. A thread that spins so may
    /// keep its CPU from all others; the kernel's own real-time throttling is what is left then.
    Fifo(u32),
}

/// The highest priority of [`Scheduling::Fifo`].
pub(super) const PRIORITY_MAX: u32 = 99;

/// What a thread runs.
pub(super) trait Body: Send + Sync + 'static {
    /// Runs in the new thread; when it returns the thread is over.
    fn run(&self);
}

/// A kernel thread that runs a `B`.
///
/// # Invariants
///
/// `task` was made by `kthread_create()`, with a pointer to what `body` points to as its data. We
/// hold a reference on it, taken before its first wake-up, so it stays valid even if the thread
/// ends, or dies, by itself. `joined` says that it executes nothing of ours any more, and `died`
/// that this was its death.
pub(super) struct Thread<B: Body> {
    task: NonNull<bindings::task_struct>,
    body: Arc<B>,
    joined: bool,
    died: bool,
}

// SAFETY: A task may be stopped and joined from any thread.
unsafe impl<B: Body> Send for Thread<B> {}
// SAFETY: A shared reference only wakes and asks it to stop, which any number of threads may do.
unsafe impl<B: Body> Sync for Thread<B> {}

impl<B: Body> Thread<B> {
    /// Creates the thread. It runs nothing before [`wake`](Self::wake).
    ///
    /// # Errors
    ///
    /// `ENOMEM`; `EINTR` if the caller is killed meanwhile.
    pub(super) fn create(name: &CStr, body: Arc<B>) -> Result<Self> {
        // SAFETY: The format takes one string. `entry` is given a pointer that stays valid as
        // long as the thread: `body` is dropped by us only after joining it.
        let task = from_err_ptr(unsafe {
            bindings::kthread_create_on_node(
                Some(Self::entry),
                Arc::as_ptr(&body).cast_mut().cast(),
                bindings::NUMA_NO_NODE,
                c"%s".as_char_ptr(),
                name.as_char_ptr(),
            )
        })?;
        // SAFETY: The thread waits for its first wake-up, so it can not have gone.
        unsafe { bindings::get_task_struct(task) };
        // INVARIANT: It was just made with `body`, and we hold a reference. From here on an error
        // drops it, which joins it.
        Ok(Self {
            task: NonNull::new(task).ok_or(EINVAL)?,
            body,
            joined: false,
            died: false,
        })
    }

    /// Has the thread prefer `cpu`: it runs there whenever that CPU is online. Before its first
    /// wake-up.
    ///
    /// # Errors
    ///
    /// `ENOMEM`.
    pub(super) fn prefer(&self, cpu: CpuId) -> Result {
        let mut mask = CpumaskVar::new_zero(GFP_KERNEL)?;
        mask.set(cpu);
        // SAFETY: By the type invariant the task is valid; the mask is copied.
        to_result(unsafe { bindings::kthread_affine_preferred(self.task.as_ptr(), mask.as_raw()) })
    }

    /// Sets how it is scheduled. `nice` is from [`NICE_MIN`] to [`NICE_MAX`].
    ///
    /// # Errors
    ///
    /// What the scheduler says of the values.
    pub(super) fn schedule(&self, scheduling: Scheduling, nice: i32) -> Result {
        let (policy, priority) = match scheduling {
            // As it was made.
            Scheduling::Normal if nice == 0 => return Ok(()),
            Scheduling::Normal => (bindings::SCHED_NORMAL, 0),
            Scheduling::Batch => (bindings::SCHED_BATCH, 0),
            Scheduling::Idle => (bindings::SCHED_IDLE, 0),
            Scheduling::Fifo(priority) => (bindings::SCHED_FIFO, priority),
        };
        // SAFETY: By the type invariant the task is valid; the scheduler checks the rest.
        to_result(unsafe {
            crate::ffi::childkernel_thread_schedule(self.task.as_ptr(), policy, priority, nice)
        })
    }

    /// What it runs.
    pub(super) fn body(&self) -> &B {
        &self.body
    }

    /// Ends its interruptible waits and sleeps, now and from now on, and does not wait for it.
    pub(super) fn interrupt(&self) {
        // SAFETY: By the type invariant the task is valid.
        unsafe { crate::ffi::childkernel_thread_interrupt(self.task.as_ptr()) };
    }

    /// Whether it is over, in whatever way. What it did before can be seen then.
    pub(super) fn has_exited(&self) -> bool {
        // SAFETY: By the type invariant the task is valid.
        unsafe { crate::ffi::childkernel_thread_has_exited(self.task.as_ptr()) }
    }

    /// Asks it to stop, waits until it has ended, and returns what it ended with: 0 if it has
    /// returned or never ran, else the signal of its death. `None` if it was joined before.
    pub(super) fn join(&mut self) -> Option<c_int> {
        if self.joined {
            return None;
        }
        // INVARIANT: After this call the thread executes nothing of ours.
        self.joined = true;
        // SAFETY: By the type invariant the task is valid, running or not, and this is the only
        // time that it is stopped. It returns at once if it ended before.
        let code = unsafe { bindings::kthread_stop(self.task.as_ptr()) };
        self.died = code > 0;
        // One that never ran says `-EINTR`.
        Some(code.max(0))
    }

    /// Lets the thread begin.
    pub(super) fn wake(&self) {
        // SAFETY: By the type invariant the task is valid.
        unsafe { bindings::wake_up_process(self.task.as_ptr()) };
    }

    /// # Safety
    ///
    /// Only to be called by a thread made by [`Thread::create`], with its data.
    unsafe extern "C" fn entry(data: *mut c_void) -> c_int {
        // SAFETY: The pointer comes from `create`; the `Arc` it comes from lives until the thread
        // has been joined.
        let body = unsafe { &*data.cast::<B>() };
        body.run();
        0
    }
}

/// Whether the current thread, which must be a [`Thread`], was asked to stop.
#[inline]
pub(super) fn should_stop() -> bool {
    // SAFETY: The caller is a kernel thread.
    unsafe { bindings::kthread_should_stop() }
}

/// Sleeps for `jiffies`, or less when asked to stop. The caller must be a [`Thread`].
pub(super) fn sleep(jiffies: kernel::time::Jiffies) {
    // A request that came before this call ends it too: kthread_stop() leaves a notification that
    // interruptible sleeps look at first.
    // SAFETY: Called from process context.
    unsafe {
        bindings::schedule_timeout_interruptible(c_long::try_from(jiffies).unwrap_or(c_long::MAX))
    };
}

impl<B: Body> Drop for Thread<B> {
    /// Asks the thread to stop and waits until it has ended.
    fn drop(&mut self) {
        self.join();
        if self.died {
            // A mutex that it had locked, and shared with others, points to it for good, and who
            // wants that looks whether it runs. So the task stays: some KiB for each oops.
            return;
        }
        // SAFETY: By the type invariant the reference is ours.
        unsafe { bindings::put_task_struct(self.task.as_ptr()) };
    }
}
