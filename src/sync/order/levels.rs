// SPDX-License-Identifier: GPL-2.0

//! The levels of all locks of this project, from the first to be taken to the last.
#![deny(unsafe_code)]

use super::lock_levels;

lock_levels! {
    /// What a module has registered under one name: held while a child is spawned from it.
    pub Entry,
    /// The generations of one child: held while they are started, looked at and replaced.
    pub Child,
    /// The present address of a child's mailbox.
    pub Address,
    /// How the last generations of a child have ended.
    pub History,
    /// What the children of a load share.
    pub Load,
    /// What a load keeps for its end.
    pub LoadEnd,
    /// The list of all entry points. Nothing is taken under it.
    pub Entries,
    /// The list of the children that were spawned by the control file. Nothing is taken under it.
    pub Controlled,
    /// The directories of all children in debugfs.
    pub ChildDirectories,
    /// The directories of all counted locks in debugfs.
    pub LockDirectories,
    /// The list of all children. Nothing is taken under it.
    pub Children,
    /// Who watches the children. Nothing is taken under it.
    pub Watch,
    /// The list of all counted locks. Nothing is taken under it.
    pub CountedLocks,
    /// How much is counted: held while it is changed. The kernel's own locks for patching code are
    /// taken under it.
    pub StatsMode,
}
