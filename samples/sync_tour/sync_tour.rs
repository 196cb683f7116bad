// SPDX-License-Identifier: GPL-2.0

//! A tour of the synchronization primitives: each is made and used once, as in a module of yours.
//!
//! Every stop is a function of a few lines that needs no other. What it says of itself is checked:
//! the module loads only if all of it is so. The log names each stop.

use childkernel::{
    child::{Builder, Context},
    new_completion, new_local_lock, new_percpu_rwsem, new_raw_spinlock_irq, new_rcu_list,
    new_rwlock, new_rwsem, new_semaphore, new_seqcount, new_seqlock, new_spinlock_bh,
    sync::{
        atomic::{Acquire, Atomic, Bit, BitArray, FetchUpdate, Relaxed, Release},
        barrier::{smp_mb, Read, Write},
        lock_levels, new_condvar, new_mutex, new_spinlock, new_srcu,
        preempt::{local_bh_disable, local_interrupt_disable, preempt_disable},
        rcu, rcu_list, rcu_pointer, Completion, CondVar, CondVarExt, LocalLock, Mutex, MutexExt,
        Ordered, PerCpu, PerCpuRwSemaphore, RawSpinLockIrq, Rcu, RcuList, ResilientSpinLock,
        RwLock, RwSemaphore, SeqCount, SeqLock, SpinLock, SpinLockBh, Srcu, Token,
    },
};
use kernel::{prelude::*, sync::Arc};

module! {
    type: Tour,
    name: "sync_tour",
    authors: ["The childkernel developers"],
    description: "Each synchronization primitive of childkernel, used once",
    license: "GPL",
}

/// Ends the tour if something is not as it says.
macro_rules! check {
    ($what:expr) => {
        if !$what {
            pr_err!("line {}: not so: {}\n", line!(), stringify!($what));
            return Err(EIO);
        }
    };
}

/// One number: no lock at all.
fn atomic() -> Result {
    let seats = Atomic::<u32>::new(1);
    let take = |n: u32| n.checked_sub(1);
    check!(seats.fetch_update(take, Relaxed) == Ok(1));
    check!(seats.fetch_update(take, Relaxed) == Err(0));

    const READY: Bit<1> = Bit::at::<3>();
    let flags = BitArray::<1>::new();
    check!(!flags.test_and_set(READY) && flags.test(READY));
    Ok(())
}

/// Data first, then the flag; the other side looks the other way round.
fn barrier() -> Result {
    let (data, flag) = (Atomic::<u32>::new(0), Atomic::<u32>::new(0));
    data.store(7, Relaxed);
    smp_mb(Write);
    flag.store(1, Relaxed);

    let there = flag.load(Relaxed) == 1;
    smp_mb(Read);
    check!(there && data.load(Relaxed) == 7);

    // The same without barriers of their own, and the first choice.
    flag.store(2, Release);
    check!(flag.load(Acquire) == 2 && data.load(Relaxed) == 7);
    Ok(())
}

/// Nobody else on this CPU: three kinds of nobody. None keeps another CPU out.
fn preempt() -> Result {
    let no_other_thread = preempt_disable();
    let no_soft_interrupt = local_bh_disable();
    let no_interrupt = local_interrupt_disable();
    // They are counted, so they end in any order.
    drop((no_other_thread, no_soft_interrupt, no_interrupt));
    Ok(())
}

/// A value for each CPU: writing shares no cache line, reading asks them all.
fn percpu() -> Result {
    let hits = PerCpu::new(|_cpu| Atomic::<u64>::new(0))?;
    let here = preempt_disable();
    let mine = hits.get(&here);
    mine.store(mine.load(Relaxed) + 1, Relaxed);
    drop(here);
    check!(hits.sum(|n| n.load(Relaxed)) == 1);
    Ok(())
}

/// The same where several fields have to agree, and on `PREEMPT_RT`.
fn local_lock() -> Result {
    struct Traffic {
        packets: Atomic<u64>,
        bytes: Atomic<u64>,
    }

    let none = |_cpu| Traffic {
        packets: Atomic::new(0),
        bytes: Atomic::new(0),
    };
    let traffic: LocalLock<Traffic> = new_local_lock!(none, "tour_local_lock")?;
    let mine = traffic.lock();
    mine.packets.store(mine.packets.load(Relaxed) + 1, Relaxed);
    mine.bytes.store(mine.bytes.load(Relaxed) + 1500, Relaxed);
    drop(mine);
    check!(traffic.sum(|t| t.bytes.load(Relaxed)) == 1500);
    Ok(())
}

/// A critical section of a few instructions; each kind for what shares the data.
fn spinlock() -> Result {
    let process: Pin<KBox<SpinLock<u64>>> =
        KBox::pin_init(new_spinlock!(1, "tour_spin"), GFP_KERNEL)?;
    let softirq: Pin<KBox<SpinLockBh<u64>>> =
        KBox::pin_init(new_spinlock_bh!(2, "tour_spin_bh"), GFP_KERNEL)?;
    let hardirq: Pin<KBox<RawSpinLockIrq<u64>>> =
        KBox::pin_init(new_raw_spinlock_irq!(3, "tour_raw_irq"), GFP_KERNEL)?;
    let (a, b, mut c) = (process.lock(), softirq.lock(), hardirq.lock());
    *c += *a + *b;
    let sum = *c;
    drop((c, b, a));
    check!(sum == 6);
    Ok(())
}

/// The same, when it may be that nobody lets go.
fn resilient() -> Result {
    let lock = KBox::pin_init(ResilientSpinLock::new(0u64), GFP_KERNEL)?;
    let mut held = lock.lock()?;
    *held += 1;
    // An ordinary spinlock would hang here.
    let again = lock.lock().err();
    drop(held);
    check!(again == Some(EDEADLK));
    Ok(())
}

/// Readers together, a writer alone, nobody asleep.
fn rwlock() -> Result {
    let table: Pin<KBox<RwLock<u64>>> = KBox::pin_init(new_rwlock!(1, "tour_rwlock"), GFP_KERNEL)?;
    *table.write() += 1;
    // Another reader may come, but not this thread again by waiting: a writer may be between.
    let (one, two) = (table.read(), table.try_read());
    let same = two.as_ref().is_some_and(|two| *one == **two);
    drop((one, two));
    check!(same);
    Ok(())
}

/// A critical section that sleeps. In a child: one that a stop can end.
fn mutex() -> Result {
    let list: Pin<KBox<Mutex<KVec<u32>>>> =
        KBox::pin_init(new_mutex!(KVec::new(), "tour_mutex"), GFP_KERNEL)?;
    list.lock_interruptible()?.push(1, GFP_KERNEL)?;
    check!(list.lock().len() == 1);
    Ok(())
}

/// At most so many.
fn semaphore() -> Result {
    let slots = KBox::pin_init(new_semaphore!(2, "tour_semaphore"), GFP_KERNEL)?;
    let (one, two) = (slots.down_interruptible()?, slots.down_interruptible()?);
    check!(slots.try_down().is_none());
    drop((one, two));
    Ok(())
}

/// Readers together, a writer alone, all of which may sleep; and down without a gap.
fn rwsem() -> Result {
    let table: Pin<KBox<RwSemaphore<u64>>> =
        KBox::pin_init(new_rwsem!(0, "tour_rwsem"), GFP_KERNEL)?;
    let mut writing = table.write();
    *writing = 1;
    let reading = writing.downgrade();
    check!(*reading == 1 && table.try_read().is_some() && table.try_write().is_none());
    drop(reading);

    // Hardly ever written: its readers touch nothing but their own CPU.
    let config: Pin<KBox<PerCpuRwSemaphore<u64>>> =
        KBox::pin_init(new_percpu_rwsem!(7, "tour_percpu_rwsem"), GFP_KERNEL)?;
    check!(*config.read() == 7);
    Ok(())
}

/// Small plain data whose writer never waits for readers.
fn seqlock() -> Result {
    let position: Pin<KBox<SeqLock<[u64; 2]>>> =
        KBox::pin_init(new_seqlock!([0, 0], "tour_seqlock"), GFP_KERNEL)?;
    position.write().store([3, 4]);
    check!(position.read() == [3, 4]);
    check!(position.try_read(1) == Some([3, 4]));
    Ok(())
}

/// The same, written by who holds a lock that protects more.
fn seqcount() -> Result {
    let clock: Pin<KBox<SeqCount<u64, Mutex<u64>>>> = KBox::pin_init(
        new_seqcount!(0, new_mutex!(0, "tour_clock"), "tour_seqcount"),
        GFP_KERNEL,
    )?;
    clock.lock().write().store(5);
    check!(clock.read() == 5);
    Ok(())
}

/// Wait until another says that something is done.
fn completion() -> Result {
    let done: Arc<Completion> = Arc::pin_init(new_completion!("tour_completion"), GFP_KERNEL)?;
    let theirs = done.clone();
    let child = Builder::new(&MODULE, c"tour-completion").spawn(move |_| {
        theirs.complete();
        Ok(())
    })?;
    done.wait_interruptible_timeout(Context::jiffies(60_000))?;
    drop(child);
    Ok(())
}

/// Wait until a condition holds, giving the lock away meanwhile.
fn wait() -> Result {
    #[pin_data]
    struct Jobs {
        #[pin]
        waiting: Mutex<u32>,
        #[pin]
        more: CondVar,
    }

    let jobs = Arc::pin_init(
        pin_init!(Jobs {
            waiting <- new_mutex!(0, "tour_jobs"),
            more <- new_condvar!("tour_more"),
        }),
        GFP_KERNEL,
    )?;
    let theirs = jobs.clone();
    let child = Builder::new(&MODULE, c"tour-wait").spawn(move |_| {
        *theirs.waiting.lock() += 1;
        theirs.more.notify_one();
        Ok(())
    })?;
    let mut waiting = jobs.waiting.lock();
    let limit = Context::jiffies(60_000);
    jobs.more
        .wait_while_interruptible_timeout(&mut waiting, |n| *n == 0, limit)?;
    drop(waiting);
    drop(child);
    Ok(())
}

/// One thing that is looked up far more often than it is replaced.
fn rcu_pointer() -> Result {
    let config = Rcu::new(rcu_pointer::Node::new(1u32, GFP_KERNEL)?);
    let inside = rcu::read_lock();
    let old = config.read(&inside);
    let retired = config.replace(rcu_pointer::Node::new(2u32, GFP_ATOMIC)?);
    // Who was inside goes on with the old one.
    check!(old == Some(&1) && config.read(&inside) == Some(&2));
    drop(inside);
    if let Some(retired) = retired {
        retired.defer();
    }
    Ok(())
}

/// Many such things.
fn rcu_list() -> Result {
    let list: Pin<KBox<RcuList<u32>>> = KBox::pin_init(new_rcu_list!("tour_list"), GFP_KERNEL)?;
    let node = rcu_list::Node::new(7, GFP_KERNEL)?;
    list.lock().push_front(node);
    check!(list.iter(&rcu::read_lock()).any(|n| *n == 7));
    if let Some(removed) = list.lock().remove(|n| *n == 7) {
        removed.defer();
    }
    check!(list.iter(&rcu::read_lock()).next().is_none());
    Ok(())
}

/// Readers that may sleep.
fn srcu() -> Result {
    let srcu: Pin<KBox<Srcu>> = KBox::pin_init(new_srcu!("tour_srcu"), GFP_KERNEL)?;
    let open = Atomic::<u32>::new(1);
    let inside = srcu.read_lock();
    check!(open.load(Relaxed) == 1);
    drop(inside);
    open.store(0, Relaxed);
    srcu.synchronize();
    Ok(())
}

lock_levels! {
    /// Accounts come before the log of what was done with them.
    Account,
    /// The log.
    Log,
}

/// Locks in an order that the compiler checks. Exchange the two, and it does not compile.
fn order() -> Result {
    let account: Pin<KBox<Ordered<Account, Mutex<u64>>>> =
        KBox::pin_init(Ordered::new(new_mutex!(5, "tour_account")), GFP_KERNEL)?;
    let log: Pin<KBox<Ordered<Log, SpinLock<u64>>>> =
        KBox::pin_init(Ordered::new(new_spinlock!(0, "tour_log")), GFP_KERNEL)?;
    let mut token = Token::outermost();
    let (mut account, mut token) = account.lock(&mut token);
    let (mut log, _) = log.lock(&mut token);
    *account -= 1;
    *log += 1;
    Ok(())
}

static MODULE: ThisModule = <Tour as kernel::ModuleMetadata>::THIS_MODULE;

macro_rules! stops {
    ($($stop:ident),* $(,)?) => {
        [$((stringify!($stop), $stop as fn() -> Result)),*]
    };
}

struct Tour;

impl kernel::Module for Tour {
    fn init(_: &'static ThisModule) -> Result<Self> {
        let stops = stops![
            atomic,
            barrier,
            preempt,
            percpu,
            local_lock,
            spinlock,
            resilient,
            rwlock,
            mutex,
            semaphore,
            rwsem,
            seqlock,
            seqcount,
            completion,
            wait,
            rcu_pointer,
            rcu_list,
            srcu,
            order,
        ];
        for (name, stop) in stops {
            stop()?;
            pr_info!("{name}\n");
        }
        pr_info!("all {} stops\n", stops.len());
        Ok(Self)
    }
}
