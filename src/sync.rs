// SPDX-License-Identifier: GPL-2.0

//! The native synchronization primitives of Linux as safe Rust.
//!
//! What the `kernel` crate has is re-exported; what it lacks is wrapped here, one primitive a
//! file. Nothing is re-implemented: each type is the C structure, used by the C functions.
//!
//! # Which one when
//!
//! | you have | take | why |
//! |---|---|---|
//! | a short critical section, or one that must not sleep | [`SpinLock`] | lowest overhead; waiting costs a CPU |
//! | the same, shared with code that may die or never let go | [`ResilientSpinLock`] | gives up with an error |
//! | a long critical section, or one that sleeps | [`Mutex`] | waiters sleep; process context only |
//! | many readers that stay long | [`RwLock`], [`RwSemaphore`] | they are inside together |
//! | the same, hardly ever written | [`PerCpuRwSemaphore`] | readers touch their own CPU only |
//! | small plain data, read much more often than written | [`SeqLock`] | readers never block a writer, they retry |
//! | the same, written under a lock that you have already | [`SeqCount`] | lock and count in one |
//! | linked data, looked up much more often than changed | [`RcuList`] | lookups wait for nobody, from any context |
//! | data of any kind, read much more often than replaced | [`Rcu`] | readers wait for nobody, from any context |
//! | the same, but readers sleep | [`Srcu`] | a domain of its own waits for its readers |
//! | at most so many at once | [`Semaphore`] | counts; anybody may give back |
//! | one event to wait for | [`Completion`] | counts, so that a signal before the wait is not lost |
//! | a condition to wait for, of data under a lock | [`CondVar`] | gives the lock away while it waits |
//! | one number | [`atomic`] | no lock at all |
//! | flags | [`BitArray`](atomic::BitArray) | no lock at all |
//! | something to hand over, and no wait | a release store and an acquire load; [`barrier`] | ordering is all it needs |
//! | a number that all CPUs add to | [`PerCpuCounters`] | one instruction, on this CPU's own memory |
//! | data of this CPU only | [`PerCpu`] under a token of [`preempt`] | no other CPU has to be kept out |
//! | the same, with fields that have to agree | [`LocalLock`] | a token that has the data inside |
//! | several locks at once | [`Ordered`] around each | a wrong order does not compile |
//!
//! As a rule of thumb: if the wait is shorter than two context switches, spin.
//!
//! # Which context
//!
//! | primitive | process | softirq | hardirq | may sleep | on `PREEMPT_RT` |
//! |---|---|---|---|---|---|
//! | [`SpinLock`], [`RwLock`] | yes | if it never is in process | see the next table | no | sleeps |
//! | [`SpinLockBh`], [`RwLockBh`] | yes | yes | no | no | sleeps |
//! | [`SpinLockIrq`], [`RwLockIrq`] | yes | yes | yes | no | sleeps, interrupts stay on: not in hardirq |
//! | [`RawSpinLock`] | yes | no | no | no | spins |
//! | [`RawSpinLockIrq`] | yes | yes | yes | no | spins |
//! | [`ResilientSpinLock`] | yes | no, take the `Irq` one | likewise | no | spins |
//! | [`ResilientSpinLockIrq`] | yes | yes | yes | no | spins |
//! | [`Mutex`], [`RwSemaphore`], [`PerCpuRwSemaphore`] | yes | no | no | yes | the same |
//! | [`Semaphore`] `up`, `try_down` | yes | yes | yes | no | the same |
//! | [`Semaphore`] `down` | yes | no | no | yes | the same |
//! | [`SeqLock`] reader, writer | yes | no, take the `Bh` one | no, take the `Irq` one | no | both sleep: process context only, but for `try_read` |
//! | [`SeqLockBh`] reader, writer | yes | yes | no | no | the same |
//! | [`SeqLockIrq`] reader, writer | yes | yes | yes | no | the same |
//! | [`SeqCount`] reader | yes | if the lock keeps these off | likewise | no | sleeps when it meets a writer, unless the lock is raw |
//! | [`SeqCount`] writer | as its lock | as its lock | as its lock | as its lock, not in the write side | as its lock |
//! | [`RcuList`] lookup | yes | yes | yes | no | the same |
//! | [`RcuList`] writer | yes | no | no | as its lock | as its lock |
//! | [`atomic`], [`barrier`], [`PerCpuCounters`] | yes | yes | yes | no | the same |
//! | [`PerCpu`] | with a token | with a token | with a token | no | not under [`BottomHalvesDisabled`](preempt::BottomHalvesDisabled) |
//! | [`LocalLock`] | yes | no, take the `Bh` one | no, take the `Irq` one | no | sleeps |
//! | [`LocalLockBh`] | yes | yes | no | no | sleeps |
//! | [`LocalLockIrq`] | yes | yes | yes | no | sleeps, interrupts stay on: not in hardirq |
//! | [`Rcu`] reader, `replace`, `defer` | yes | yes | yes | no | the same |
//! | [`rcu::synchronize`], [`rcu::flush`] | yes | no | no | yes | the same |
//! | [`Srcu`] reader | yes | yes | yes | yes, in process context | the same |
//! | [`Srcu`] `synchronize` | yes | no | no | yes | the same |
//! | [`Completion`] signal | yes | yes | yes | no | `complete_all` not from hardirq |
//! | [`Completion`] wait | yes | no | no | yes | the same |
//! | [`CondVar`] notify | yes | yes | yes | no | not from hardirq |
//! | [`CondVar`] wait | yes | no | no | yes | the same |
//!
//! # Data shared between
//!
//! Two dangers: another CPU enters, which any lock prevents; and an interrupt waits, on the CPU
//! that it interrupted, for a lock that cannot be released until it has ended. The second is
//! prevented by keeping that interrupt off as long as the lock is held. This is the least that does
//! it; what keeps more off is right as well.
//!
//! | data shared between | variant to use | why |
//! |---|---|---|
//! | process and process | [`Mutex`], or [`SpinLock`] where it is short | nothing that waits has interrupted the holder |
//! | process and softirq | [`SpinLockBh`] | a softirq interrupts a thread |
//! | process and bottom-half work | [`SpinLockBh`] | it runs as a softirq |
//! | process and hardirq | [`SpinLockIrq`] | a hardirq interrupts a thread |
//! | softirq and softirq | [`SpinLock`] | none interrupts another, but another CPU may serve even the same one |
//! | softirq and bottom-half work | [`SpinLock`] | as two softirqs |
//! | softirq and hardirq | [`SpinLockIrq`] | a hardirq interrupts a softirq |
//! | bottom-half work and bottom-half work | [`SpinLock`]; none if it is the same work | as two softirqs, but one work, or tasklet, never runs twice at once |
//! | bottom-half work and hardirq | [`SpinLockIrq`] | a hardirq interrupts it |
//! | hardirq and hardirq | [`SpinLockIrq`]; none if it is the same interrupt | whether one interrupts another is up to the architecture; one line is served by one CPU at a time, but one that each CPU has for itself needs a lock |
//!
//! - Softirq: timers, soft hrtimers, network and block completion. Bottom-half work: tasklets and
//!   the work of a bottom-half workqueue, as `kernel::workqueue::system_bh()`. The work of any
//!   other workqueue, and a threaded interrupt handler, is process context.
//! - Shared by more than two contexts: the strongest variant of all pairs.
//! - [`RwLock`], [`RwLockBh`] and [`RwLockIrq`] go by the same rows, for readers too: a reader
//!   waits for a writer that it interrupted. So do [`SeqLock`], [`SeqLockBh`] and [`SeqLockIrq`],
//!   and a [`SeqCount`] by the lock of its writers. [`RcuList`] lookups need none of this; its
//!   writers do.
//! - A token of [`preempt`] alone is no lock: it is enough only where one CPU's own data is meant.
//! - On `PREEMPT_RT` soft interrupts and most handlers are threads, and the rows stay right for
//!   them. Who really is in a hard interrupt (a hard hrtimer, a handler that asked not to be a
//!   thread) must not sleep: there [`RawSpinLockIrq`] takes the place of [`SpinLockIrq`], and a
//!   [`SeqCount`] with one inside that of [`SeqLockIrq`].
//!
//! The rows are those of the table of locking requirements in
//! [`Documentation/kernel-hacking/locking.rst`](srctree/Documentation/kernel-hacking/locking.rst).
//! `selftests/childkernel/sync_test/cells.rs` has a case for each, and one that catches the variant
//! next to it.
//!
//! # Errors
//!
//! Waits that a signal, or a request to stop, has ended give `EINTR` for mutexes and semaphores of
//! all kinds, `ERESTARTSYS` for completions and wait queues; a limit that is over gives `ETIME` for
//! semaphores, `ETIMEDOUT` for completions and wait queues.
//!
//! # What is not there
//!
//! The Big Kernel Lock is absent: Linux removed it in 2.6.39, after every user had found the lock
//! that it really needed.

/// The name of a lock class that the `new_` macros make.
///
/// Generic code is compiled where it is used, and a literal with it, so that it would have an address
/// in each module; a static has one, as the class has. lockdep wants one name for one class.
#[doc(hidden)]
#[macro_export]
macro_rules! lock_name {
    ($name:literal) => {{
        static NAME: &::kernel::str::CStr = ::kernel::c_str!($name);
        NAME
    }};
}

pub mod atomic;
pub mod barrier;
pub mod completion;
pub mod local_lock;
pub mod lockable;
pub mod mutex;
pub mod nested;
pub mod order;
pub mod percpu;
pub mod preempt;
pub mod rcu;
pub mod rcu_list;
pub mod rcu_pointer;
pub(crate) mod registry;
pub mod resilient;
pub mod rwlock;
pub mod rwsem;
pub mod semaphore;
pub mod seqcount;
pub mod seqlock;
pub mod spinlock;
pub mod srcu;
pub mod wait;
mod words;

pub use completion::Completion;
pub use kernel::sync::{lock, Arc};
pub use local_lock::{LocalLock, LocalLockBh, LocalLockIrq};
pub use lockable::Lockable;
pub use mutex::{new_mutex, Mutex, MutexExt, MutexGuard};
pub use order::{lock_levels, Ordered, Outermost, Token};
pub use percpu::{PerCpu, PerCpuCounters};
pub use rcu_list::RcuList;
pub use rcu_pointer::Rcu;
pub use resilient::{ResilientSpinLock, ResilientSpinLockIrq};
pub use rwlock::{RwLock, RwLockBh, RwLockIrq};
pub use rwsem::{PerCpuRwSemaphore, RwSemaphore};
pub use semaphore::Semaphore;
pub use seqcount::SeqCount;
pub use seqlock::{SeqLock, SeqLockBh, SeqLockIrq};
pub use spinlock::{
    new_spinlock, new_spinlock_irq, RawSpinLock, RawSpinLockIrq, SpinLock, SpinLockBh,
    SpinLockGuard, SpinLockIrq,
};
pub use srcu::{new_srcu, Srcu};
pub use wait::{new_condvar, CondVar, CondVarExt};
