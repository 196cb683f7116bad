// SPDX-License-Identifier: GPL-2.0

//! Atomics of the kernel, made of those of `loom`.

use crate::orderings::called;
use core::{cell::OnceCell, panic::Location};
use loom::sync::atomic::{self as loomed, Ordering as Loomed};

/// How operations order.
pub mod ordering {
    use loom::sync::atomic::Ordering as Loomed;

    /// Nothing.
    pub struct Relaxed;
    /// This before what follows.
    pub struct Acquire;
    /// What precedes before this.
    pub struct Release;
    /// Both. (In the kernel also a store that precedes before a load that follows; here that is
    /// left out, so what is shown here is shown without it.)
    pub struct Full;

    /// One of them.
    pub trait Ordering {
        /// For `loom`.
        const ORDER: Loomed;
        /// For those who read.
        const NAME: &'static str;
    }

    macro_rules! orderings {
        ($($name:ident = $order:ident),*) => {
            $(impl Ordering for $name {
                const ORDER: Loomed = Loomed::$order;
                const NAME: &'static str = stringify!($name);
            })*
        };
    }
    orderings!(
        Relaxed = Relaxed,
        Acquire = Acquire,
        Release = Release,
        Full = AcqRel
    );

    /// Those of a load.
    pub trait AcquireOrRelaxed: Ordering {}
    impl AcquireOrRelaxed for Acquire {}
    impl AcquireOrRelaxed for Relaxed {}
    /// Those of a store.
    pub trait ReleaseOrRelaxed: Ordering {}
    impl ReleaseOrRelaxed for Release {}
    impl ReleaseOrRelaxed for Relaxed {}
}

pub use ordering::{Acquire, Full, Relaxed, Release};
use ordering::{AcquireOrRelaxed, Ordering, ReleaseOrRelaxed};

/// What can be atomic.
pub trait Atomically: Copy + PartialEq + 'static {
    /// As `loom` has it.
    type Of: Cell<Self>;
}

/// An atomic of `loom`.
pub trait Cell<T> {
    /// Makes one.
    fn new(value: T) -> Self;
    /// Loads it.
    fn load(&self, order: Loomed) -> T;
    /// Stores to it.
    fn store(&self, value: T, order: Loomed);
    /// Exchanges it.
    fn swap(&self, value: T, order: Loomed) -> T;
    /// Exchanges it if it is `old`.
    fn cas(&self, old: T, new: T, order: Loomed) -> Result<T, T>;
}

macro_rules! cells {
    ($([$($g:tt)*] $type:ty = $cell:ty),* $(,)?) => {
        $(
            impl<$($g)*> Atomically for $type {
                type Of = $cell;
            }
            impl<$($g)*> Cell<$type> for $cell {
                fn new(value: $type) -> Self {
                    <$cell>::new(value)
                }
                fn load(&self, order: Loomed) -> $type {
                    <$cell>::load(self, order)
                }
                fn store(&self, value: $type, order: Loomed) {
                    <$cell>::store(self, value, order)
                }
                fn swap(&self, value: $type, order: Loomed) -> $type {
                    <$cell>::swap(self, value, order)
                }
                fn cas(&self, old: $type, new: $type, order: Loomed) -> Result<$type, $type> {
                    self.compare_exchange(old, new, order, Loomed::Relaxed)
                }
            }
        )*
    };
}
cells! {
    [] u32 = loomed::AtomicU32, [] u64 = loomed::AtomicU64, [] usize = loomed::AtomicUsize,
    [] i32 = loomed::AtomicI32, [] i64 = loomed::AtomicI64, [] bool = loomed::AtomicBool,
    [T: 'static] *mut T = loomed::AtomicPtr<T>,
}

/// An atomic. As it may be made in a constant, `loom` hears of it when it is first used; that has
/// to come before all other uses, or the model fails.
#[repr(C)]
pub struct Atomic<T: Atomically> {
    cell: OnceCell<T::Of>,
    first: T,
}

// SAFETY: Threads of `loom` take turns, and change nowhere in here but in its own atomics.
unsafe impl<T: Atomically> Send for Atomic<T> {}
// SAFETY: As above.
unsafe impl<T: Atomically> Sync for Atomic<T> {}

impl<T: Atomically> Atomic<T> {
    /// Makes one.
    pub const fn new(value: T) -> Self {
        Self {
            cell: OnceCell::new(),
            first: value,
        }
    }

    fn cell(&self) -> &T::Of {
        self.cell.get_or_init(|| T::Of::new(self.first))
    }

    /// Where it is; only for stand-ins of functions of C.
    pub const fn as_ptr(&self) -> *mut T {
        core::ptr::from_ref(self).cast_mut().cast()
    }

    /// Loads it.
    #[track_caller]
    pub fn load<O: AcquireOrRelaxed>(&self, _: O) -> T {
        let order = called(Location::caller(), "load(Acquire)", O::ORDER);
        self.cell().load(order)
    }

    /// Loads it, in an order that was asked for elsewhere.
    pub fn load_as(&self, order: Loomed) -> T {
        self.cell().load(order)
    }

    /// Stores to it.
    #[track_caller]
    pub fn store<O: ReleaseOrRelaxed>(&self, value: T, _: O) {
        let order = called(Location::caller(), "store(Release)", O::ORDER);
        self.cell().store(value, order);
    }

    /// Exchanges it.
    #[track_caller]
    pub fn xchg<O: Ordering>(&self, value: T, _: O) -> T {
        let order = called(Location::caller(), what::<O>("xchg"), O::ORDER);
        self.cell().swap(value, order)
    }

    /// Exchanges it if it is `old`.
    #[track_caller]
    pub fn cmpxchg<O: Ordering>(&self, old: T, new: T, _: O) -> Result<T, T> {
        let order = called(Location::caller(), what::<O>("cmpxchg"), O::ORDER);
        self.cell().cas(old, new, order)
    }

    /// Updates it by a function of its value.
    #[track_caller]
    pub fn update<O: Ordering>(&self, mut f: impl FnMut(T) -> Option<T>, _: O) -> Result<T, T> {
        let order = called(Location::caller(), what::<O>("fetch_update"), O::ORDER);
        let mut old = self.cell().load(Loomed::Relaxed);
        loop {
            let new = f(old).ok_or(old)?;
            match self.cell().cas(old, new, order) {
                Ok(old) => return Ok(old),
                Err(now) => old = now,
            }
        }
    }
}

fn what<O: Ordering>(operation: &'static str) -> &'static str {
    match (operation, O::NAME) {
        ("xchg", "Full") => "xchg(Full)",
        ("cmpxchg", "Full") => "cmpxchg(Full)",
        ("fetch_update", "Full") => "fetch_update(Full)",
        ("fetch_add", "Full") => "fetch_add(Full)",
        ("fetch_add", "Release") => "fetch_add(Release)",
        ("fetch_sub", "Full") => "fetch_sub(Full)",
        _ => operation,
    }
}

macro_rules! arithmetic {
    ($($type:ty),*) => {
        $(impl Atomic<$type> {
            /// Adds.
            #[track_caller]
            pub fn fetch_add<O: Ordering>(&self, more: $type, _: O) -> $type {
                let order = called(Location::caller(), what::<O>("fetch_add"), O::ORDER);
                self.cell().fetch_add(more, order)
            }

            /// Subtracts.
            #[track_caller]
            pub fn fetch_sub<O: Ordering>(&self, less: $type, _: O) -> $type {
                let order = called(Location::caller(), what::<O>("fetch_sub"), O::ORDER);
                self.cell().fetch_sub(less, order)
            }
        })*
    };
}
arithmetic!(u32, u64, usize, i32, i64);
