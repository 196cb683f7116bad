// SPDX-License-Identifier: GPL-2.0

//! Branches that are patched, where the architecture can: C's static keys.
//!
//! They are inlined into code of other modules, so the keys are exported.
//!
//! C header: [`include/linux/jump_label.h`](srctree/include/linux/jump_label.h)

#[cfg(CONFIG_JUMP_LABEL)]
use super::childkernel_key;
use super::{childkernel_set_counting, childkernel_set_timing};

macro_rules! branch {
    ($(#[$doc:meta])* $name:ident, $set:ident, $key:ident, $set_key:ident) => {
        $(#[$doc])*
        #[cfg(CONFIG_JUMP_LABEL)]
        #[inline(always)]
        pub(crate) fn $name() -> bool {
            // SAFETY: The shim defines the key.
            unsafe {
                kernel::jump_label::static_branch_unlikely!(super::$key, childkernel_key, key)
            }
        }

        /// Switches it. One at a time.
        ///
        /// Context: process, may sleep.
        pub(crate) fn $set(on: bool) {
            // SAFETY: Called in process context.
            unsafe { $set_key(on) }
        }
    };
}

branch!(
    /// Whether locks count.
    counting, set_counting, childkernel_counting, childkernel_set_counting
);
branch!(
    /// Whether locks take times.
    timing, set_timing, childkernel_timing, childkernel_set_timing
);
