// SPDX-License-Identifier: GPL-2.0

//! Files that take a line and do what it says.

use super::Dir;
use core::{marker::PhantomData, ptr};
use kernel::{
    bindings,
    prelude::*,
    uaccess::{UserPtr, UserSlice},
    ModuleMetadata,
};

/// The longest line.
const LINE_MAX: usize = 4096;

/// What a write-only file does.
pub(crate) trait Command {
    /// Does what one `write()` says: all of it, wherever in the file, without a newline at its end.
    ///
    /// It runs in process context, in the task that writes, and may sleep. Any number of tasks may
    /// be in it at once. Removing the file waits for it, so it must not wait for that.
    ///
    /// # Errors
    ///
    /// What is returned is what the writer gets.
    fn write(line: &[u8]) -> Result;
}

impl Dir {
    /// Creates a file, to be written by root, that does `C` and whose open handles keep module `M`.
    ///
    /// A line of more than 4096 bytes is refused with `EINVAL`, and one of none does nothing.
    pub(crate) fn command<M: ModuleMetadata, C: Command>(&self, name: &CStr) {
        let table: &'static bindings::file_operations = &Operations::<M, C>::TABLE;
        // SAFETY: The operations use no data.
        unsafe { self.create(name, 0o200, ptr::null_mut(), ptr::null(), table) };
    }
}

struct Operations<M, C>(PhantomData<(M, C)>);

impl<M: ModuleMetadata, C: Command> Operations<M, C> {
    const TABLE: bindings::file_operations = bindings::file_operations {
        owner: M::THIS_MODULE.as_ptr(),
        write: Some(Self::write),
        llseek: Some(bindings::noop_llseek),
        ..pin_init::zeroed()
    };

    /// # Safety
    ///
    /// Only to be called by the VFS, for a file made by [`Dir::command`].
    unsafe extern "C" fn write(
        _: *mut bindings::file,
        from: *const c_char,
        len: usize,
        _: *mut bindings::loff_t,
    ) -> isize {
        write_line(from, len, |line| C::write(line))
    }
}

/// Hands a written line to `act`, and returns what `write()` is to return.
pub(super) fn write_line(
    from: *const c_char,
    len: usize,
    act: impl FnOnce(&[u8]) -> Result,
) -> isize {
    match copy_line(from, len).and_then(|line| match &*line {
        [] => Ok(()),
        [line @ .., b'\n'] | line => act(line),
    }) {
        // It is at most `LINE_MAX`.
        Ok(()) => isize::try_from(len).unwrap_or(0),
        Err(error) => error.to_errno() as isize,
    }
}

fn copy_line(from: *const c_char, len: usize) -> Result<KVec<u8>> {
    if len > LINE_MAX {
        return Err(EINVAL);
    }
    let mut line = KVec::with_capacity(len, GFP_KERNEL)?;
    let from = UserPtr::from_ptr(from.cast_mut().cast());
    UserSlice::new(from, len).read_all(&mut line, GFP_KERNEL)?;
    Ok(line)
}
