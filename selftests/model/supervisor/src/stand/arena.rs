// SPDX-License-Identifier: GPL-2.0

//! The memory of a generation: whether it is given back while somebody uses it.

use crate::{sync::Arc, world};

/// What it is charged to.
pub struct Meter;

/// The memory.
pub struct Arena(usize);

impl Arena {
    pub(super) fn metered(_: Arc<Meter>) -> Self {
        Self(world::next_generation())
    }

    /// # Safety
    ///
    /// Nobody uses it: that is what is looked for.
    pub(super) unsafe fn clear(&self) {
        world::free(self.0, "cleared");
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        world::free(self.0, "dropped");
    }
}
