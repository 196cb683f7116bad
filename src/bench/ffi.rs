// SPDX-License-Identifier: GPL-2.0

//! The C twins, and the clocks that both sides are measured by.
//!
//! C header: `src/bench/bench.h`

use super::race::Course;
use crate::ffi as raw;
use core::ptr::NonNull;
use kernel::{error::to_result, prelude::*};

pub(super) mod mail;

/// What the C twins work on: each primitive once, in C.
///
/// # Invariants
///
/// `ptr` is what `childkernel_bench_alloc()` has returned.
pub(super) struct Subject {
    ptr: NonNull<raw::childkernel_bench>,
}

// SAFETY: It belongs to no thread.
unsafe impl Send for Subject {}
// SAFETY: The twins use the primitives as any number of threads may; the numbers that they guard
// are in C's hands.
unsafe impl Sync for Subject {}

impl Subject {
    pub(super) fn new() -> Result<Self> {
        // SAFETY: No preconditions; it sleeps, as its callers may.
        let ptr = NonNull::new(unsafe { raw::childkernel_bench_alloc() }).ok_or(ENOMEM)?;
        // INVARIANT: Just allocated.
        Ok(Self { ptr })
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; nobody uses it any more.
        unsafe { raw::childkernel_bench_free(self.ptr.as_ptr()) };
    }
}

/// A C twin.
///
/// # Invariants
///
/// It may be called with any subject, in process context, for one time or more.
pub(super) struct Twin(unsafe extern "C" fn(*mut raw::childkernel_bench, u64) -> u64);

impl Twin {
    /// Does it `n` times, once at least.
    pub(super) fn run(&self, subject: &Subject, n: u64) -> u64 {
        // SAFETY: By the type invariants of both.
        unsafe { (self.0)(subject.ptr.as_ptr(), n.max(1)) }
    }
}

macro_rules! twins {
    ($($twin:ident = $function:ident;)*) => {
        $(
            // INVARIANT: That is what `bench.h` says of all of them.
            pub(super) const $twin: Twin = Twin(raw::$function);
        )*
    };
}

twins! {
    LOOP = childkernel_bench_loop;
    CALL = childkernel_bench_call;
    ATOMIC_ADD = childkernel_bench_atomic_add;
    ATOMIC_CAS = childkernel_bench_atomic_cas;
    ACQUIRE_RELEASE = childkernel_bench_acquire_release;
    SMP_MB = childkernel_bench_smp_mb;
    SMP_RMB_WMB = childkernel_bench_smp_rmb_wmb;
    BITLOCK = childkernel_bench_bitlock;
    PREEMPT = childkernel_bench_preempt;
    BH = childkernel_bench_bh;
    INTERRUPTS = childkernel_bench_interrupts;
    PERCPU_ADD = childkernel_bench_percpu_add;
    PERCPU_GET = childkernel_bench_percpu_get;
    LOCAL_LOCK = childkernel_bench_local_lock;
    LOCAL_LOCK_BH = childkernel_bench_local_lock_bh;
    LOCAL_LOCK_IRQ = childkernel_bench_local_lock_irq;
    SPINLOCK = childkernel_bench_spinlock;
    SPINLOCK_TRY = childkernel_bench_spinlock_try;
    SPINLOCK_BH = childkernel_bench_spinlock_bh;
    SPINLOCK_IRQ = childkernel_bench_spinlock_irq;
    SPINLOCK_IRQSAVE = childkernel_bench_spinlock_irqsave;
    RAW_SPINLOCK = childkernel_bench_raw_spinlock;
    RAW_SPINLOCK_IRQ = childkernel_bench_raw_spinlock_irq;
    RESILIENT = childkernel_bench_resilient;
    RESILIENT_IRQ = childkernel_bench_resilient_irq;
    RWLOCK_READ = childkernel_bench_rwlock_read;
    RWLOCK_WRITE = childkernel_bench_rwlock_write;
    RWLOCK_BH_READ = childkernel_bench_rwlock_bh_read;
    RWLOCK_BH_WRITE = childkernel_bench_rwlock_bh_write;
    RWLOCK_IRQ_READ = childkernel_bench_rwlock_irq_read;
    RWLOCK_IRQ_WRITE = childkernel_bench_rwlock_irq_write;
    MUTEX = childkernel_bench_mutex;
    MUTEX_TRY = childkernel_bench_mutex_try;
    MUTEX_INTERRUPTIBLE = childkernel_bench_mutex_interruptible;
    SEMAPHORE = childkernel_bench_semaphore;
    SEMAPHORE_TRY = childkernel_bench_semaphore_try;
    RWSEM_READ = childkernel_bench_rwsem_read;
    RWSEM_WRITE = childkernel_bench_rwsem_write;
    RWSEM_DOWNGRADE = childkernel_bench_rwsem_downgrade;
    PERCPU_RWSEM_READ = childkernel_bench_percpu_rwsem_read;
    COMPLETION = childkernel_bench_completion;
    WAKE_NOBODY = childkernel_bench_wake_nobody;
    SRCU_READ = childkernel_bench_srcu_read;
    SEQLOCK_READ = childkernel_bench_seqlock_read;
    SEQLOCK_READ_RECORD = childkernel_bench_seqlock_read_record;
    SEQLOCK_WRITE = childkernel_bench_seqlock_write;
    SEQLOCK_WRITE_RECORD = childkernel_bench_seqlock_write_record;
    SEQLOCK_BH_WRITE = childkernel_bench_seqlock_bh_write;
    SEQLOCK_IRQ_WRITE = childkernel_bench_seqlock_irq_write;
    SEQCOUNT_READ = childkernel_bench_seqcount_read;
    SEQCOUNT_WRITE = childkernel_bench_seqcount_write;
    SEQCOUNT_MUTEX_WRITE = childkernel_bench_seqcount_mutex_write;
    RCU_READ = childkernel_bench_rcu_read;
    RCU_POINTER = childkernel_bench_rcu_pointer;
    RCU_LIST_LOOKUP = childkernel_bench_rcu_list_lookup;
    BEFORE_AFTER_ATOMIC = childkernel_bench_before_after_atomic;
    BIT_SET_CLEAR = childkernel_bench_bit_set_clear;
    BIT_TEST_AND_CHANGE = childkernel_bench_bit_test_and_change;
    RAW_SPINLOCK_TRY = childkernel_bench_raw_spinlock_try;
    RWLOCK_TRY_READ = childkernel_bench_rwlock_try_read;
    RWLOCK_TRY_WRITE = childkernel_bench_rwlock_try_write;
    SPINLOCK_TWO = childkernel_bench_spinlock_two;
    MUTEX_KILLABLE = childkernel_bench_mutex_killable;
    MUTEX_TWO = childkernel_bench_mutex_two;
    SEMAPHORE_INTERRUPTIBLE = childkernel_bench_semaphore_interruptible;
    SEMAPHORE_TIMEOUT = childkernel_bench_semaphore_timeout;
    RWSEM_READ_KILLABLE = childkernel_bench_rwsem_read_killable;
    RWSEM_TRY_READ = childkernel_bench_rwsem_try_read;
    RWSEM_TRY_WRITE = childkernel_bench_rwsem_try_write;
    PERCPU_RWSEM_TRY_READ = childkernel_bench_percpu_rwsem_try_read;
    PERCPU_RWSEM_WRITE = childkernel_bench_percpu_rwsem_write;
    COMPLETION_WAIT = childkernel_bench_completion_wait;
    WAKE_ALL_NOBODY = childkernel_bench_wake_all_nobody;
    SEQLOCK_READ_OR_LOCK = childkernel_bench_seqlock_read_or_lock;
    SEQLOCK_READ_LOCKED = childkernel_bench_seqlock_read_locked;
    SEQCOUNT_RAW_WRITE = childkernel_bench_seqcount_raw_write;
    SEQCOUNT_RWLOCK_WRITE = childkernel_bench_seqcount_rwlock_write;
    SEQCOUNT_MUTEX_READ = childkernel_bench_seqcount_mutex_read;
    KMALLOC_64 = childkernel_bench_kmalloc_64;
    KMALLOC_1024 = childkernel_bench_kmalloc_1024;
    MEMPOOL_64 = childkernel_bench_mempool_64;
    MEMPOOL_1024 = childkernel_bench_mempool_1024;
    LIST_KFREE_RCU = childkernel_bench_list_kfree_rcu;
    LIST_RCU_WORK = childkernel_bench_list_rcu_work;
    TABLE_LOOKUP = childkernel_bench_table_lookup;
    TABLE_CHANGE = childkernel_bench_table_change;
    HANDSHAKE = childkernel_bench_handshake;
}

/// How long a kthread of C takes from `kthread_run()` to its first instruction, and to be stopped,
/// in ns.
///
/// # Errors
///
/// That of `kthread_run()`.
pub(super) fn thread() -> Result<(u64, u64)> {
    let (mut start, mut stop) = (0, 0);
    // SAFETY: Both are valid for writes; it sleeps, as its caller may.
    to_result(unsafe { raw::childkernel_bench_thread(&mut start, &mut stop) })?;
    Ok((start, stop))
}

/// What a thread does at a time where several use the same at once, and what it has seen.
pub(super) type Batch = raw::childkernel_bench_batch;

fn look_at(batch: &mut Batch, course: &Course) {
    batch.stop = course.stop.as_ptr();
    let left = course.left.as_ref();
    batch.left = left.map_or(core::ptr::null_mut(), |left| left.0.as_ptr());
}

/// A C twin that any number of threads may run at once.
///
/// # Invariants
///
/// It may be called with any subject and any batch, in process context.
pub(super) struct Contended(
    unsafe extern "C" fn(*mut raw::childkernel_bench, *mut raw::childkernel_bench_batch),
);

impl Contended {
    /// Does a batch, or what of it there is time for until it is over.
    pub(super) fn run(&self, subject: &Subject, course: &Course, batch: &mut Batch) {
        look_at(batch, course);
        // SAFETY: By the type invariants of both; `course` lives as long as the call.
        unsafe { (self.0)(subject.ptr.as_ptr(), batch) };
    }
}

macro_rules! contended {
    ($($twin:ident = $function:ident;)*) => {
        /// What several threads do at once.
        pub(super) mod contended {
            use super::{raw, Contended};
            $(
                // INVARIANT: That is what `bench.h` says of all of them.
                pub(in crate::bench) const $twin: Contended = Contended(raw::$function);
            )*
        }
    };
}

contended! {
    SPINLOCK = childkernel_bench_contended_spinlock;
    SPINLOCK_IRQ = childkernel_bench_contended_spinlock_irq;
    RAW_SPINLOCK = childkernel_bench_contended_raw_spinlock;
    RESILIENT = childkernel_bench_contended_resilient;
    RWLOCK = childkernel_bench_contended_rwlock;
    RWLOCK_IRQ = childkernel_bench_contended_rwlock_irq;
    MUTEX = childkernel_bench_contended_mutex;
    SEMAPHORE = childkernel_bench_contended_semaphore;
    RWSEM = childkernel_bench_contended_rwsem;
    PERCPU_RWSEM = childkernel_bench_contended_percpu_rwsem;
    SEQLOCK = childkernel_bench_contended_seqlock;
    BITLOCK = childkernel_bench_contended_bitlock;
    ATOMIC_CAS = childkernel_bench_contended_atomic_cas;
    PERCPU = childkernel_bench_contended_percpu;
}

/// A hash table in C.
///
/// # Invariants
///
/// `ptr` is what `childkernel_bench_table_alloc()` has returned.
pub(super) struct Table {
    ptr: NonNull<raw::childkernel_bench_table>,
}

// SAFETY: It belongs to no thread.
unsafe impl Send for Table {}
// SAFETY: Its locks are there for any number of threads.
unsafe impl Sync for Table {}

impl Table {
    /// Makes one with so many locks.
    pub(super) fn new(locks: u32) -> Result<Self> {
        // SAFETY: No preconditions; it sleeps, as its callers may.
        let ptr = NonNull::new(unsafe { raw::childkernel_bench_table_alloc(locks) });
        // INVARIANT: Just allocated.
        Ok(Self {
            ptr: ptr.ok_or(ENOMEM)?,
        })
    }

    /// Does a batch, or what of it there is time for until it is over.
    pub(super) fn run(&self, course: &Course, batch: &mut Batch) {
        look_at(batch, course);
        // SAFETY: By the type invariant; `course` lives as long as the call.
        unsafe { raw::childkernel_bench_table(self.ptr.as_ptr(), batch) };
    }
}

impl Drop for Table {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; nobody uses it any more.
        unsafe { raw::childkernel_bench_table_free(self.ptr.as_ptr()) };
    }
}

/// Keeps the CPU for so many loops.
#[inline]
pub(super) fn spin(loops: u64) {
    // SAFETY: No preconditions.
    unsafe { raw::childkernel_bench_spin(loops) };
}

/// How often the current thread has given its CPU away or had to.
pub(super) fn switches() -> u64 {
    // SAFETY: No preconditions.
    unsafe { raw::childkernel_bench_switches() }
}

/// The processor's cycle counter; instructions, under emulation that counts them.
#[inline]
pub(super) fn cycles() -> u64 {
    // SAFETY: No preconditions.
    unsafe { raw::childkernel_bench_cycles() }
}

/// The time in ns since one and the same moment.
#[inline]
pub(super) fn time() -> u64 {
    // SAFETY: No preconditions.
    unsafe { raw::childkernel_bench_time() }
}

/// The value of the parameter `bench`.
pub(super) fn param() -> &'static str {
    // SAFETY: A `charp` parameter that is not writable keeps its string until the module is gone,
    // and its default is a string literal.
    let word = unsafe { CStr::from_char_ptr(raw::childkernel_param_bench()) };
    // What is not UTF-8 is none of the valid words either.
    word.to_str().unwrap_or("?")
}

/// The value of the parameter `bench_only`.
pub(super) fn param_only() -> &'static str {
    // SAFETY: As in `param`.
    let words = unsafe { CStr::from_char_ptr(raw::childkernel_param_bench_only()) };
    words.to_str().unwrap_or("?")
}

/// Whether a first look is enough.
pub(super) fn param_quick() -> bool {
    // SAFETY: No preconditions.
    unsafe { raw::childkernel_param_bench_quick() }
}

/// Whether a child may really crash.
pub(super) fn param_crash() -> bool {
    // SAFETY: No preconditions.
    unsafe { raw::childkernel_param_bench_crash() }
}
