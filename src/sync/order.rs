// SPDX-License-Identifier: GPL-2.0

//! Lock order that the compiler checks: a lock taken out of order does not compile.
//!
//! lockdep finds a wrong order when it happens, on kernels that have lockdep. This finds it before
//! the module exists, and costs nothing at run time.
//!
//! A lock gets a **level**, a type. A thread has a **token**, a value without size whose type says
//! what the thread may still take. Taking a lock borrows the token and gives another, for what may
//! be taken inside; as long as the guard lives the outer token can not be used. So through the
//! token
//!
//! - a lock of an earlier level, or of the same one, is not taken while a later one is held: no
//!   ABBA, and no lock twice;
//! - a lock that sleeps is not taken under one that spins, nor with preemption, bottom halves or
//!   interrupts off; nor is a spinlock that sleeps on `PREEMPT_RT` taken under a raw one.
//!
//! # What is not promised
//!
//! A lock that is taken without the token, or with a second token of the same thread
//! ([`Token::outermost`] makes as many as it is asked for), is outside of this promise. So are
//! locks that a function called meanwhile takes for itself, waits for a completion or for a
//! thread's end, and what several threads do with a semaphore: those have no holder that could be
//! ordered.
//!
//! Nor does the token know
//!
//! - that a wait of a [`CondVar`](super::CondVar) takes its lock again: wait with the guard that
//!   was taken last, and with nothing held that forbids to sleep;
//! - what was not switched off or entered with it: the functions of [`preempt`](super::preempt),
//!   [`rcu::read_lock`](super::rcu::read_lock), a [`LocalLock`](super::LocalLock), the write side
//!   of a [`SeqCount`](super::SeqCount) whose lock sleeps;
//! - which interrupts a lock has to keep off. A [`SpinLock`](super::SpinLock) that is taken under a
//!   [`SpinLockIrq`](super::SpinLockIrq) deadlocks with a holder of the first whom an interrupt
//!   makes wait for the second;
//! - of a guard that was leaked: its lock is held for ever.
//!
//! lockdep sees all locks, with or without a level; both together see most.
//!
//! # Levels
//!
//! [`lock_levels!`] declares levels, from the first to be taken to the last. The project's own
//! stand in one place, [`levels`]. Declare yours once as well, for all locks that can meet.
//!
//! # Two locks of one level
//!
//! Where two locks of one kind have to be held at once, buckets of a table for example, neither
//! comes first by its type: [`Ordered::lock_two`] takes them in the order of their addresses, the
//! second with lockdep's subclass for that.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/lockdep.h`](srctree/include/linux/lockdep.h), whose wait types these contexts are; C has no token |
//! | context | process; [`Token::outermost`] is that of a thread that may sleep |
//! | safe against | whatever the lock inside is safe against |
//! | sleeps | if the lock inside does |
//! | `PREEMPT_RT` | the same program compiles, so what sleeps there only is not taken under a raw spinlock here either |
//! | fairness | that of the lock inside |
//! | cost | none: the token has no size |
//! | order | that of the lock inside |
//! | errors | E0277 for a lock out of order or one that may not sleep here, E0499 for a token that is in use; at run time `EDEADLK` from [`Ordered::lock_two`] |
//!
//! # Examples
//!
//! ```ignore
//! lock_levels! {
//!     /// The table, before each of its rows.
//!     pub Table,
//!     /// A row.
//!     pub Row,
//! }
//!
//! struct Data {
//!     table: Ordered<Table, Mutex<KVec<u64>>>,
//!     row: Ordered<Row, SpinLock<u64>>,
//! }
//!
//! fn both(data: &Data, token: &mut Token<'_, Outermost>) {
//!     let (table, mut token) = data.table.lock(token);
//!     let (mut row, _token) = data.row.lock(&mut token);
//!     *row += table.len() as u64;
//!     // data.table.lock(&mut _token) does not compile: it comes before `Row`, and it sleeps.
//! }
//! ```
#![deny(unsafe_code)]

use super::{
    lockable::Lockable,
    nested::Nestable,
    preempt::{
        local_bh_disable, local_interrupt_disable, preempt_disable, BottomHalvesDisabled,
        LocalInterruptDisabled, PreemptDisabled,
    },
};
use core::{marker::PhantomData, ops::Deref};
use kernel::{prelude::*, types::NotThreadSafe};

pub mod levels;

/// A place in the order of locks. Made by [`lock_levels!`].
pub trait Level {}

/// A lock of level `M` may be taken while one of this level is held.
///
/// [`lock_levels!`] implements it for each level and all that are declared after it. Do so by hand
/// only to put one list of levels before another, and never in both directions.
#[diagnostic::on_unimplemented(
    message = "a lock of level `{M}` can not be taken while `{Self}` is held",
    label = "`{M}` does not come after `{Self}`",
    note = "take the locks in the order in which `lock_levels!` declares their levels"
)]
pub trait Before<M: Level>: Level {}

/// The level of a thread that holds nothing: before all others.
pub enum Outermost {}

impl Level for Outermost {}
impl<M: Level> Before<M> for Outermost where M: Declared {}

/// A level that [`lock_levels!`] has declared: all but [`Outermost`].
#[doc(hidden)]
pub trait Declared: Level {}

/// Declares levels of locks, each before those that follow it.
#[macro_export]
macro_rules! lock_levels {
    ($($(#[$doc:meta])* $vis:vis $level:ident),+ $(,)?) => {
        $(
            $(#[$doc])*
            $vis enum $level {}

            impl $crate::sync::order::Level for $level {}
            impl $crate::sync::order::Declared for $level {}
        )+
        $crate::lock_levels!(@before $($level)+);
    };
    (@before $first:ident $($later:ident)*) => {
        $(impl $crate::sync::order::Before<$later> for $first {})*
        $crate::lock_levels!(@before $($later)*);
    };
    (@before) => {};
}
pub use crate::lock_levels;

/// How a thread may wait for a lock: all kinds of it. Also, how a lock that sleeps is waited for.
///
/// These three are what lockdep calls wait types: each allows itself and those below it.
pub enum Sleeping {}
/// By spinning, or asleep on `PREEMPT_RT`: `spinlock_t` and `rwlock_t`.
pub enum Spinning {}
/// By spinning on all kernels: `raw_spinlock_t`.
pub enum RawSpinning {}

/// One of the three: [`Sleeping`], [`Spinning`], [`RawSpinning`].
pub trait Wait {}

impl Wait for Sleeping {}
impl Wait for Spinning {}
impl Wait for RawSpinning {}

/// In this context a lock that is waited for as `W` says may be taken.
#[diagnostic::on_unimplemented(
    message = "a lock whose waiters are `{W}` can not be taken where waiters must be `{Self}`",
    label = "here the most that is allowed is `{Self}`",
    note = "nothing that sleeps is taken under a spinlock or with preemption, bottom halves or \
            interrupts off; nothing but raw spinlocks under a raw spinlock"
)]
pub trait Allows<W: Wait>: Wait {
    /// The context when it is held.
    type Then: Wait;
}

impl<W: Wait> Allows<W> for Sleeping {
    type Then = W;
}

macro_rules! allows {
    ($($context:ty: $wait:ty => $then:ty;)*) => {
        $(
            impl Allows<$wait> for $context {
                type Then = $then;
            }
        )*
    };
}

allows! {
    Spinning: Spinning => Spinning;
    Spinning: RawSpinning => RawSpinning;
    RawSpinning: RawSpinning => RawSpinning;
}

/// What a thread may still take: locks of the levels after `L`, waited for as `C` allows.
///
/// It has no size, and nothing is done with it at run time.
pub struct Token<'a, L: Level, C: Wait = Sleeping> {
    _outer: PhantomData<&'a mut ()>,
    _level: PhantomData<(L, C)>,
    _not_send: NotThreadSafe,
}

impl Token<'static, Outermost> {
    /// The token of a thread that holds nothing, in process context.
    ///
    /// Make it once, where a thread begins or is entered: a child kernel has one already,
    /// [`Context::token`](crate::child::Context::token). With a second one the compiler does not
    /// know any more what is held.
    #[inline]
    pub const fn outermost() -> Self {
        Self::new()
    }
}

/// What is off until this is dropped: it borrows the token that it was made with.
pub struct During<'a, G> {
    inner: G,
    _outer: PhantomData<&'a mut ()>,
}

impl<G> Deref for During<'_, G> {
    type Target = G;

    #[inline]
    fn deref(&self) -> &G {
        &self.inner
    }
}

/// What is inside knows of no lifetime, so without this the compiler would take the borrow of the
/// token for over after the last use, while all is still off until the end of the scope.
impl<G> Drop for During<'_, G> {
    #[inline]
    fn drop(&mut self) {}
}

impl<L: Level, C: Wait> Token<'_, L, C> {
    #[inline]
    const fn new() -> Self {
        Self {
            _outer: PhantomData,
            _level: PhantomData,
            _not_send: NotThreadSafe,
        }
    }

    #[inline]
    fn during<W: Wait, G>(&mut self, inner: G) -> (During<'_, G>, Token<'_, L, C::Then>)
    where
        C: Allows<W>,
    {
        let during = During {
            inner,
            _outer: PhantomData,
        };
        (during, Token::new())
    }

    /// Disables preemption: only raw spinlocks may be taken until the first value is dropped.
    #[inline]
    pub fn preempt_disable(&mut self) -> (During<'_, PreemptDisabled>, Token<'_, L, C::Then>)
    where
        C: Allows<RawSpinning>,
    {
        self.during::<RawSpinning, _>(preempt_disable())
    }

    /// Disables interrupts: only raw spinlocks may be taken until the first value is dropped.
    #[inline]
    pub fn interrupt_disable(
        &mut self,
    ) -> (During<'_, LocalInterruptDisabled>, Token<'_, L, C::Then>)
    where
        C: Allows<RawSpinning>,
    {
        self.during::<RawSpinning, _>(local_interrupt_disable())
    }

    /// Disables bottom halves: nothing that sleeps may be taken until the first value is dropped.
    #[inline]
    pub fn bh_disable(&mut self) -> (During<'_, BottomHalvesDisabled>, Token<'_, L, C::Then>)
    where
        C: Allows<Spinning>,
    {
        self.during::<Spinning, _>(local_bh_disable())
    }
}

/// The guards of two locks of one kind, in the order in which the locks were named.
pub type Two<'a, L> = (<L as Lockable>::Guard<'a>, <L as Lockable>::Guard<'a>);

/// A lock that has a level and is taken with a [`Token`].
///
/// Context, fairness, cost and errors are those of the lock inside.
#[pin_data]
pub struct Ordered<V: Level, L: Lockable> {
    #[pin]
    lock: L,
    _level: PhantomData<fn() -> V>,
}

impl<V: Level, L: Lockable> Ordered<V, L> {
    /// Creates an initialiser from that of the lock.
    pub fn new<E>(lock: impl PinInit<L, E>) -> impl PinInit<Self, E> {
        try_pin_init!(Self {
            lock <- lock,
            _level: PhantomData,
        }? E)
    }

    /// Gives a lock that can be moved its level.
    pub const fn of(lock: L) -> Self {
        Self {
            lock,
            _level: PhantomData,
        }
    }

    /// Takes the lock. The second value is the token for what may be taken inside.
    #[inline]
    #[track_caller]
    pub fn lock<'a, H, C>(
        &'a self,
        token: &'a mut Token<'_, H, C>,
    ) -> (L::Guard<'a>, Token<'a, V, C::Then>)
    where
        H: Before<V>,
        C: Allows<L::Wait>,
    {
        let _ = token;
        (self.lock.acquire(), Token::new())
    }

    /// Takes the lock in any way that it has: to read, to try, interruptibly.
    ///
    /// `how` takes this lock and no other. What it returns must be what holds the lock.
    ///
    /// # Examples
    ///
    /// ```ignore
    /// let (guard, _token) = config.lock_by(token, |rwsem| rwsem.read_interruptible());
    /// let guard = guard?;
    /// ```
    #[inline]
    #[track_caller]
    pub fn lock_by<'a, H, C, G>(
        &'a self,
        token: &'a mut Token<'_, H, C>,
        how: impl FnOnce(&'a L) -> G,
    ) -> (G, Token<'a, V, C::Then>)
    where
        H: Before<V>,
        C: Allows<L::Wait>,
    {
        let _ = token;
        (how(&self.lock), Token::new())
    }

    /// Takes this lock and another of the same level, in the order of their addresses.
    ///
    /// # Errors
    ///
    /// `EDEADLK` if both are the same lock.
    #[expect(
        clippy::type_complexity,
        reason = "what `lock` returns, of two, or an error"
    )]
    #[inline]
    pub fn lock_two<'a, H, C>(
        &'a self,
        other: &'a Self,
        token: &'a mut Token<'_, H, C>,
    ) -> Result<(Two<'a, L>, Token<'a, V, C::Then>)>
    where
        H: Before<V>,
        C: Allows<L::Wait>,
        L: Nestable,
    {
        let _ = token;
        let (a, b) = (core::ptr::from_ref(self), core::ptr::from_ref(other));
        let guards = match a.cmp(&b) {
            core::cmp::Ordering::Less => {
                let first = self.lock.acquire();
                (first, other.lock.acquire_nested())
            }
            core::cmp::Ordering::Equal => return Err(EDEADLK),
            core::cmp::Ordering::Greater => {
                let first = other.lock.acquire();
                (self.lock.acquire_nested(), first)
            }
        };
        Ok((guards, Token::new()))
    }

    /// The lock itself, for what needs no order: lookups, statistics, initialisation.
    #[inline]
    pub fn unordered(&self) -> &L {
        &self.lock
    }
}
