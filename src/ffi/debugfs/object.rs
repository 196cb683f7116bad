// SPDX-License-Identifier: GPL-2.0

//! Directories about one object: a file for each thing that can be said of it, or done with it.

use super::{command::write_line, Dir, Text};
use core::{marker::PhantomData, ptr};
use kernel::{
    bindings,
    fmt,
    prelude::*,
    seq_file::SeqFile,
    seq_print,
    sync::Arc,
    ModuleMetadata, //
};

/// A file of a directory about a `T`.
pub(crate) struct Field<T> {
    name: &'static CStr,
    access: Access<T>,
}

/// What a file is for. What is said of [`Show`](super::Show) and [`Command`](super::Command) is
/// true here too.
pub(crate) enum Access<T> {
    /// To be read: writes the text.
    Read(fn(&T, &mut fmt::Formatter<'_>) -> fmt::Result),
    /// To be written: does what a line says.
    Write(fn(&T, &[u8]) -> Result),
}

impl<T> Field<T> {
    /// Describes a file.
    pub(crate) const fn new(name: &'static CStr, access: Access<T>) -> Self {
        Self { name, access }
    }
}

/// A directory whose files are about a `T`, removed with them when dropped.
///
/// The object lives at least as long as any of the files can be read: those that are still open
/// when this is dropped give `EIO` afterwards.
// Dropped in this order: the files, then what they are about.
pub(crate) struct ObjectDir<T: Send + Sync + 'static> {
    _dir: Dir,
    object: Arc<T>,
}

impl<T: Send + Sync + 'static> ObjectDir<T> {
    /// Creates directory `name` in `parent`, with those files, whose open handles keep module `M`.
    pub(crate) fn new<M: ModuleMetadata>(
        parent: &Dir,
        name: &CStr,
        object: Arc<T>,
        fields: &'static [Field<T>],
    ) -> Self {
        // Nobody else has it, so its files are gone when this one is dropped.
        let dir = parent.dir(name);
        for field in fields {
            let (mode, table): (_, &'static bindings::file_operations) = match field.access {
                Access::Read(_) => (0o400, &Operations::<M, T>::READ),
                Access::Write(_) => (0o200, &Operations::<M, T>::WRITE),
            };
            let data = Arc::as_ptr(&object).cast_mut().cast();
            // SAFETY: The operations take `data` for a `T` and `aux` for a static `Field<T>`. The
            // object is dropped after the directory. It may be shared among threads.
            unsafe { dir.create(field.name, mode, data, ptr::from_ref(field).cast(), table) };
        }
        Self { _dir: dir, object }
    }

    /// What the directory is about.
    pub(crate) fn object(&self) -> &T {
        &self.object
    }
}

struct Operations<M, T>(PhantomData<(M, T)>);

impl<M: ModuleMetadata, T: Send + Sync + 'static> Operations<M, T> {
    const READ: bindings::file_operations = bindings::file_operations {
        owner: M::THIS_MODULE.as_ptr(),
        open: Some(Self::open),
        read: Some(bindings::seq_read),
        llseek: Some(bindings::seq_lseek),
        release: Some(bindings::single_release),
        ..pin_init::zeroed()
    };

    const WRITE: bindings::file_operations = bindings::file_operations {
        owner: M::THIS_MODULE.as_ptr(),
        write: Some(Self::write),
        llseek: Some(bindings::noop_llseek),
        ..pin_init::zeroed()
    };

    /// The object and the field that a file is about.
    ///
    /// # Safety
    ///
    /// `file` must have been made by [`ObjectDir::new`] for a `T`, and an operation on it that
    /// removing it waits for must be running until the last use of what is returned.
    unsafe fn about<'a>(file: *const bindings::file) -> (&'a T, &'static Field<T>) {
        // SAFETY: An open file has an inode. By the safety requirements it has not been removed,
        // so its object is still there, and these are the pointers that `new` has put there.
        unsafe {
            let object = (*(*file).f_inode).i_private;
            let field = bindings::debugfs_get_aux(file);
            (&*object.cast(), &*field.cast())
        }
    }

    /// # Safety
    ///
    /// Only to be called by the VFS, for a file made by [`ObjectDir::new`].
    unsafe extern "C" fn open(_: *mut bindings::inode, file: *mut bindings::file) -> c_int {
        // SAFETY: `file` is being opened, as `single_open` wants it.
        unsafe { bindings::single_open(file, Some(Self::text), ptr::null_mut()) }
    }

    /// # Safety
    ///
    /// Only to be called by `seq_read` or `seq_lseek` with the file that it reads.
    unsafe extern "C" fn text(m: *mut bindings::seq_file, _: *mut c_void) -> c_int {
        // SAFETY: debugfs calls `seq_read` and `seq_lseek` only for files that have not been
        // removed, and removing waits until they return. `seq_open` has set the file.
        let (object, field) = unsafe { Self::about((*m).file) };
        if let Access::Read(show) = field.access {
            // SAFETY: The file's lock is held, so nobody else uses `m` meanwhile.
            let m = unsafe { SeqFile::from_raw(m) };
            let text = |f: &mut fmt::Formatter<'_>| show(object, f);
            seq_print!(m, "{}", Text(text));
        }
        0
    }

    /// # Safety
    ///
    /// Only to be called by the VFS, for a file made by [`ObjectDir::new`].
    unsafe extern "C" fn write(
        file: *mut bindings::file,
        from: *const c_char,
        len: usize,
        _: *mut bindings::loff_t,
    ) -> isize {
        // SAFETY: debugfs calls this only for files that have not been removed, and removing waits
        // until it returns.
        let (object, field) = unsafe { Self::about(file) };
        write_line(from, len, |line| match field.access {
            Access::Write(act) => act(object, line),
            Access::Read(_) => Err(EINVAL),
        })
    }
}
