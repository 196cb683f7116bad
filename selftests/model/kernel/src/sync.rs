// SPDX-License-Identifier: GPL-2.0

//! What threads share.

pub mod atomic;
pub mod barrier;
mod completion;
pub mod lock;
pub mod rcu;

pub use completion::Completion;
pub(crate) use completion::Waiting;

/// There is no lockdep here.
pub struct LockClassKey;
