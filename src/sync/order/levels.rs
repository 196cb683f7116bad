// SPDX-License-Identifier: GPL-2.0

//! The levels of all locks of this project, from the first to be taken to the last.
#![deny(unsafe_code)]

use super::lock_levels;

lock_levels! {
    /// What a module has registered under one name: held while a child is spawned from it.
    pub Entry,
    /// The threads of one child: held while they are started, stopped and joined.
    pub Child,
    /// What the children of a load share.
    pub Load,
    /// What a load keeps for its end.
    pub LoadEnd,
    /// The list of all entry points. Nothing is taken under it.
    pub Entries,
    /// The list of the children that were spawned by the control file. Nothing is taken under it.
    pub Controlled,
    /// The list of all children. Nothing is taken under it.
    pub Children,
    /// The list of all counted locks. Nothing is taken under it.
    pub CountedLocks,
}
