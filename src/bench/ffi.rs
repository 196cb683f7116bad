// SPDX-License-Identifier: GPL-2.0

//! The C twins, and the clocks that both sides are measured by.
//!
//! C header: `src/bench/bench.h`

use crate::ffi as raw;
use core::ptr::NonNull;
use kernel::prelude::*;

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
}

/// The processor's cycle counter; instructions, under emulation that counts them.
#[inline]
pub(super) fn cycles() -> u64 {
    // SAFETY: No preconditions.
    unsafe { raw::childkernel_bench_cycles() }
}

/// The time since boot, in ns.
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

/// Whether a first look is enough.
pub(super) fn param_quick() -> bool {
    // SAFETY: No preconditions.
    unsafe { raw::childkernel_param_bench_quick() }
}
