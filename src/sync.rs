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
//! | a long one, or one that sleeps | [`Mutex`] | waiters sleep; process context only |
//! | small plain data, read much more often than written | [`SeqLock`] | readers never block a writer, they retry |
//! | linked data, looked up much more often than changed | [`RcuList`] | lookups wait for nobody, from any context |
//! | one event to wait for | [`Completion`] | counts, so that a signal before the wait is not lost |
//! | one number | [`atomic`] | no lock at all |
//!
//! As a rule of thumb: if the wait is shorter than two context switches, spin.
//!
//! # Which context
//!
//! | primitive | process | softirq | hardirq | may sleep | on `PREEMPT_RT` |
//! |---|---|---|---|---|---|
//! | [`SpinLock`] | yes | if no process-context user leaves softirqs on | no, take [`SpinLockIrq`] | no | becomes a sleeping lock |
//! | [`Mutex`] | yes | no | no | yes | the same |
//! | [`SeqLock`] reader | yes | if no writer can be interrupted by it | likewise | no | sleeps when it meets a writer: process context only |
//! | [`SeqLock`] writer | yes | no | no | no | becomes a sleeping lock |
//! | [`RcuList`] lookup | yes | yes | yes | no | the same |
//! | [`RcuList`] writer | yes | no | no | as its lock | as its lock |
//! | [`Completion`] signal | yes | yes | yes | no | `complete_all` not from hardirq |
//! | [`Completion`] wait | yes | no | no | yes | the same |
//!
//! The Big Kernel Lock is absent: Linux removed it in 2.6.39, after every user had found the lock
//! that it really needed.

pub mod completion;
pub mod percpu;
pub mod rcu;
pub mod rcu_list;
pub(crate) mod registry;
pub mod seqlock;

pub use completion::Completion;
pub use kernel::sync::{
    atomic, barrier, lock, new_mutex, new_spinlock, Arc, Mutex, MutexGuard, SpinLock,
    SpinLockGuard, SpinLockIrq,
};
pub use rcu_list::RcuList;
pub use seqlock::SeqLock;
