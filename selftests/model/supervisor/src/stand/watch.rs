// SPDX-License-Identifier: GPL-2.0

//! What children and their supervisor share.

use super::budget::Budget;

pub(super) struct Watch {
    pub(super) budget: Budget,
}

impl Watch {
    pub(super) fn kick(&self) {}
}
