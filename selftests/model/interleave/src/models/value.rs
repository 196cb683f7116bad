// SPDX-License-Identifier: GPL-2.0

//! Values that notice when they are looked at before they are whole, or after their end, and that
//! are counted.

use core::cell::RefCell;
use loom::cell::UnsafeCell;
use std::rc::Rc;

/// How often each value was dropped. Threads of `loom` take turns, so it needs no atomics, and
/// orders nothing.
#[derive(Clone, Default)]
pub struct Drops(Rc<RefCell<Vec<u32>>>);

// SAFETY: Threads of `loom` are of one thread of the system.
unsafe impl Send for Drops {}
// SAFETY: As above.
unsafe impl Sync for Drops {}

impl Drops {
    /// Makes the next value.
    pub fn make(&self) -> Value {
        let mut drops = self.0.borrow_mut();
        drops.push(0);
        Value {
            number: drops.len() - 1,
            whole: UnsafeCell::new(false),
            drops: self.clone(),
        }
    }

    /// How often this one was dropped.
    pub fn of(&self, number: usize) -> u32 {
        self.0.borrow()[number]
    }

    /// Every value was dropped, and once.
    pub fn assert_once(&self) {
        for (number, drops) in self.0.borrow().iter().enumerate() {
            assert_eq!(*drops, 1, "value {number} was dropped {drops} times");
        }
    }
}

/// A value.
pub struct Value {
    number: usize,
    whole: UnsafeCell<bool>,
    drops: Drops,
}

// SAFETY: What two threads do with it at once ends the model.
unsafe impl Send for Value {}
// SAFETY: As above.
unsafe impl Sync for Value {}

impl Value {
    /// Which one it is.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Writes what [`check`](Self::check) looks for.
    pub fn complete(&self) {
        // SAFETY: Nobody else looks at it, or the model ends.
        self.whole.with_mut(|whole| unsafe { *whole = true });
    }

    /// It is whole, and nobody writes to it.
    pub fn check(&self) -> usize {
        // SAFETY: Nobody writes to it, or the model ends.
        let whole = self.whole.with(|whole| unsafe { *whole });
        assert!(whole, "value {} is seen before it is whole", self.number);
        self.number
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        // SAFETY: Nobody looks at it any more, or the model ends.
        self.whole.with_mut(|whole| unsafe { *whole = false });
        self.drops.0.borrow_mut()[self.number] += 1;
    }
}
