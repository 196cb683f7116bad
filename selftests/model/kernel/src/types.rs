// SPDX-License-Identifier: GPL-2.0

//! What C initialises and changes.

use core::{cell::UnsafeCell, marker::PhantomPinned, mem::MaybeUninit};
use pinned_init::{pin_init_from_closure, PinInit};

/// A value of C.
#[repr(transparent)]
pub struct Opaque<T> {
    value: UnsafeCell<MaybeUninit<T>>,
    _pin: PhantomPinned,
}

impl<T> Opaque<T> {
    /// Not initialised.
    pub const fn uninit() -> Self {
        Self {
            value: UnsafeCell::new(MaybeUninit::uninit()),
            _pin: PhantomPinned,
        }
    }

    /// Initialised by C.
    pub fn ffi_init(init: impl FnOnce(*mut T)) -> impl PinInit<Self> {
        // SAFETY: What may be uninitialised is initialised in any case.
        unsafe {
            pin_init_from_closure(move |slot: *mut Self| {
                init(Self::cast_into(slot));
                Ok(())
            })
        }
    }

    /// The value.
    pub const fn get(&self) -> *mut T {
        UnsafeCell::raw_get(&raw const self.value).cast()
    }

    /// From outside to inside.
    pub const fn cast_into(this: *const Self) -> *mut T {
        UnsafeCell::raw_get(this.cast::<UnsafeCell<MaybeUninit<T>>>()).cast()
    }

    /// From inside to outside.
    pub const fn cast_from(value: *const T) -> *const Self {
        value.cast()
    }
}
