// SPDX-License-Identifier: GPL-2.0

//! What one execution of a model has beside its threads: made by [`begin`], in its first thread.

use crate::sync::{Completion, Waiting};
use loom::{sync::atomic::AtomicUsize, thread::ThreadId};
use std::{cell::RefCell, rc::Rc};

/// Threads of `loom` share one thread of the system, and change only where they use what is its.
/// So this is never borrowed across that.
#[derive(Default)]
struct Run {
    readers: Option<Rc<AtomicUsize>>,
    signalled: Vec<ThreadId>,
    waiting: Vec<(ThreadId, *const Completion)>,
    cpus: Vec<(ThreadId, usize)>,
    deferred: Vec<Box<dyn FnOnce()>>,
    ends: Vec<Box<dyn FnOnce()>>,
}

thread_local! {
    static RUN: RefCell<Run> = RefCell::default();
}

fn with<R>(f: impl FnOnce(&mut Run) -> R) -> R {
    RUN.with(|run| f(&mut run.borrow_mut()))
}

fn me() -> ThreadId {
    loom::thread::current().id()
}

/// Begins an execution.
pub fn begin() {
    let old = RUN.with(RefCell::take);
    for end in old.ends {
        end();
    }
    let readers = Rc::new(AtomicUsize::new(0));
    with(|run| run.readers = Some(readers));
}

/// Has something done when all is over.
pub fn at_end(end: impl FnOnce() + 'static) {
    with(|run| run.ends.push(Box::new(end)));
}

/// How many read sections there are.
pub(crate) fn readers() -> Rc<AtomicUsize> {
    let readers = with(|run| run.readers.clone());
    readers.expect("a model begins by run::begin()")
}

/// Sends a signal to a thread: ends its interruptible waits, now and from now on.
pub fn signal(to: ThreadId) {
    let waiting: Vec<_> = with(|run| {
        run.signalled.push(to);
        let waiting = run.waiting.iter().filter(|(who, _)| *who == to);
        waiting.map(|(_, what)| *what).collect()
    });
    for completion in waiting {
        // SAFETY: Who waits has borrowed it.
        unsafe { &*completion }.look_again();
    }
}

/// Whether the current thread was signalled.
pub(crate) fn is_signalled() -> bool {
    let me = me();
    with(|run| run.signalled.contains(&me))
}

pub(crate) fn begin_wait(what: &Completion) -> Waiting {
    let me = me();
    with(|run| run.waiting.push((me, core::ptr::from_ref(what))));
    Waiting
}

pub(crate) fn end_wait() {
    let me = me();
    with(|run| run.waiting.retain(|(who, _)| *who != me));
}

/// The current thread runs on this CPU from now on, and on the first one before.
pub fn on_cpu(cpu: usize) {
    let me = me();
    with(|run| run.cpus.push((me, cpu)));
}

/// Where the current thread runs.
pub fn cpu() -> usize {
    let me = me();
    let on = |run: &mut Run| {
        run.cpus
            .iter()
            .rev()
            .find(|(who, _)| *who == me)
            .map(|c| c.1)
    };
    with(on).unwrap_or(0)
}

/// Has something done after a grace period.
pub fn defer(what: impl FnOnce() + 'static) {
    with(|run| run.deferred.push(Box::new(what)));
}

/// Waits for a grace period, and does all that waits for one.
pub fn reclaim() -> bool {
    let deferred = with(|run| core::mem::take(&mut run.deferred));
    let any = !deferred.is_empty();
    crate::sync::rcu::synchronize_rcu();
    for end in deferred {
        end();
    }
    any
}
