// SPDX-License-Identifier: GPL-2.0

//! A module of somebody else: it uses what the library offers, and says what it found.
//!
//! Each check writes `ok NAME` or `not ok NAME` to the log; `outsider.sh` knows the names, and
//! looks at what stays until unload from outside.

use childkernel::{
    child::{self, Builder, Context, Handle, State, NAME_MAX, THREADS_MAX},
    new_completion, new_rcu_list, new_semaphore, new_seqlock,
    stats::{self, Counted, LockStats, Mode, SAMPLE},
    sync::{
        atomic::{Acquire, Atomic, Relaxed, Release},
        lock::mutex::MutexBackend,
        new_mutex, new_spinlock,
        order::Sleeping,
        rcu,
        rcu_list::Node,
        Completion, Lockable, Mutex, RcuList, Semaphore, SeqLock, SpinLock,
    },
};
use kernel::{
    cpu::{nr_cpu_ids, CpuId},
    prelude::*,
    sync::Arc,
    time::{delay::fsleep, Delta, Instant, Monotonic},
    ThisModule,
};

module! {
    type: Outsider,
    name: "outsider",
    authors: ["The childkernel developers"],
    description: "Uses all of childkernel, for its selftests",
    license: "GPL",
}

/// Ends a check that finds something untrue, saying what and where.
macro_rules! ensure {
    ($what:expr) => {
        if !$what {
            pr_err!("line {}: not so: {}\n", line!(), stringify!($what));
            return Err(EINVAL);
        }
    };
}

/// Sleeps until it is so, 20 s at most, and says whether it is.
fn eventually(so: impl Fn() -> bool) -> bool {
    for _ in 0..2000 {
        if so() {
            return true;
        }
        fsleep(Delta::from_millis(10));
    }
    so()
}

fn is_over(child: &Handle) -> bool {
    eventually(|| child.record().state() == State::Stopped)
}

/// How often the children below do what they do.
const ROUNDS: u64 = 1000;
/// Longer than any test; waits with this limit are to end for another reason.
const HOUR: u32 = 3_600_000;

/// Two children add to one number under `lock`.
fn add_up<L>(module: &'static ThisModule, lock: Arc<Counted<L>>) -> Result
where
    L: Lockable + Send + Sync + 'static,
    for<'a> L::Guard<'a>: core::ops::DerefMut<Target = u64>,
{
    let mut children = KVec::new();
    for name in [c"adder/0", c"adder/1"] {
        let lock = lock.clone();
        let child = Builder::new(module, name).spawn(move |ctx| {
            for _ in 0..ROUNDS {
                **lock.lock() += 1;
                ctx.add_ops(1);
            }
            Ok(())
        })?;
        children.push(child, GFP_KERNEL)?;
    }
    for child in &children {
        ensure!(is_over(child));
        ensure!(child.record().ops() == ROUNDS);
        ensure!(child.record().owner() == "outsider");
    }
    ensure!(*lock.inner().acquire() == 2 * ROUNDS);
    ensure!(lock.stats().acquisitions() == 2 * ROUNDS);
    ensure!(lock.stats().contentions() <= 2 * ROUNDS);
    ensure!(lock.stats().kind() == L::KIND);
    Ok(())
}

fn spinlock(module: &'static ThisModule) -> Result {
    let lock: Arc<Counted<SpinLock<u64>>> = Arc::pin_init(
        Counted::new(c"outsider/spinlock", new_spinlock!(0, "outsider_spinlock")),
        GFP_KERNEL,
    )?;
    ensure!(lock.stats().name() == "outsider/spinlock");
    add_up(module, lock)
}

fn mutex(module: &'static ThisModule) -> Result {
    let lock: Arc<Counted<Mutex<u64>>> = Arc::pin_init(
        Counted::new(c"outsider/mutex", new_mutex!(0, "outsider_mutex")),
        GFP_KERNEL,
    )?;
    add_up(module, lock)
}

/// A payload whose last word is not whole.
fn payload(n: u32) -> [u32; 3] {
    [n, n.wrapping_mul(3), !n]
}

fn seqlock(module: &'static ThisModule) -> Result {
    let lock: Arc<SeqLock<[u32; 3]>> = Arc::pin_init(
        new_seqlock!(payload(0), "outsider_record"), //
        GFP_KERNEL,
    )?;
    ensure!(lock.read() == payload(0));

    let mut guard = lock.write();
    ensure!(guard.load() == payload(0));
    // Not one of these may wait for a writer that waits for them.
    let read = lock.try_read(3);
    let write = lock.try_write().is_some();
    guard.store(payload(1));
    drop(guard);
    ensure!(read.is_none());
    ensure!(!write);
    ensure!(lock.try_read(1) == Some(payload(1)));
    ensure!(lock.try_write().is_some());

    let shared = lock.clone();
    let writer = Builder::new(module, c"seq-writer").spawn(move |ctx| {
        for n in 0..10_000 {
            shared.write().store(payload(n));
            ctx.add_ops(1);
        }
        Ok(())
    })?;
    let mut newest = 0;
    loop {
        let over = writer.record().state() == State::Stopped;
        let copy = lock.read();
        ensure!(copy == payload(copy[0]));
        // The first value that the writer stores is 0, after the 1 of above.
        ensure!(copy[0] >= newest || newest == 1);
        newest = copy[0];
        if over {
            break;
        }
    }
    ensure!(lock.read() == payload(9_999));
    Ok(())
}

fn completion_counts(_: &'static ThisModule) -> Result {
    let done = KBox::pin_init(new_completion!("outsider_counts"), GFP_KERNEL)?;
    ensure!(!done.is_done());
    ensure!(!done.try_wait());

    // Each lets one wait through, whichever kind of wait it is.
    for _ in 0..7 {
        done.complete();
    }
    ensure!(done.is_done());
    ensure!(done.try_wait());
    done.wait();
    ensure!(done.wait_interruptible().is_ok());
    ensure!(done.wait_killable().is_ok());
    ensure!(done.wait_timeout(1).is_ok_and(|left| left >= 1));
    ensure!(done
        .wait_interruptible_timeout(1)
        .is_ok_and(|left| left >= 1));
    ensure!(done.is_done());
    ensure!(done.wait_killable_timeout(1).is_ok_and(|left| left >= 1));
    ensure!(!done.is_done());
    ensure!(!done.try_wait());
    Ok(())
}

fn completion_all(_: &'static ThisModule) -> Result {
    let done = KBox::pin_init(new_completion!("outsider_all"), GFP_KERNEL)?;
    done.complete_all();
    for _ in 0..10 {
        done.wait();
        ensure!(done.try_wait());
    }
    ensure!(done.is_done());
    done.reinit();
    ensure!(!done.is_done());
    ensure!(!done.try_wait());
    done.complete();
    done.reinit();
    ensure!(!done.try_wait());
    Ok(())
}

fn completion_limits(_: &'static ThisModule) -> Result {
    let done = KBox::pin_init(new_completion!("outsider_limits"), GFP_KERNEL)?;
    let limit = Context::jiffies(10);
    ensure!(done.wait_timeout(limit) == Err(ETIMEDOUT));
    ensure!(done.wait_interruptible_timeout(limit) == Err(ETIMEDOUT));
    ensure!(done.wait_killable_timeout(limit) == Err(ETIMEDOUT));
    // A wait that was given up takes nothing.
    done.complete();
    ensure!(done.wait_timeout(limit).is_ok());
    Ok(())
}

/// Waits in a child are ended by a completion from outside.
fn completion_wakes(module: &'static ThisModule) -> Result {
    let waits: [fn(&Completion) -> Result; 6] = [
        |c| {
            c.wait();
            Ok(())
        },
        Completion::wait_interruptible,
        Completion::wait_killable,
        |c| c.wait_timeout(Context::jiffies(HOUR)).map(|_| ()),
        |c| {
            c.wait_interruptible_timeout(Context::jiffies(HOUR))
                .map(|_| ())
        },
        |c| c.wait_killable_timeout(Context::jiffies(HOUR)).map(|_| ()),
    ];
    let done: Arc<Completion> = Arc::pin_init(new_completion!("outsider_wakes"), GFP_KERNEL)?;
    let mut children = KVec::new();
    for wait in waits {
        let done = done.clone();
        let child = Builder::new(module, c"waiter").spawn(move |ctx| {
            ctx.add_ops(1);
            wait(&done)
        })?;
        children.push(child, GFP_KERNEL)?;
    }
    for child in &children {
        ensure!(eventually(|| child.record().ops() == 1));
        ensure!(child.record().state() == State::Running);
    }
    for n in 1..=children.len() {
        done.complete();
        let over = || {
            children
                .iter()
                .filter(|c| c.record().state() == State::Stopped)
                .count()
        };
        ensure!(eventually(|| over() == n));
    }
    for child in &children {
        ensure!(child.record().error().is_none());
    }
    ensure!(!done.is_done());
    Ok(())
}

/// A request to stop ends waits and sleeps that nothing else ends.
fn stop_ends_waits(module: &'static ThisModule) -> Result {
    let waits: [fn(&Completion) -> Result; 2] = [Completion::wait_interruptible, |c| {
        c.wait_interruptible_timeout(Context::jiffies(HOUR))
            .map(|_| ())
    }];
    let never: Arc<Completion> = Arc::pin_init(new_completion!("outsider_never"), GFP_KERNEL)?;
    for wait in waits {
        let never = never.clone();
        let child = Builder::new(module, c"waiter").spawn(move |ctx| {
            ctx.add_ops(1);
            wait(&never)
        })?;
        ensure!(eventually(|| child.record().ops() == 1));
        child.stop();
        ensure!(child.record().state() == State::Stopped);
        ensure!(child.record().error() == Some(ERESTARTSYS));
    }
    let sleeper = Builder::new(module, c"sleeper").spawn(|ctx| {
        ctx.add_ops(1);
        while !ctx.should_stop() {
            ctx.sleep(HOUR);
        }
        Ok(())
    })?;
    ensure!(eventually(|| sleeper.record().ops() == 1));
    sleeper.stop();
    // Once more changes nothing.
    sleeper.stop();
    ensure!(sleeper.record().state() == State::Stopped);
    ensure!(sleeper.record().error().is_none());
    Ok(())
}

/// An element that counts its end.
struct Element {
    n: u32,
    drops: Arc<Atomic<u32>>,
}

impl Drop for Element {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Relaxed);
    }
}

/// The numbers of the elements as the digits of one.
fn digits<'a>(elements: impl Iterator<Item = &'a Element>) -> u32 {
    elements.fold(0, |sum, element| sum * 10 + element.n)
}

fn rcu_list(_: &'static ThisModule) -> Result {
    let drops = Arc::new(Atomic::new(0u32), GFP_KERNEL)?;
    let node = |n| {
        let drops = drops.clone();
        Node::new(Element { n, drops }, GFP_KERNEL)
    };
    let list: Pin<KBox<RcuList<Element>>> =
        KBox::pin_init(new_rcu_list!("outsider_list"), GFP_KERNEL)?;
    let look_up = || digits(list.iter(&rcu::read_lock()));

    ensure!(look_up() == 0);
    for n in [3, 2, 1] {
        let new = node(n)?;
        list.lock().push_front(new);
    }
    for n in [4, 5, 6] {
        let new = node(n)?;
        list.lock().push_back(new);
    }
    ensure!(look_up() == 123_456);
    ensure!(digits(list.lock().iter()) == 123_456);

    // A node that was never linked is dropped like any value.
    drop(node(9)?);
    ensure!(drops.load(Relaxed) == 1);

    let writer = list.lock();
    let second = list.try_lock().is_some();
    drop(writer);
    ensure!(!second);
    ensure!(list.try_lock().is_some());

    ensure!(list.lock().remove(|e| e.n == 7).is_none());
    let removed = list.lock().remove(|e| e.n == 3).ok_or(EINVAL)?;
    ensure!(look_up() == 12_456);
    ensure!(removed.n == 3);
    removed.synchronize();
    ensure!(drops.load(Relaxed) == 2);

    // A lookup that found it keeps it, however long it looks.
    let removed = list.lock().remove(|e| e.n == 5).ok_or(EINVAL)?;
    let guard = rcu::read_lock();
    let began = Instant::<Monotonic>::now();
    removed.defer();
    while began.elapsed() < Delta::from_millis(50) {
        core::hint::spin_loop();
    }
    let early = drops.load(Relaxed);
    drop(guard);
    ensure!(early == 2);
    rcu::flush();
    ensure!(drops.load(Relaxed) == 3);

    // Dropping what was removed defers its end as well.
    drop(list.lock().remove(|e| e.n == 1));
    ensure!(look_up() == 246);
    rcu::flush();
    ensure!(drops.load(Relaxed) == 4);

    drop(list);
    ensure!(drops.load(Relaxed) == 7);
    Ok(())
}

/// The writers' lock is for the type to choose.
fn rcu_list_of_mutex(_: &'static ThisModule) -> Result {
    let list: Pin<KBox<Counted<RcuList<u32, MutexBackend>>>> = KBox::pin_init(
        Counted::new(c"outsider/list", new_rcu_list!("outsider_list_mutex")),
        GFP_KERNEL,
    )?;
    let node = Node::new(1, GFP_KERNEL)?;
    let mut writer = list.lock();
    // What a spinlock would not allow.
    fsleep(Delta::from_millis(2));
    writer.push_back(node);
    drop(writer);
    ensure!(list.inner().iter(&rcu::read_lock()).eq(&[1]));
    ensure!(list.stats().acquisitions() == 1);
    Ok(())
}

/// Lookups in a child while this thread changes the list.
fn rcu_list_concurrent(module: &'static ThisModule) -> Result {
    let drops = Arc::new(Atomic::new(0u32), GFP_KERNEL)?;
    let list: Arc<RcuList<Element>> = Arc::pin_init(new_rcu_list!("outsider_shared"), GFP_KERNEL)?;
    let shared = list.clone();
    let reader = Builder::new(module, c"list-reader").spawn(move |ctx| {
        while !ctx.should_stop() {
            let guard = rcu::read_lock();
            if !shared.iter(&guard).map(|e| e.n).is_sorted_by(|a, b| a > b) {
                ctx.violation();
            }
            drop(guard);
            ctx.add_ops(1);
        }
        Ok(())
    })?;
    for n in 1..=1000 {
        let drops = drops.clone();
        let node = Node::new(Element { n, drops }, GFP_KERNEL)?;
        list.lock().push_front(node);
        if n > 4 {
            let removed = list.lock().remove(|e| e.n == n - 4).ok_or(EINVAL)?;
            removed.defer();
        }
    }
    ensure!(eventually(|| reader.record().ops() > 0));
    reader.stop();
    ensure!(reader.record().violations() == 0);
    rcu::flush();
    ensure!(drops.load(Relaxed) == 996);
    Ok(())
}

fn names_refused(module: &'static ThisModule) -> Result {
    const LONG: &CStr = c"0123456789abcdef0123456789abcdef";
    let refused = |name| Builder::new(module, name).spawn(|_| Ok(())).err() == Some(EINVAL);
    let children = child::list()?.len();

    ensure!(LONG.to_bytes().len() == NAME_MAX + 1);
    ensure!(refused(LONG));
    ensure!(refused(c""));
    ensure!(refused(c"two words"));
    ensure!(refused(c"quote\""));
    ensure!(refused(c"line\n"));
    ensure!(refused(c"ü"));
    for n in [0, THREADS_MAX + 1] {
        let spawned = Builder::new(module, c"threads")
            .threads(n)
            .spawn(|_| Ok(()));
        ensure!(spawned.err() == Some(EINVAL));
    }
    ensure!(child::list()?.len() == children);

    let child = Builder::new(module, c"Aa0-_.:/89abcdef0123456789abcde").spawn(|_| Ok(()))?;
    ensure!(child.record().name().len() == NAME_MAX);
    ensure!(child::list()?.len() == children + 1);
    drop(child);
    ensure!(child::list()?.len() == children);
    Ok(())
}

/// Each thread of a child runs the entry once, on its CPU, with an index of its own.
fn threads(module: &'static ThisModule) -> Result {
    let mut cpus = KVec::new();
    for cpu in (0..nr_cpu_ids().min(2)).filter_map(CpuId::from_u32) {
        cpus.push(cpu, GFP_KERNEL)?;
    }
    let n = cpus.len();
    let seen = Arc::new(Atomic::new(0u64), GFP_KERNEL)?;
    let shared = seen.clone();
    let child = Builder::new(module, c"threads")
        .threads(5)
        .cpus(&cpus)
        .spawn(move |ctx| {
            shared.fetch_add(1 << (8 * ctx.index()), Relaxed);
            for _ in 0..20 {
                if CpuId::current().as_u32() as usize != ctx.index() % n {
                    ctx.violation();
                }
                ctx.add_ops(1);
                ctx.sleep(1);
            }
            Ok(())
        })?;
    ensure!(is_over(&child));
    ensure!(seen.load(Relaxed) == 0x01_0101_0101);
    ensure!(child.record().ops() == 100);
    ensure!(child.record().violations() == 0);
    Ok(())
}

/// An error of one thread is the end of its child.
fn error_ends_all_threads(module: &'static ThisModule) -> Result {
    let child = Builder::new(module, c"one-fails").threads(3).spawn(|ctx| {
        if ctx.index() == 1 {
            ctx.sleep(20);
            return Err(EIO);
        }
        while !ctx.should_stop() {
            ctx.sleep(1);
        }
        Ok(())
    })?;
    ensure!(is_over(&child));
    ensure!(child.record().error() == Some(EIO));
    Ok(())
}

/// Stopping and restarting, from each state that a child may be in.
fn restart(module: &'static ThisModule) -> Result {
    let child = Builder::new(module, c"phoenix").spawn(|ctx| {
        ctx.add_ops(1);
        while !ctx.should_stop() {
            ctx.sleep(10);
        }
        Ok(())
    })?;
    let record = child.record();
    ensure!(record.generation() == 1);
    ensure!(eventually(|| record.ops() == 1));
    child.restart()?;
    ensure!(record.generation() == 2);
    ensure!(record.state() == State::Running);
    ensure!(eventually(|| record.ops() == 2));
    child.stop();
    ensure!(record.state() == State::Stopped);
    child.restart()?;
    ensure!(eventually(|| record.ops() == 3));
    ensure!(record.generation() == 3);
    let id = record.id();
    let is_listed = |id| child::list().is_ok_and(|all| all.iter().any(|r| r.id() == id));
    ensure!(is_listed(id));
    drop(child);
    ensure!(!is_listed(id));
    Ok(())
}

fn modes(_: &'static ThisModule) -> Result {
    let lock: Pin<KBox<Counted<SpinLock<u64>>>> = KBox::pin_init(
        Counted::new(c"outsider/modes", new_spinlock!(0, "outsider_modes")),
        GFP_KERNEL,
    )?;
    let before = stats::mode();
    let mut counts = [0; 3];
    let modes = [Mode::Off, Mode::Contended, Mode::Times];
    for (mode, count) in modes.into_iter().zip(&mut counts) {
        stats::set_mode(mode);
        let is_set = stats::mode() == mode;
        **lock.lock() += 1;
        *count = lock.stats().acquisitions();
        stats::set_mode(before);
        ensure!(is_set);
    }
    ensure!(counts == [0, 1, 2]);
    ensure!(**lock.lock() == 3);
    Ok(())
}

/// Takes a lock while times are taken, and again while they are not. Returns how many times were
/// recorded after each had ended in the other mode, and the difference after many in this one.
fn across_modes<L: Lockable>(lock: &Counted<L>) -> [u64; 3] {
    let holds = || lock.stats().times().1;
    stats::set_mode(Mode::Times);
    // The first of all is timed.
    let held = lock.lock();
    stats::set_mode(Mode::Off);
    drop(held);
    let left_on = holds();
    // Begun later than the one that was timed, and no less without times.
    let held = lock.lock();
    stats::set_mode(Mode::Times);
    drop(held);
    let left_off = holds();
    // On whatever CPUs this is, one of them has its turn.
    for _ in 0..u64::from(nr_cpu_ids()) * SAMPLE {
        drop(lock.lock());
    }
    let (waits, holds) = lock.stats().times();
    // That the first one has waited was known before the mode was changed.
    [left_on, left_off, u64::from(holds > 0 && holds == waits - 1)]
}

/// How long a lock is held is recorded for who holds it, or not at all.
fn modes_change(_: &'static ThisModule) -> Result {
    // One that has a single holder, and one that may have several.
    let mutex: Pin<KBox<Counted<Mutex<u64>>>> = KBox::pin_init(
        Counted::new(c"outsider/changes", new_mutex!(0, "outsider_changes")),
        GFP_KERNEL,
    )?;
    let semaphore: Pin<KBox<Counted<Semaphore>>> = KBox::pin_init(
        Counted::new(c"outsider/permits", new_semaphore!(2, "outsider_permits")),
        GFP_KERNEL,
    )?;
    let before = stats::mode();
    let one = across_modes(&mutex);
    let several = across_modes(&semaphore);
    stats::set_mode(Mode::Times);
    let (first, second) = (semaphore.lock(), semaphore.lock());
    drop(first);
    drop(second);
    let (waits, holds) = semaphore.stats().times();
    stats::set_mode(before);
    ensure!(one == [0, 0, 1]);
    ensure!(several == [0, 0, 1]);
    ensure!(waits - 1 == holds);
    Ok(())
}

/// A lock of our own: a flag that is taken by compare-and-swap.
struct Flag(Atomic<u32>);

struct FlagGuard<'a>(&'a Flag);

impl Drop for FlagGuard<'_> {
    fn drop(&mut self) {
        self.0 .0.store(0, Release);
    }
}

impl Lockable for Flag {
    const KIND: &'static str = "flag";
    type Wait = Sleeping;
    type Guard<'a> = FlagGuard<'a>;

    fn acquire(&self) -> FlagGuard<'_> {
        loop {
            if let Some(guard) = self.try_acquire() {
                return guard;
            }
            fsleep(Delta::from_millis(1));
        }
    }

    fn try_acquire(&self) -> Option<FlagGuard<'_>> {
        match self.0.cmpxchg(0, 1, Acquire) {
            Ok(_) => Some(FlagGuard(self)),
            Err(_) => None,
        }
    }
}

/// One acquisition of our own lock that has to wait, for certain.
fn contend(module: &'static ThisModule, flag: &Arc<Counted<Flag>>) -> Result {
    let counted = |stats: &LockStats| (stats.acquisitions(), stats.contentions());
    let guard = flag.lock();
    let shared = flag.clone();
    let child = Builder::new(module, c"contender").spawn(move |_| {
        drop(shared.lock());
        Ok(())
    })?;
    let waits = eventually(|| flag.stats().contentions() == 1);
    let state = child.record().state();
    drop(guard);
    ensure!(waits);
    ensure!(state == State::Running);
    ensure!(is_over(&child));
    ensure!(counted(flag.stats()) == (2, 1));
    ensure!(flag.stats().kind() == "flag");
    ensure!(stats::locks()?.iter().any(|l| l.name() == "outsider/flag"));
    Ok(())
}

/// Fails in its first generation.
fn fails_once(module: &'static ThisModule) -> Result<Handle> {
    let runs = Atomic::new(0u32);
    Builder::new(module, c"fails-once").spawn(move |ctx| {
        if runs.fetch_add(1, Relaxed) == 0 {
            return Err(EIO);
        }
        while !ctx.should_stop() {
            ctx.add_ops(1);
            ctx.sleep(10);
        }
        Ok(())
    })
}

fn error_then_restart(child: &Handle) -> Result {
    ensure!(is_over(child));
    ensure!(child.record().error() == Some(EIO));
    ensure!(child.record().generation() == 1);
    ensure!(child.record().ops() == 0);
    child.restart()?;
    ensure!(child.record().error().is_none());
    ensure!(child.record().generation() == 2);
    ensure!(eventually(|| child.record().ops() > 0));
    ensure!(child.record().state() == State::Running);
    Ok(())
}

/// Says that it is there no more, when the last that counts on it is gone.
struct Farewell {
    drops: Atomic<u32>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        report(
            "deferred_at_exit",
            match self.drops.load(Relaxed) {
                LATE => Ok(()),
                _ => Err(EINVAL),
            },
        );
    }
}

/// How many elements the module's exit gives to deferred reclaim.
const LATE: u32 = 200;

struct Late(Arc<Farewell>);

impl Drop for Late {
    fn drop(&mut self) {
        self.0.drops.fetch_add(1, Relaxed);
    }
}

fn late_list() -> Result<Arc<RcuList<Late>>> {
    let farewell = Arc::new(
        Farewell {
            drops: Atomic::new(0),
        },
        GFP_KERNEL,
    )?;
    let list: Arc<RcuList<Late>> = Arc::pin_init(new_rcu_list!("outsider_late"), GFP_KERNEL)?;
    for _ in 0..LATE {
        let node = Node::new(Late(farewell.clone()), GFP_KERNEL)?;
        list.lock().push_back(node);
    }
    Ok(list)
}

fn report(name: &str, result: Result) {
    match result {
        Ok(()) => pr_info!("ok {name}\n"),
        Err(error) => pr_err!("not ok {name} {error:?}\n"),
    }
}

type Check = fn(&'static ThisModule) -> Result;

const CHECKS: [(&str, Check); 17] = [
    ("spinlock", spinlock),
    ("mutex", mutex),
    ("seqlock", seqlock),
    ("completion_counts", completion_counts),
    ("completion_all", completion_all),
    ("completion_limits", completion_limits),
    ("completion_wakes", completion_wakes),
    ("stop_ends_waits", stop_ends_waits),
    ("rcu_list", rcu_list),
    ("rcu_list_of_mutex", rcu_list_of_mutex),
    ("rcu_list_concurrent", rcu_list_concurrent),
    ("names_refused", names_refused),
    ("threads", threads),
    ("error_ends_all_threads", error_ends_all_threads),
    ("restart", restart),
    ("modes", modes),
    ("modes_change", modes_change),
];

/// Two locks of the same name, of which the second is taken twice.
fn same_names() -> Result<KVec<Pin<KBox<Counted<SpinLock<u64>>>>>> {
    let mut all = KVec::new();
    for n in 1..=2u64 {
        let lock = Counted::new(c"outsider/same", new_spinlock!(0, "outsider_same"));
        let lock: Pin<KBox<Counted<SpinLock<u64>>>> = KBox::pin_init(lock, GFP_KERNEL)?;
        for _ in 0..n {
            **lock.lock() += 1;
        }
        all.push(lock, GFP_KERNEL)?;
    }
    Ok(all)
}

/// What stays until unload, to be looked at from outside.
struct Outsider {
    _failed: Handle,
    _restarted: Handle,
    _many: Handle,
    _flag: Arc<Counted<Flag>>,
    _same: KVec<Pin<KBox<Counted<SpinLock<u64>>>>>,
    late: Arc<RcuList<Late>>,
}

impl kernel::Module for Outsider {
    fn init(module: &'static ThisModule) -> Result<Self> {
        for (name, check) in CHECKS {
            report(name, check(module));
        }

        let flag: Arc<Counted<Flag>> = Arc::pin_init(
            Counted::new(c"outsider/flag", Flag(Atomic::new(0))),
            GFP_KERNEL,
        )?;
        report("own_lock", contend(module, &flag));
        let same = same_names()?;

        let failed = Builder::new(module, c"fails").spawn(|_| Err(EIO))?;
        report(
            "error_is_the_end",
            match is_over(&failed) {
                true if failed.record().error() == Some(EIO) => Ok(()),
                _ => Err(EINVAL),
            },
        );

        let restarted = fails_once(module)?;
        report("error_then_restart", error_then_restart(&restarted));

        let many = Builder::new(module, c"many").threads(4).spawn(|ctx| {
            while !ctx.should_stop() {
                ctx.add_ops(1);
                ctx.sleep(10);
            }
            Ok(())
        })?;

        // The library joins this one when the module goes.
        core::mem::forget(Builder::new(module, c"forgotten").spawn(|ctx| {
            while !ctx.should_stop() {
                ctx.add_ops(1);
                ctx.sleep(10);
            }
            Ok(())
        })?);

        Ok(Self {
            _failed: failed,
            _restarted: restarted,
            _many: many,
            _flag: flag,
            _same: same,
            late: late_list()?,
        })
    }
}

impl Drop for Outsider {
    /// Leaves elements in deferred reclaim. The library must run their destructors, which are in
    /// this module's text, before that text goes.
    fn drop(&mut self) {
        while let Some(removed) = self.late.lock().remove(|_| true) {
            removed.defer();
        }
    }
}
