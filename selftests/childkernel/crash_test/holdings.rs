// SPDX-License-Identifier: GPL-2.0

//! What a child may hold when it fails.

use super::{
    cell::{cell, Holding, Kind, Order, Parcel},
    is_done, spawn, spawn_on, stop_gives,
};
use childkernel::{
    child::{
        region::{ReadOnly, Region, Shared},
        Context,
    },
    new_semaphore, new_seqlock,
    sync::{
        atomic::Relaxed, new_mutex, new_spinlock, new_spinlock_irq, preempt::irqs_disabled, rcu,
        Mutex, MutexExt, ResilientSpinLock, Semaphore, SeqLock, SpinLock, SpinLockIrq,
    },
};
use kernel::{page::PAGE_SIZE, prelude::*, sync::Arc};

/// Each holding with each kind: `crash_KIND_HOLDING`.
macro_rules! matrix {
    ($($name:ident: $holding:ty;)*) => {
        kernel::macros::paste! {
            $(
                fn [<crash_error_ $name>]() -> Result {
                    cell::<$holding>(Kind::Error)
                }
                fn [<crash_panic_ $name>]() -> Result {
                    cell::<$holding>(Kind::Panic)
                }
                fn [<crash_bug_ $name>]() -> Result {
                    cell::<$holding>(Kind::Bug)
                }
                fn [<crash_null_ $name>]() -> Result {
                    cell::<$holding>(Kind::Null)
                }
            )*

            list_cases!("case": $(
                [<crash_error_ $name>], [<crash_panic_ $name>],
                [<crash_bug_ $name>], [<crash_null_ $name>],
            )*);
        }
    };
}

matrix! {
    nothing: Nothing;
    spinlock: SpinLock<u64>;
    spinlock_irq: SpinLockIrq<u64>;
    resilient: ResilientSpinLock<u64>;
    mutex: Mutex<u64>;
    semaphore: Semaphore;
    seqlock: SeqLock<u64>;
    rcu: Rcu;
    arena: Arena;
    message: Message;
    page: Page;
}

type Ctx<'a> = Context<'a, Order>;

pub(crate) struct Nothing;

impl Holding for Nothing {
    fn make() -> Result<Arc<Self>> {
        Ok(Arc::new(Self, GFP_KERNEL)?)
    }

    fn hold(&self, _: &mut Ctx<'_>, parcel: Parcel, kind: Kind) -> Result {
        drop(parcel);
        kind.fail()
    }
}

/// Nobody can be helped who waits for it, so nobody may; who tries is told.
impl Holding for SpinLock<u64> {
    fn make() -> Result<Arc<Self>> {
        Arc::pin_init(new_spinlock!(0, "crash_spinlock"), GFP_KERNEL)
    }

    fn hold(&self, _: &mut Ctx<'_>, parcel: Parcel, kind: Kind) -> Result {
        drop(parcel);
        let _guard = self.lock();
        kind.fail()
    }

    fn wanted(this: &Arc<Self>, lost: bool) -> Result {
        let free = this.try_lock().is_some();
        ensure!(free != lost);
        Ok(())
    }
}

/// The same. Interrupts do not stay off, nor is their count wrong from then on. On `PREEMPT_RT` they
/// are never off.
impl Holding for SpinLockIrq<u64> {
    fn make() -> Result<Arc<Self>> {
        Arc::pin_init(new_spinlock_irq!(0, "crash_spinlock_irq"), GFP_KERNEL)
    }

    fn hold(&self, _: &mut Ctx<'_>, parcel: Parcel, kind: Kind) -> Result {
        drop(parcel);
        let _guard = self.lock();
        kind.fail()
    }

    fn wanted(this: &Arc<Self>, lost: bool) -> Result {
        let free = this.try_lock().is_some();
        ensure!(free != lost);
        for cpu in 0..2 {
            let other = Self::make()?;
            let child = spawn_on(c"other", cpu, move |_| {
                let guard = other.lock();
                let off = irqs_disabled();
                drop(guard);
                match off != cfg!(CONFIG_PREEMPT_RT) && !irqs_disabled() {
                    true => Ok(()),
                    false => Err(EBUSY),
                }
            })?;
            ensure!(is_done(&child));
        }
        Ok(())
    }
}

impl Holding for ResilientSpinLock<u64> {
    fn make() -> Result<Arc<Self>> {
        Arc::pin_init(ResilientSpinLock::new(0), GFP_KERNEL)
    }

    fn hold(&self, _: &mut Ctx<'_>, parcel: Parcel, kind: Kind) -> Result {
        drop(parcel);
        let _guard = self.lock()?;
        kind.fail()
    }

    /// On the holder's CPU it is seen at once, elsewhere it takes a quarter of a second.
    fn wanted(this: &Arc<Self>, lost: bool) -> Result {
        let error = this.lock().err();
        ensure!(matches!(error, Some(EDEADLK | ETIMEDOUT)) == lost);
        ensure!(error.is_some() == lost);
        Ok(())
    }
}

impl Holding for Mutex<u64> {
    fn make() -> Result<Arc<Self>> {
        Arc::pin_init(new_mutex!(0, "crash_mutex"), GFP_KERNEL)
    }

    fn hold(&self, _: &mut Ctx<'_>, parcel: Parcel, kind: Kind) -> Result {
        drop(parcel);
        let _guard = self.lock();
        kind.fail()
    }

    /// A wait that can be interrupted ends when the child is stopped.
    fn wanted(this: &Arc<Self>, lost: bool) -> Result {
        let free = this.try_lock().is_some();
        ensure!(free != lost);
        let wanted = this.clone();
        let waiter = spawn(c"waiter", move |_| wanted.lock_interruptible().map(drop))?;
        ensure!(if lost {
            stop_gives(&waiter, EINTR)
        } else {
            is_done(&waiter)
        });
        Ok(())
    }
}

impl Holding for Semaphore {
    fn make() -> Result<Arc<Self>> {
        Arc::pin_init(new_semaphore!(1, "crash_semaphore"), GFP_KERNEL)
    }

    fn hold(&self, _: &mut Ctx<'_>, parcel: Parcel, kind: Kind) -> Result {
        drop(parcel);
        let _permit = self.down_interruptible()?;
        kind.fail()
    }

    fn wanted(this: &Arc<Self>, lost: bool) -> Result {
        let error = this.down_timeout(Context::jiffies(50)).err();
        ensure!(error == lost.then_some(ETIME));
        let wanted = this.clone();
        let waiter = spawn(c"waiter", move |_| wanted.down_interruptible().map(drop))?;
        ensure!(if lost {
            stop_gives(&waiter, EINTR)
        } else {
            is_done(&waiter)
        });
        Ok(())
    }
}

/// A writer that died leaves the count odd: readers with a limit give up.
impl Holding for SeqLock<u64> {
    fn make() -> Result<Arc<Self>> {
        Arc::pin_init(new_seqlock!(0, "crash_seqlock"), GFP_KERNEL)
    }

    fn hold(&self, _: &mut Ctx<'_>, parcel: Parcel, kind: Kind) -> Result {
        drop(parcel);
        let mut writer = self.write();
        writer.store(1);
        kind.fail()
    }

    fn wanted(this: &Arc<Self>, lost: bool) -> Result {
        let free = this.try_write().is_some();
        ensure!(free != lost);
        let read = this.try_read(100);
        ensure!(read == (!lost).then_some(1));
        Ok(())
    }
}

pub(crate) struct Rcu;

impl Holding for Rcu {
    fn make() -> Result<Arc<Self>> {
        Ok(Arc::new(Self, GFP_KERNEL)?)
    }

    fn hold(&self, _: &mut Ctx<'_>, parcel: Parcel, kind: Kind) -> Result {
        drop(parcel);
        let _guard = rcu::read_lock();
        kind.fail()
    }

    /// The kernel ends the section of a reader that dies: grace periods go on.
    fn wanted(_: &Arc<Self>, _: bool) -> Result {
        let waiter = spawn(c"waiter", |_| {
            rcu::synchronize();
            Ok(())
        })?;
        ensure!(is_done(&waiter));
        Ok(())
    }
}

pub(crate) struct Arena;

impl Holding for Arena {
    fn make() -> Result<Arc<Self>> {
        Ok(Arc::new(Self, GFP_KERNEL)?)
    }

    /// Boxes, one that was left for good, and one that nobody frees if its thread dies.
    fn hold(&self, ctx: &mut Ctx<'_>, parcel: Parcel, kind: Kind) -> Result {
        drop(parcel);
        let arena = ctx.arena();
        if kind == Kind::Not {
            return Ok(());
        }
        let _table = arena.slice(1000, 7u64, GFP_KERNEL)?;
        arena.alloc(1u64, GFP_KERNEL)?.leak();
        let _one = arena.alloc(1u64, GFP_KERNEL)?;
        kind.fail()
    }
}

/// A message that was received dies with who has it; those that were not are dropped, once.
pub(crate) struct Message;

impl Holding for Message {
    const IS_PARCEL: bool = true;

    fn make() -> Result<Arc<Self>> {
        Ok(Arc::new(Self, GFP_KERNEL)?)
    }

    fn hold(&self, _: &mut Ctx<'_>, parcel: Parcel, kind: Kind) -> Result {
        let _held = parcel;
        kind.fail()
    }
}

/// A page that is lent read-only, with a view that nobody ends if its thread dies.
pub(crate) struct Page {
    shared: Shared<ReadOnly>,
    region: Pin<KBox<Region>>,
}

impl Holding for Page {
    fn make() -> Result<Arc<Self>> {
        let region = KBox::pin_init(Region::new(PAGE_SIZE), GFP_KERNEL)?;
        let shared = region.lend()?;
        Ok(Arc::new(Self { shared, region }, GFP_KERNEL)?)
    }

    fn hold(&self, _: &mut Ctx<'_>, parcel: Parcel, kind: Kind) -> Result {
        drop(parcel);
        let _view = self.shared.view()?;
        kind.fail()
    }

    /// It is never unmapped while it may be used, and the owner has it all the time.
    fn wanted(this: &Arc<Self>, lost: bool) -> Result {
        let first = this.region.words().first().ok_or(EINVAL)?;
        first.store(5, Relaxed);
        let seen = this.shared.view()?.first().map(|word| word.load(Relaxed));
        ensure!(seen == Some(5));
        let revoked = this.region.revoke(Context::jiffies(50));
        ensure!(revoked.err() == lost.then_some(ETIMEDOUT));
        ensure!(this.shared.view().err() == Some(EACCES));
        Ok(())
    }
}
