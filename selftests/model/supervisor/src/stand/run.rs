// SPDX-License-Identifier: GPL-2.0

//! What a child runs: it returns what the world says.

use super::{life::Life, record::Record};
use crate::{
    kernel_api::prelude::*,
    sync::{
        order::{levels, Token},
        Arc,
    },
    world,
};
use std::rc::Rc;

/// What every thread of a generation has.
#[derive(Clone, Copy)]
pub(super) struct Core<'a> {
    life: &'a Life,
    index: usize,
}

impl<'a> Core<'a> {
    pub(super) fn new(_: &'a Record, life: &'a Life, index: usize) -> Option<Self> {
        Some(Self { life, index })
    }
}

#[derive(Clone, Copy)]
pub(super) struct MailCounts;

pub(super) trait Program {
    fn begin(&self) -> Result<Arc<dyn Run>>;
}

pub(super) trait Run {
    fn publish(&self, token: &mut Token<'_, levels::Child>, number: u32);
    fn call(&self, core: Core<'_>) -> Result;
    fn abort(&self);
    fn mail(&self) -> Option<MailCounts>;
}

/// The owner's code.
pub(super) struct Code;

impl Program for Code {
    fn begin(&self) -> Result<Arc<dyn Run>> {
        let run: Rc<dyn Run> = Rc::new(Self);
        Ok(run.into())
    }
}

impl Run for Code {
    fn publish(&self, _: &mut Token<'_, levels::Child>, _: u32) {}

    fn call(&self, core: Core<'_>) -> Result {
        if let Some(pulse) = core.life.pulse(core.index) {
            pulse.beat();
        }
        match world::fails() {
            true => Err(EIO),
            false => Ok(()),
        }
    }

    fn abort(&self) {}

    fn mail(&self) -> Option<MailCounts> {
        None
    }
}
