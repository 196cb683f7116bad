// SPDX-License-Identifier: GPL-2.0

//! Sleepable read-copy-update: readers that wait for nobody and may sleep.
//!
//! The `kernel` crate's type. It protects nothing by itself: it is a way to wait until all who were
//! inside have left. A reader enters, looks whether something is still there, uses it, sleeping or
//! not, and leaves; who takes it away does so first, and then waits. A domain is one [`Srcu`]:
//! readers of another one do not hold it up. Where readers need not sleep [`rcu`](super::rcu) is
//! cheaper and has pointers and lists.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/srcu.h`](srctree/include/linux/srcu.h) |
//! | context | entering and leaving: process, softirq, hardirq, leaving in the one in which it was entered; `synchronize`: process |
//! | safe against | preempt-safe: yes; SMP-safe: yes; interrupt-safe: yes |
//! | sleeps | readers may; `synchronize` does; dropping the `Srcu` does |
//! | `PREEMPT_RT` | the same |
//! | fairness | readers never wait; one that never leaves keeps `synchronize` waiting forever |
//! | cost | reading: a count of this CPU and a full barrier on the way in and out; a domain: memory for each CPU |
//! | order | who is inside when `synchronize` returns sees all that was done before it was called; what all others did inside comes before its return |
//! | errors | `ENOMEM` when a domain is made |
//!
//! # In a child kernel
//!
//! Hold no guard in a child. If it crashes there, the guard is never dropped, and whoever
//! synchronizes waits forever, as does dropping the [`Srcu`]: memory that readers might still use
//! must not go. RCU does not have this weakness: the kernel takes a thread that ends out of its
//! readers. A child that has to be inside for long says so by a count or by a
//! [`Completion`](super::Completion), for which others can wait with a limit.
//!
//! # Examples
//!
//! ```ignore
//! let srcu = Arc::pin_init(new_srcu!("example"), GFP_KERNEL)?;
//!
//! // A reader.
//! let inside = srcu.read_lock();
//! if open.load(Relaxed) {
//!     fsleep(Delta::from_millis(1)); // It stays open for us.
//! }
//! drop(inside);
//!
//! // Who closes it.
//! open.store(false, Relaxed);
//! srcu.synchronize(); // Nobody is inside any more who has seen it open.
//! ```

pub use kernel::sync::srcu::{new_srcu, Guard, Srcu};
