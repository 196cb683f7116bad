// SPDX-License-Identifier: GPL-2.0

//! A cell of the table: a child that holds something fails in some way.

use super::{eventually, spawn, HOUR_MS, MODULE};
use childkernel::{
    child::{Builder, Context, End, Fault, Handle, Record, Restart, State},
    sync::atomic::{Acquire, Atomic, Full, Release},
};
use core::hint::black_box;
use kernel::{bindings, prelude::*, sync::Arc};

/// How a child fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Not at all.
    Not,
    Error,
    Panic,
    Bug,
    Null,
}

impl Kind {
    /// Fails.
    #[inline(never)]
    pub(crate) fn fail(self) -> Result {
        match self {
            Self::Not => return Ok(()),
            Self::Error => return Err(EIO),
            Self::Panic => {
                let three = black_box([1, 2, 3]);
                black_box(three[black_box(3)]);
            }
            // SAFETY: This ends the thread, as it is meant to.
            Self::Bug => unsafe { bindings::BUG() },
            // Not at 0, as Rust's own assertions, where they are built in, would see that and panic.
            // SAFETY: This is no valid write, so that the thread dies of it.
            Self::Null => unsafe {
                black_box(core::ptr::without_provenance_mut::<u64>(8)).write_volatile(1);
            },
        }
        Ok(())
    }

    pub(crate) fn is_crash(self) -> bool {
        matches!(self, Self::Panic | Self::Bug | Self::Null)
    }

    /// How the child has ended then.
    pub(crate) fn end(self) -> End {
        match self {
            Self::Not => End::Returned,
            Self::Error => End::Failed(EIO),
            Self::Panic | Self::Bug => End::Crashed(bindings::SIGSEGV as i32),
            Self::Null => End::Crashed(bindings::SIGKILL as i32),
        }
    }

    /// The same, by fault injection.
    pub(crate) fn fault(self) -> Fault {
        match self {
            Self::Not => Fault::None,
            Self::Error => Fault::Error,
            Self::Panic => Fault::Panic,
            Self::Bug => Fault::Bug,
            Self::Null => Fault::Null,
        }
    }
}

/// How often something was dropped.
pub(crate) type Drops = Arc<Atomic<u32>>;

/// What comes with a message, and counts when it is dropped.
pub(crate) struct Parcel(Option<Drops>);

impl Parcel {
    fn new() -> Result<(Self, Drops)> {
        let drops = Arc::new(Atomic::new(0), GFP_KERNEL)?;
        Ok((Self(Some(drops.clone())), drops))
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        if let Some(drops) = &self.0 {
            drops.fetch_add(1, Full);
        }
    }
}

/// What a child is told.
pub(crate) struct Order {
    kind: Kind,
    /// To hold what all generations share, and not its own.
    shared: bool,
    parcel: Parcel,
}

/// Something that a child holds.
pub(crate) trait Holding: Send + Sync + Sized + 'static {
    /// Makes what is to be held.
    fn make() -> Result<Arc<Self>>;

    /// Holds it, and fails meanwhile.
    fn hold(&self, ctx: &mut Context<'_, Order>, parcel: Parcel, kind: Kind) -> Result;

    /// What others meet who want it after that; if it is `lost`, its holder has died.
    fn wanted(_this: &Arc<Self>, _lost: bool) -> Result {
        Ok(())
    }

    /// Whether the message is what is held.
    const IS_PARCEL: bool = false;
}

/// Whether these are the last ends of a child, oldest first.
pub(crate) fn has_ended(record: &Record, ends: &[End]) -> bool {
    let mut expected = ends.iter().zip(1..);
    let fits = record.each_end(|past| match expected.next() {
        Some((&end, generation)) if past.end == end && past.generation == generation => Ok(()),
        _ => Err(()),
    });
    fits.is_ok() && expected.next().is_none()
}

/// Whether the child gets on.
pub(crate) fn gets_on(child: &Handle) -> bool {
    let before = child.record().ops();
    eventually(|| child.record().ops() > before + 2)
}

/// One that counts.
pub(crate) fn sibling() -> Result<Handle> {
    spawn(c"sibling", |ctx| {
        while !ctx.should_stop() {
            ctx.add_ops(1);
            ctx.sleep(1);
        }
        Ok(())
    })
}

/// A child fails while it holds its own, is started again, and fails while it holds what it
/// shares with others. Then its restarts are used up.
pub(crate) fn cell<H: Holding>(kind: Kind) -> Result {
    let sibling = sibling()?;
    let shared = H::make()?;
    let theirs = shared.clone();
    let go = Arc::new(Atomic::<bool>::new(false), GFP_KERNEL)?;
    let start = go.clone();
    let child = Builder::new(&MODULE, c"crash")
        .memory(1 << 16)
        .mailbox::<Order>(8)
        .restart(Restart::on_crash().limit(1, HOUR_MS).backoff(1, 1))
        .spawn_with(H::make, move |ctx, own| {
            // Each generation finds its own free.
            own.hold(ctx, Parcel(None), Kind::Not)?;
            ctx.add_ops(1);
            let order = ctx.recv()?;
            while !start.load(Acquire) && !ctx.should_stop() {
                ctx.sleep(1);
            }
            let what = if order.shared { &theirs } else { own };
            what.hold(ctx, order.parcel, order.kind)
        })?;
    let record = child.record();
    let died = u64::from(kind.is_crash());
    let order = |shared| {
        Parcel::new().map(|(parcel, drops)| {
            let order = Order {
                kind,
                shared,
                parcel,
            };
            (order, drops)
        })
    };
    let count = |drops: &Drops| drops.load(Acquire);
    // What dies with its thread is not dropped.
    let dropped = u32::from(!(H::IS_PARCEL && kind.is_crash()));

    ensure!(eventually(|| record.ops() == 1));
    let port = child.port()?;
    let ((first, received), (second, left)) = (order(false)?, order(false)?);
    port.send(first)?;
    port.send(second)?;
    go.store(true, Release);
    ensure!(eventually(|| record.generation() == 2 && record.ops() == 2));
    ensure!(record.state() == State::Running && record.memory().current() == 0);
    ensure!(record.restarts() == 1 && record.crashes() == died);
    ensure!(has_ended(record, &[kind.end()]));
    ensure!(count(&received) == dropped && count(&left) == 1);
    let (late, returned) = order(false)?;
    ensure!(port.try_send(late).is_err_and(|e| e.error() == ESTALE));
    ensure!(count(&returned) == 1 && gets_on(&sibling));

    let port = child.port()?;
    let (third, received) = order(true)?;
    port.send(third)?;
    ensure!(eventually(|| record.state() == State::Failed));
    ensure!(record.end() == kind.end() && record.memory().current() == 0);
    ensure!(record.wait() == Ok(kind.end()));
    ensure!(record.restarts() == 1 && record.crashes() == 2 * died);
    ensure!(has_ended(record, &[kind.end(), kind.end()]));
    let (late, _) = order(false)?;
    ensure!(port.try_send(late).is_err_and(|e| e.error() == EPIPE));
    ensure!(child.port().err() == Some(EPIPE) && gets_on(&sibling));
    H::wanted(&shared, kind.is_crash())?;

    // By hand it comes back all the same.
    child.restart()?;
    ensure!(eventually(|| record.ops() == 3) && record.generation() == 3);
    ensure!(count(&received) == dropped);
    child.stop();
    ensure!(record.state() == State::Stopped && record.crashes() == 2 * died);
    ensure!(record.memory().current() == 0);
    Ok(())
}
