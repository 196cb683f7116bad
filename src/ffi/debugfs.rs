// SPDX-License-Identifier: GPL-2.0

//! Files in debugfs that keep the module while they are open.
//!
//! The kernel crate's `debugfs` sets no owner in its file operations, so an open file does not
//! keep the module. These do: `rmmod` then says that it is in use.
//!
//! | a file that | is made by |
//! |---|---|
//! | shows what a type says | [`Dir::file`] |
//! | does what a type says | [`Dir::command`] |
//! | shows, or does, one of several things with an object | [`ObjectDir`] |
//!
//! All go through debugfs's full proxy: removing a file waits for what is being read or written at
//! that moment, and whoever has it open still gets `EIO` from then on.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h)

use core::{marker::PhantomData, ptr};
use kernel::{
    bindings, error::from_err_ptr, fmt, prelude::*, seq_file::SeqFile, seq_print, sync::Arc,
    ModuleMetadata,
};

mod command;
mod object;

pub(crate) use command::Command;
pub(crate) use object::{Access, Field, ObjectDir};

/// What a file shows.
///
/// The text is made when it is read from the start, and kept while reading goes on from there: who
/// reads at other offsets gets pieces of different texts.
pub(crate) trait Show {
    /// Writes the text. It runs in process context and may sleep. Removing the file waits for it,
    /// so it takes no lock under which a file is removed.
    fn show(f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// A directory, for root alone, removed with all its files when it is dropped and nothing is left
/// of the directories in it.
///
/// As everywhere in debugfs a failure to make one is not reported: the module works without its
/// files. What is made in such a directory fails in the same way.
pub(crate) struct Dir(Option<Arc<Node>>);

/// # Invariants
///
/// `dentry` is a directory that `debugfs_create_dir` returned. It is removed by dropping this and
/// not before: nobody else removes it, and its parent, which would take it along, is kept by
/// `_parent`.
struct Node {
    dentry: *mut bindings::dentry,
    _parent: Option<Arc<Node>>,
}

// SAFETY: debugfs functions may be called from any thread; dropping from any thread is fine.
unsafe impl Send for Node {}
// SAFETY: As above, and creating files in it is serialised by debugfs.
unsafe impl Sync for Node {}

impl Dir {
    /// Creates a directory below the root of debugfs.
    pub(crate) fn new(name: &CStr) -> Self {
        Self(Node::create(name, None).ok())
    }

    /// Creates a directory in this one.
    pub(crate) fn dir(&self, name: &CStr) -> Self {
        let parent = self.0.as_ref();
        Self(parent.and_then(|parent| Node::create(name, Some(parent.clone())).ok()))
    }

    /// Creates a file, readable by root, that shows `S` and whose open handles keep module `M`.
    pub(crate) fn file<M: ModuleMetadata, S: Show>(&self, name: &CStr) {
        let table: &'static bindings::file_operations = &Operations::<M, S>::TABLE;
        // SAFETY: The operations use no data.
        unsafe { self.create(name, 0o400, ptr::null_mut(), ptr::null(), table) };
    }

    /// Creates a file.
    ///
    /// # Safety
    ///
    /// The operations of `table` must be for files with such `data` and `aux`, which must be valid
    /// until the directory has been removed, and `table` must name the module that has them as its
    /// owner.
    unsafe fn create(
        &self,
        name: &CStr,
        mode: bindings::umode_t,
        data: *mut c_void,
        aux: *const c_void,
        table: &'static bindings::file_operations,
    ) {
        let Some(node) = &self.0 else { return };
        // SAFETY: `name` is NUL-terminated, and `dentry` is by the type invariant a directory. The
        // rest by the safety requirements.
        unsafe {
            bindings::debugfs_create_file_full(
                name.as_char_ptr(),
                mode,
                node.dentry,
                data,
                aux,
                table,
            )
        };
    }
}

impl Node {
    fn create(name: &CStr, parent: Option<Arc<Self>>) -> Result<Arc<Self>> {
        let dentry = parent.as_ref().map_or(ptr::null_mut(), |node| node.dentry);
        // SAFETY: `name` is NUL-terminated; the parent is by the type invariant a directory, or
        // null, which is the root.
        let dentry = unsafe { bindings::debugfs_create_dir(name.as_char_ptr(), dentry) };
        let dentry = from_err_ptr(dentry)?;
        // INVARIANT: It is a directory, and from here on it is removed by dropping this.
        let this = Self {
            dentry,
            _parent: parent,
        };
        // debugfs makes directories for all to read, and relies on how it is mounted. A file's
        // name tells something too.
        // SAFETY: A directory that is there has an inode. Its mode is a word that may be read while
        // it is written.
        unsafe {
            let inode = (*dentry).d_inode;
            (&raw mut (*inode).i_mode)
                .write_volatile((bindings::S_IFDIR | bindings::S_IRWXU) as bindings::umode_t);
        }
        Ok(Arc::new(this, GFP_KERNEL)?)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // SAFETY: By the type invariant. This waits for operations that are running.
        unsafe { bindings::debugfs_remove(self.dentry) };
    }
}

struct Operations<M, S>(PhantomData<(M, S)>);

impl<M: ModuleMetadata, S: Show> Operations<M, S> {
    const TABLE: bindings::file_operations = bindings::file_operations {
        owner: M::THIS_MODULE.as_ptr(),
        open: Some(Self::open),
        read: Some(bindings::seq_read),
        llseek: Some(bindings::seq_lseek),
        release: Some(bindings::single_release),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Only to be called by the VFS, for a file made by [`Dir::file`].
    unsafe extern "C" fn open(_: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: `file` is being opened, as `single_open` wants it.
        unsafe { bindings::single_open(file, Some(Self::text), ptr::null_mut()) }
    }

    /// # Safety
    ///
    /// Only to be called by `seq_read` with the file that it reads.
    unsafe extern "C" fn text(m: *mut bindings::seq_file, _: *mut c_void) -> c_int {
        // SAFETY: `seq_read` holds the file's lock, so nobody else uses `m` meanwhile.
        let m = unsafe { SeqFile::from_raw(m) };
        seq_print!(m, "{}", Text(S::show));
        0
    }
}

/// What `F` writes.
struct Text<F>(F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for Text<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0(f)
    }
}
