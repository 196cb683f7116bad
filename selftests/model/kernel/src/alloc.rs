// SPDX-License-Identifier: GPL-2.0

//! Memory. What a box had is not used again before the execution is over: what is looked at after
//! its end is then found by the model, and is no undefined behaviour of it.

use crate::{
    error::{code::EINVAL, Result},
    prelude::PinInit,
    run,
};
use core::{
    alloc::Layout,
    mem::MaybeUninit,
    ops::{Deref, DerefMut},
    pin::Pin,
    ptr::NonNull,
};

/// How memory is asked for.
#[derive(Clone, Copy)]
pub struct Flags;

/// Those that are used.
pub mod flags {
    /// It may sleep.
    pub const GFP_KERNEL: super::Flags = super::Flags;
}

/// A box.
pub struct KBox<T>(NonNull<T>);

impl<T> KBox<T> {
    /// Initialises a value where it stays.
    pub fn pin_init<E>(init: impl PinInit<T, E>, _: Flags) -> Result<Pin<Self>, E> {
        let room = Box::into_raw(Box::<T>::new_uninit());
        // SAFETY: There is room, which does not move; on an error it is left uninitialised.
        match unsafe { init.__pinned_init(room.cast()) } {
            // SAFETY: It was just initialised, and is pinned from here on.
            Ok(()) => Ok(unsafe { Pin::new_unchecked(Self::from_raw(room.cast())) }),
            Err(error) => {
                // SAFETY: It is the box from above.
                drop(unsafe { Box::from_raw(room) });
                Err(error)
            }
        }
    }

    /// Takes over what [`leak`](Self::leak) has given.
    ///
    /// # Safety
    ///
    /// It comes from there, and nobody else has it.
    pub unsafe fn from_raw(raw: *mut T) -> Self {
        // SAFETY: What is in a box is somewhere.
        Self(unsafe { NonNull::new_unchecked(raw) })
    }

    /// Gives the value away.
    pub fn leak<'a>(this: Self) -> &'a mut T {
        let mut raw = this.0;
        core::mem::forget(this);
        // SAFETY: It is ours, and stays.
        unsafe { raw.as_mut() }
    }
}

impl<T> Deref for KBox<T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: It is ours.
        unsafe { self.0.as_ref() }
    }
}

impl<T> DerefMut for KBox<T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: It is ours alone.
        unsafe { self.0.as_mut() }
    }
}

impl<T> Drop for KBox<T> {
    fn drop(&mut self) {
        // SAFETY: It is ours, and initialised; its memory is kept.
        unsafe { self.0.drop_in_place() };
        let (raw, layout) = (self.0.as_ptr().cast::<u8>(), Layout::new::<T>());
        if layout.size() != 0 {
            // SAFETY: The memory is that of a box, whose value was dropped.
            run::at_end(move || unsafe { std::alloc::dealloc(raw, layout) });
        }
    }
}

/// A vector.
pub struct KVec<T>(Vec<T>);

/// A vector that may be larger.
pub type KVVec<T> = KVec<T>;

impl<T> KVec<T> {
    /// With room for so many.
    pub fn with_capacity(capacity: usize, _: Flags) -> Result<Self> {
        Ok(Self(Vec::with_capacity(capacity)))
    }

    /// Puts one at the end.
    pub fn push(&mut self, value: T, _: Flags) -> Result {
        self.0.push(value);
        Ok(())
    }

    /// Takes one out.
    pub fn remove(&mut self, index: usize) -> Result<T> {
        match index < self.0.len() {
            true => Ok(self.0.remove(index)),
            false => Err(EINVAL),
        }
    }

    /// How many have room.
    pub fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Room that is not used.
    pub fn spare_capacity_mut(&mut self) -> &mut [MaybeUninit<T>] {
        self.0.spare_capacity_mut()
    }

    /// Says that so many more were written.
    ///
    /// # Safety
    ///
    /// They were.
    pub unsafe fn inc_len(&mut self, more: usize) {
        // SAFETY: By the safety requirements.
        unsafe { self.0.set_len(self.0.len() + more) };
    }

    /// Where they are.
    pub fn as_mut_ptr(&mut self) -> *mut T {
        self.0.as_mut_ptr()
    }

    /// Puts one together again.
    ///
    /// # Safety
    ///
    /// It is what one was made of, with as many values.
    pub unsafe fn from_raw_parts(ptr: *mut T, length: usize, capacity: usize) -> Self {
        // SAFETY: By the safety requirements.
        Self(unsafe { Vec::from_raw_parts(ptr, length, capacity) })
    }
}

impl<T> Deref for KVec<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}
