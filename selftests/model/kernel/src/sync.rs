// SPDX-License-Identifier: GPL-2.0

//! What threads share.

pub mod atomic;
pub mod barrier;
mod completion;
pub mod lock;
pub mod rcu;

pub(crate) use completion::Waiting;
pub use completion::Completion;

/// There is no lockdep here.
pub struct LockClassKey;
