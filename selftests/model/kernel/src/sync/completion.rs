// SPDX-License-Identifier: GPL-2.0

//! Completions.

use crate::{
    error::{
        code::{ERESTARTSYS, ETIMEDOUT},
        Result,
    },
    run,
    time::Jiffies,
};
use loom::sync::{Condvar, Mutex};

/// Something to wait for: a count, and those who sleep until it is not 0.
pub struct Completion {
    done: Mutex<u64>,
    woken: Condvar,
}

/// A wait that a signal can end.
pub(crate) struct Waiting;

impl Drop for Waiting {
    fn drop(&mut self) {
        run::end_wait();
    }
}

/// Makes one. There are no lock classes here.
#[macro_export]
macro_rules! new_completion {
    ($name:literal) => {
        $crate::sync::Completion::default()
    };
}

impl Default for Completion {
    fn default() -> Self {
        Self {
            done: Mutex::new(0),
            woken: Condvar::new(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> loom::sync::MutexGuard<'_, T> {
    mutex.lock().expect("loom's locks are not poisoned")
}

impl Completion {
    /// Wakes one who waits, or the next who does.
    pub fn complete(&self) {
        *lock(&self.done) += 1;
        self.woken.notify_one();
    }

    /// Has those who wait look whether they were signalled.
    pub(crate) fn look_again(&self) {
        drop(lock(&self.done));
        self.woken.notify_all();
    }

    /// Waits.
    pub fn wait(&self) {
        let mut done = lock(&self.done);
        while *done == 0 {
            done = self.woken.wait(done).expect("not poisoned");
        }
        *done -= 1;
    }

    /// Waits, unless signalled.
    pub fn wait_interruptible(&self) -> Result {
        let mut done = lock(&self.done);
        while *done == 0 {
            if run::is_signalled() {
                return Err(ERESTARTSYS);
            }
            let _waiting = run::begin_wait(self);
            done = self.woken.wait(done).expect("not poisoned");
        }
        *done -= 1;
        Ok(())
    }

    /// Waits until others have had a turn: that long is every limit.
    pub fn wait_interruptible_timeout(&self, limit: Jiffies) -> Result<Jiffies> {
        for turn in 0..2 {
            let mut done = lock(&self.done);
            if *done != 0 {
                *done -= 1;
                return Ok(limit.saturating_sub(turn));
            }
            drop(done);
            if run::is_signalled() {
                return Err(ERESTARTSYS);
            }
            if turn == 0 {
                loom::thread::yield_now();
            }
        }
        Err(ETIMEDOUT)
    }
}
