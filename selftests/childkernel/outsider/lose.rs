// SPDX-License-Identifier: GPL-2.0

//! How a test forgets something for good, without seeming to have a leak.

use kernel::prelude::*;

/// Forgets it, with all that it refers to. Who looks for leaks is told that this is none, so that
/// any other is found.
///
/// # Errors
///
/// `ENOMEM`: then it is dropped.
pub(crate) fn lose<T>(value: T) -> Result {
    let lost = KBox::new(value, GFP_KERNEL)?;
    let _at: *mut T = KBox::into_raw(lost);
    #[cfg(CONFIG_DEBUG_KMEMLEAK)]
    if size_of::<T>() > 0 {
        extern "C" {
            fn kmemleak_not_leak(ptr: *const kernel::ffi::c_void);
        }
        // SAFETY: It is memory that was allocated, and that is never freed.
        unsafe { kmemleak_not_leak(_at.cast()) }
    }
    Ok(())
}
