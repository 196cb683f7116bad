// SPDX-License-Identifier: GPL-2.0

//! As much of the kernel's crate, and of the module's room `sync`, as the supervisor uses: without
//! threads, so without any care for them.

use core::{convert::Infallible, ffi::c_int, fmt as core_fmt, ops::Deref};

/// An errno.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Error(c_int);

impl Error {
    pub fn to_errno(self) -> c_int {
        self.0
    }

    pub fn from_errno(errno: c_int) -> Self {
        Self(errno)
    }
}

impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl From<core::num::TryFromIntError> for Error {
    fn from(_: core::num::TryFromIntError) -> Self {
        Self(-22)
    }
}

pub type Result<T = (), E = Error> = core::result::Result<T, E>;

#[derive(Clone, Copy)]
pub struct Flags;

pub struct KVec<T>(Vec<T>);

impl<T> KVec<T> {
    pub fn with_capacity(capacity: usize, _: Flags) -> Result<Self> {
        Ok(Self(Vec::with_capacity(capacity)))
    }

    pub fn push(&mut self, value: T, _: Flags) -> Result {
        self.0.push(value);
        Ok(())
    }
}

impl<T> Deref for KVec<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<'a, T> IntoIterator for &'a KVec<T> {
    type Item = &'a T;
    type IntoIter = core::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut KVec<T> {
    type Item = &'a mut T;
    type IntoIter = core::slice::IterMut<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter_mut()
    }
}

/// The module that owns a child: there is one.
pub struct ThisModule;

impl ThisModule {
    pub fn as_ptr(&self) -> *mut ThisModule {
        core::ptr::null_mut()
    }
}

pub mod prelude {
    pub use crate::kernel_api::{
        code::*, Error, Flags, KBox, KVec, Result, ThisModule, GFP_KERNEL,
    };
    pub use crate::{fmt, pr_warn, try_pin_init};
    pub use core::ffi::{c_int, c_long, c_void, CStr};
    pub use macros::pin_data;
    pub use pinned_init::{pin_init, pinned_drop, PinInit};
}

pub const GFP_KERNEL: Flags = Flags;

pub mod code {
    use super::Error;
    pub const ESRCH: Error = Error(-3);
    pub const EINTR: Error = Error(-4);
    pub const EIO: Error = Error(-5);
    pub const ENOMEM: Error = Error(-12);
    pub const EBUSY: Error = Error(-16);
    pub const EPIPE: Error = Error(-32);
    pub const ETIMEDOUT: Error = Error(-110);
    pub const ESTALE: Error = Error(-116);
    pub const ERESTARTSYS: Error = Error(-512);
}

/// A box.
pub struct KBox<T: ?Sized>(Box<T>);

impl<T> KBox<T> {
    pub fn new(value: T, _: Flags) -> Result<Self> {
        Ok(Self(Box::new(value)))
    }
}

impl<T: ?Sized> Deref for KBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> core::ops::DerefMut for KBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

pub mod time {
    pub type Jiffies = core::ffi::c_ulong;
    pub type Msecs = core::ffi::c_uint;

    pub fn msecs_to_jiffies(ms: Msecs) -> Jiffies {
        Jiffies::from(ms)
    }
}

pub mod str {
    use super::{core_fmt, Result};

    pub struct CString(pub String);

    impl CString {
        pub fn try_from_fmt(args: core_fmt::Arguments<'_>) -> Result<Self> {
            Ok(Self(args.to_string()))
        }
    }
}

pub mod sync {
    use super::{code::ETIMEDOUT, time::Jiffies, Flags, Result};
    use core::{
        cell::{Cell, RefCell, RefMut},
        mem::MaybeUninit,
        ops::Deref,
    };
    use pinned_init::PinInit;

    pub use super::atomics as atomic;
    pub use crate::new_spinlock;

    /// A counted reference.
    pub struct Arc<T: ?Sized>(std::rc::Rc<T>);

    impl<T> Arc<T> {
        pub fn new(value: T, _: Flags) -> Result<Self> {
            Ok(Self(std::rc::Rc::new(value)))
        }

        /// The value is moved once after it was initialised: none of those here minds.
        pub fn pin_init<E>(init: impl PinInit<T, E>, _: Flags) -> Result<Self>
        where
            super::Error: From<E>,
        {
            let mut room = MaybeUninit::<T>::uninit();
            // SAFETY: There is room.
            unsafe { init.__pinned_init(room.as_mut_ptr()) }?;
            // SAFETY: It was just initialised.
            Ok(Self(std::rc::Rc::new(unsafe { room.assume_init() })))
        }
    }

    impl<T: ?Sized> From<std::rc::Rc<T>> for Arc<T> {
        fn from(counted: std::rc::Rc<T>) -> Self {
            Self(counted)
        }
    }

    impl<T: ?Sized> Clone for Arc<T> {
        fn clone(&self) -> Self {
            Self(self.0.clone())
        }
    }

    impl<T: ?Sized> Deref for Arc<T> {
        type Target = T;

        fn deref(&self) -> &T {
            &self.0
        }
    }

    pub struct SpinLock<T>(RefCell<T>);

    impl<T> SpinLock<T> {
        pub fn new(value: T) -> Self {
            Self(RefCell::new(value))
        }

        pub fn lock(&self) -> RefMut<'_, T> {
            self.0.borrow_mut()
        }
    }

    /// Something to wait for. Who waits has the world go on until it is there.
    #[derive(Default)]
    pub struct Completion(Cell<bool>);

    impl Completion {
        pub fn complete_all(&self) {
            self.0.set(true);
        }

        pub fn reinit(&self) {
            self.0.set(false);
        }

        pub fn is_done(&self) -> bool {
            self.0.get()
        }

        pub fn wait(&self) {
            if !self.is_done() {
                crate::world::go_on();
            }
            assert!(self.is_done(), "a wait that nothing ends");
        }

        pub fn wait_timeout(&self, limit: Jiffies) -> Result<Jiffies> {
            if !self.is_done() {
                crate::world::go_on();
            }
            self.is_done().then_some(limit).ok_or(ETIMEDOUT)
        }
    }

    /// Locks have no order where there are no threads.
    pub mod order {
        pub struct Token<'a, L>(core::marker::PhantomData<&'a mut L>);

        impl<L> Token<'_, L> {
            pub fn any() -> Self {
                Self(core::marker::PhantomData)
            }
        }

        pub mod levels {
            pub enum Child {}
        }
    }
}

/// Atomics.
pub mod atomics {
    use core::cell::Cell;

    pub struct Relaxed;
    pub struct Acquire;
    pub struct Release;
    pub struct Full;

    pub struct Atomic<T: Copy>(Cell<T>);

    // SAFETY: There are no threads.
    unsafe impl<T: Copy> Sync for Atomic<T> {}

    impl<T: Copy + PartialEq> Atomic<T> {
        pub const fn new(value: T) -> Self {
            Self(Cell::new(value))
        }

        pub fn load<O>(&self, _: O) -> T {
            self.0.get()
        }

        pub fn store<O>(&self, value: T, _: O) {
            self.0.set(value);
        }

        pub fn cmpxchg<O>(&self, old: T, new: T, _: O) -> Result<T, T> {
            let now = self.0.get();
            if now != old {
                return Err(now);
            }
            self.0.set(new);
            Ok(now)
        }
    }

    impl<T: Copy + core::ops::Add<Output = T> + core::ops::Sub<Output = T>> Atomic<T> {
        pub fn fetch_add<O>(&self, more: T, _: O) -> T {
            self.0.replace(self.0.get() + more)
        }

        pub fn fetch_sub<O>(&self, less: T, _: O) -> T {
            self.0.replace(self.0.get() - less)
        }
    }

    pub trait FetchUpdate<T> {
        fn fetch_update<O>(&self, f: impl FnMut(T) -> Option<T>, order: O) -> Result<T, T>;
    }

    impl<T: Copy> FetchUpdate<T> for Atomic<T> {
        fn fetch_update<O>(&self, mut f: impl FnMut(T) -> Option<T>, _: O) -> Result<T, T> {
            let old = self.0.get();
            self.0.set(f(old).ok_or(old)?);
            Ok(old)
        }
    }
}

/// The functions of C.
pub mod ffi {
    use super::ThisModule;
    use crate::world;

    pub unsafe fn childkernel_try_module_get(_: *mut ThisModule) -> bool {
        world::module_get()
    }

    pub unsafe fn childkernel_module_put(_: *mut ThisModule) {
        world::module_put();
    }
}

#[macro_export]
macro_rules! try_pin_init {
    ($t:ident { $($fields:tt)* }) => {
        ::pinned_init::try_pin_init!($t { $($fields)* }? $crate::Error)
    };
}

#[macro_export]
macro_rules! fmt {
    ($($args:tt)*) => { ::core::format_args!($($args)*) };
}

#[macro_export]
macro_rules! pr_warn {
    ($($args:tt)*) => { { let _ = ::core::format_args!($($args)*); } };
}

#[macro_export]
macro_rules! new_completion {
    ($name:literal) => {
        $crate::sync::Completion::default()
    };
}

#[macro_export]
macro_rules! new_spinlock {
    ($value:expr, $name:literal) => {
        $crate::sync::SpinLock::new($value)
    };
}
