// SPDX-License-Identifier: GPL-2.0

//! How the last generations of a child have ended, to be read while it runs and after.
#![deny(unsafe_code)]

use super::record::End;
use crate::{
    new_seqlock,
    sync::{
        order::{levels, Ordered, Token},
        SeqLock,
    },
};
use kernel::prelude::*;

/// How many ends are kept.
pub(super) const KEPT: usize = 16;

const WORDS: usize = 4;

/// The end of one generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Past {
    /// Which generation.
    pub generation: u32,
    /// How it has ended.
    pub end: End,
    /// When, in ns since the child was made.
    pub at_ns: u64,
    /// How long it had been started before.
    pub lived_ns: u64,
}

/// The last ends.
#[pin_data]
pub(super) struct History {
    /// How many there were, and a ring of the last. A read takes no lock.
    #[pin]
    ends: Ordered<levels::History, SeqLock<[u64; 1 + KEPT * WORDS]>>,
}

impl History {
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            ends <- Ordered::new(new_seqlock!([0; 1 + KEPT * WORDS], "childkernel_history")),
        })
    }

    pub(super) fn push(&self, token: &mut Token<'_, levels::Child>, past: Past) {
        let (mut ends, _token) = self.ends.lock(token);
        ends.update(|mut words| {
            let Some((count, ring)) = words.split_first_mut() else {
                return words;
            };
            let at = (*count % KEPT as u64) as usize;
            if let Some(slot) = ring.chunks_exact_mut(WORDS).nth(at) {
                slot.copy_from_slice(&[
                    u64::from(past.generation),
                    past.end.to_word(),
                    past.at_ns,
                    past.lived_ns,
                ]);
            }
            *count = count.wrapping_add(1);
            words
        });
    }

    /// Calls `f` with each that is kept, oldest first.
    pub(super) fn each<E>(&self, mut f: impl FnMut(Past) -> Result<(), E>) -> Result<(), E> {
        let words = self.ends.unordered().read();
        let Some((count, ring)) = words.split_first() else {
            return Ok(());
        };
        let kept = (*count).min(KEPT as u64);
        for index in count.wrapping_sub(kept)..*count {
            let at = (index % KEPT as u64) as usize;
            if let Some(&[generation, end, at_ns, lived_ns]) = ring.chunks_exact(WORDS).nth(at) {
                f(Past {
                    generation: generation as u32,
                    end: End::from_word(end),
                    at_ns,
                    lived_ns,
                })?;
            }
        }
        Ok(())
    }
}
