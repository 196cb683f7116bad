// SPDX-License-Identifier: GPL-2.0

//! Where a child lives here: time, threads that do what they are told, and a module that can be
//! held. It notices what must never happen, by what it knows itself.

use std::{cell::RefCell, rc::Rc};

/// A thread. It was made with the generation that was the last one then, or for an errand.
#[derive(Default)]
struct Thread {
    generation: Option<usize>,
    run: Option<Rc<dyn Fn()>>,
    awake: bool,
    returned: bool,
    exited: bool,
    died: bool,
    joined: bool,
}

impl Thread {
    fn runs(&self) -> bool {
        self.awake && !self.exited
    }
}

#[derive(Default)]
struct World {
    now: i64,
    threads: Vec<Thread>,
    generations: usize,
    /// Those that were given up.
    quarantined: Vec<usize>,
    module: u32,
    module_goes: bool,
    /// Whether who makes this step may wait for others.
    may_wait: bool,
    /// What the next thread to return says.
    error: bool,
    deaths: u32,
    violations: Vec<String>,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::default();
}

fn with<R>(f: impl FnOnce(&mut World) -> R) -> R {
    WORLD.with(|world| f(&mut world.borrow_mut()))
}

pub fn begin() {
    WORLD.with(RefCell::take);
}

pub fn violation(what: impl Into<String>) {
    with(|w| w.violations.push(what.into()));
}

pub fn first_violation() -> Option<String> {
    with(|w| w.violations.first().cloned())
}

pub fn now() -> i64 {
    with(|w| w.now)
}

pub fn pass(ns: i64) {
    with(|w| w.now += ns);
}

pub fn may_wait(may: bool) {
    with(|w| w.may_wait = may);
}

pub fn module_get() -> bool {
    with(|w| {
        w.module += u32::from(!w.module_goes);
        !w.module_goes
    })
}

pub fn module_put() {
    with(|w| w.module -= 1);
}

pub fn module_goes() {
    with(|w| w.module_goes = true);
}

pub fn next_generation() -> usize {
    with(|w| {
        w.generations += 1;
        w.generations
    })
}

pub fn quarantine() {
    with(|w| w.quarantined.push(w.generations));
}

pub fn deaths() -> u32 {
    with(|w| w.deaths)
}

/// The memory of a generation is given back.
pub fn free(generation: usize, how: &str) {
    let used = with(|w| {
        let mut threads = w.threads.iter();
        threads.any(|t| t.generation == Some(generation) && t.runs())
    });
    if used {
        violation(format!("in use and freed: generation {generation}, {how}"));
    }
}

pub fn new_thread(errand: bool, run: Rc<dyn Fn()>) -> usize {
    with(|w| {
        w.threads.push(Thread {
            generation: (!errand).then_some(w.generations),
            run: Some(run),
            ..Thread::default()
        });
        w.threads.len() - 1
    })
}

pub fn wake(thread: usize) {
    with(|w| w.threads[thread].awake = true);
}

pub fn has_exited(thread: usize) -> bool {
    with(|w| w.threads[thread].exited)
}

/// Whether a thread of this world has died, which its join says.
pub fn join(thread: usize) -> bool {
    let waits = with(|w| {
        let may_wait = w.may_wait;
        let t = &mut w.threads[thread];
        let waits = t.runs() && !(t.returned && may_wait);
        t.exited = true;
        t.joined = true;
        t.run = None;
        waits
    });
    if waits {
        violation(format!("waits for thread {thread}"));
    }
    with(|w| w.threads[thread].died)
}

/// Threads that something can happen to.
fn pick(which: usize, fits: impl Fn(&Thread) -> bool) -> Option<usize> {
    with(|w| {
        let fit: Vec<_> = (0..w.threads.len())
            .filter(|i| fits(&w.threads[*i]))
            .collect();
        (!fit.is_empty()).then(|| fit[which % fit.len()])
    })
}

/// A thread runs to its end.
pub fn returns(which: usize, error: bool) {
    let Some(thread) = pick(which, |t| t.runs() && !t.returned) else {
        return;
    };
    let run = with(|w| {
        w.error = error;
        w.threads[thread].returned = true;
        w.threads[thread].run.take()
    });
    if let Some(run) = run {
        run();
    }
}

/// Whether the code of the owner that runs now is to fail.
pub fn fails() -> bool {
    with(|w| w.error)
}

/// One that has returned is gone.
pub fn exits(which: usize) {
    if let Some(thread) = pick(which, |t| t.runs() && t.returned) {
        with(|w| w.threads[thread].exited = true);
    }
}

/// A thread dies of an oops.
pub fn dies(which: usize) {
    if let Some(thread) = pick(which, |t| t.runs() && !t.returned) {
        with(|w| {
            let t = &mut w.threads[thread];
            (t.exited, t.died) = (true, true);
            // What is on its stack is lost.
            core::mem::forget(t.run.take());
            w.deaths += 1;
        });
    }
}

/// Who waits for an errand has it done.
pub fn go_on() {
    while let Some(thread) = pick(0, |t| t.runs() && !t.returned && t.generation.is_none()) {
        let run = with(|w| {
            w.threads[thread].returned = true;
            w.threads[thread].run.take()
        });
        if let Some(run) = run {
            run();
        }
    }
}

/// What holds at all times.
pub fn check() {
    let (mut live, mut held) = (Vec::new(), Vec::new());
    with(|w| {
        for t in w.threads.iter().filter(|t| t.runs() && !t.returned) {
            let Some(generation) = t.generation else {
                continue;
            };
            let list = match w.quarantined.contains(&generation) {
                true => &mut held,
                false => &mut live,
            };
            if !list.contains(&generation) {
                list.push(generation);
            }
        }
    });
    if live.len() > 1 {
        violation(format!("two live generations: {live:?}"));
    }
    if with(|w| (w.module as usize) < held.len()) {
        violation(format!("not held: the module, with {held:?} in quarantine"));
    }
}

/// How many generations that were given up have a thread that is still there.
pub fn in_quarantine() -> usize {
    with(|w| {
        let runs = |g: &&usize| {
            w.threads
                .iter()
                .any(|t| t.generation == Some(**g) && t.runs())
        };
        w.quarantined.iter().filter(runs).count()
    })
}
