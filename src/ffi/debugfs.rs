// SPDX-License-Identifier: GPL-2.0

//! Files in debugfs that keep the module while they are open.
//!
//! The kernel crate's `debugfs` sets no owner in its file operations, so an open file does not
//! keep the module. These do: `rmmod` then says `EBUSY`.
//!
//! C header: [`include/linux/debugfs.h`](srctree/include/linux/debugfs.h)

use core::ptr;
use kernel::{bindings, fmt, prelude::*, seq_file::SeqFile, seq_print, ModuleMetadata};

mod command;
pub(crate) use command::Command;

/// What a file shows.
///
/// The text is made when it is read from the start, and kept while reading goes on from there: who
/// reads at other offsets gets pieces of different texts.
pub(crate) trait Show {
    /// Writes the text. It runs in process context and may sleep.
    fn show(f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// A directory below the root of debugfs, removed with all it holds when dropped.
///
/// # Invariants
///
/// `dentry` is what `debugfs_create_dir` returned: a directory, or an error value that every
/// debugfs function accepts.
pub(crate) struct Dir {
    dentry: *mut bindings::dentry,
}

// SAFETY: debugfs functions may be called from any thread; dropping from any thread is fine.
unsafe impl Send for Dir {}
// SAFETY: As above, and creating files in it is serialised by debugfs.
unsafe impl Sync for Dir {}

impl Dir {
    /// Creates the directory. As everywhere in debugfs a failure is not reported: the module works
    /// without its files.
    pub(crate) fn new(name: &CStr) -> Self {
        // SAFETY: `name` is NUL-terminated; a null parent is the root.
        let dentry = unsafe { bindings::debugfs_create_dir(name.as_char_ptr(), ptr::null_mut()) };
        // INVARIANT: It is what `debugfs_create_dir` returned.
        Self { dentry }
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
    /// until the file has been removed, and `table` must name the module that has them as its
    /// owner.
    unsafe fn create(
        &self,
        name: &CStr,
        mode: bindings::umode_t,
        data: *mut c_void,
        aux: *const c_void,
        table: &'static bindings::file_operations,
    ) {
        // Removing it waits for operations that run, and then lets an open handle do no more than
        // be closed: what is called here is the full proxy.
        // SAFETY: `name` is NUL-terminated, and `dentry` is by the type invariant what debugfs
        // accepts. The rest by the safety requirements.
        unsafe {
            bindings::debugfs_create_file_full(
                name.as_char_ptr(),
                mode,
                self.dentry,
                data,
                aux,
                table,
            )
        };
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        // SAFETY: By the type invariant. This waits for readers that are inside `show`.
        unsafe { bindings::debugfs_remove(self.dentry) };
    }
}

struct Operations<M, S>(core::marker::PhantomData<(M, S)>);

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
        seq_print!(m, "{}", Text::<S>(core::marker::PhantomData));
        0
    }
}

struct Text<S>(core::marker::PhantomData<S>);

impl<S: Show> fmt::Display for Text<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        S::show(f)
    }
}
