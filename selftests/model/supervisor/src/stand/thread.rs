// SPDX-License-Identifier: GPL-2.0

//! Threads, which do what the world says.

use crate::{kernel_api::prelude::*, str::CString, sync::Arc, world};
use std::rc::Rc;

/// What one runs.
pub(super) trait Body: 'static {
    fn run(&self);
}

/// A thread.
pub(super) struct Thread<B: Body> {
    number: usize,
    body: Arc<B>,
    joined: bool,
}

impl<B: Body> Thread<B> {
    pub(super) fn create(name: &CString, body: Arc<B>) -> Result<Self> {
        let errand = name.0.ends_with("/exit");
        let runs = body.clone();
        Ok(Self {
            number: world::new_thread(errand, Rc::new(move || runs.run())),
            body,
            joined: false,
        })
    }

    pub(super) fn schedule(&self, _: (), _: ()) -> Result {
        Ok(())
    }

    pub(super) fn prefer(&self, _: u32) -> Result {
        Ok(())
    }

    pub(super) fn body(&self) -> &B {
        &self.body
    }

    pub(super) fn interrupt(&self) {}

    pub(super) fn has_exited(&self) -> bool {
        world::has_exited(self.number)
    }

    pub(super) fn join(&mut self) -> Option<c_int> {
        if self.joined {
            return None;
        }
        self.joined = true;
        Some(if world::join(self.number) { 11 } else { 0 })
    }

    pub(super) fn wake(&self) {
        world::wake(self.number);
    }
}

impl<B: Body> Drop for Thread<B> {
    fn drop(&mut self) {
        self.join();
    }
}
