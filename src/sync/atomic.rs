// SPDX-License-Identifier: GPL-2.0

//! Atomics: one number, or one bit, without a lock.
//!
//! `Atomic<T>` with its orderings is the `kernel` crate's, re-exported. What it lacks is here:
//! [`FetchUpdate`], the compare-and-swap loop, and [`BitArray`], the C bit operations on an array
//! of words. Take an atomic where one word says it all; as soon as two have to agree, take a lock.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/linux/atomic.h`](srctree/include/linux/atomic.h), [`include/linux/bitops.h`](srctree/include/linux/bitops.h) |
//! | context | all of it in process, softirq and hardirq; the non-atomic bit operations too, as `&mut` keeps others out |
//! | safe against | preempt-safe, SMP-safe and interrupt-safe: each operation alone, not two in a row; the non-atomic ones against none of these |
//! | sleeps | no |
//! | `PREEMPT_RT` | the same |
//! | fairness | none: `fetch_update` tries again whenever another was faster, and one of them always is done |
//! | cost | one locked instruction, and the cache line if another CPU has it; loads and stores are plain moves |
//! | order | in the operation's last argument; of bits: none if nothing is returned, full if the old bit is, acquire and release for the lock forms |
//! | errors | none: a [`Bit`] is checked when it is made; `fetch_update` gives back the value that its closure refused |
//!
//! Reference: [`Documentation/atomic_t.txt`](srctree/Documentation/atomic_t.txt),
//! [`Documentation/atomic_bitops.txt`](srctree/Documentation/atomic_bitops.txt)

use kernel::{bindings, prelude::*};

pub use kernel::sync::atomic::*;

/// Updates an [`Atomic`] by a function of its value.
///
/// Implemented for all integers, `bool` and raw pointers that [`Atomic`] takes.
///
/// # Examples
///
/// ```ignore
/// let seats = Atomic::new(2u32);
/// assert_eq!(seats.fetch_update(|n| n.checked_sub(1), Relaxed), Ok(2));
/// seats.store(0, Relaxed);
/// assert_eq!(seats.fetch_update(|n| n.checked_sub(1), Relaxed), Err(0));
/// ```
pub trait FetchUpdate<T> {
    /// Replaces the value by what `f` makes of it, and returns the value before.
    ///
    /// `f` is called again with the new value each time somebody else was faster, so it should do
    /// no more than compute.
    ///
    /// A successful update has `order`; one that is refused orders nothing, nor do the loads.
    ///
    /// # Errors
    ///
    /// The value that is there, if `f` returns `None`: nothing is changed then.
    fn fetch_update<O: ordering::Ordering>(
        &self,
        f: impl FnMut(T) -> Option<T>,
        order: O,
    ) -> Result<T, T>;
}

macro_rules! fetch_update {
    ($([$($generics:tt)*] $type:ty),* $(,)?) => {
        $(
            impl<$($generics)*> FetchUpdate<$type> for Atomic<$type> {
                #[inline]
                fn fetch_update<O: ordering::Ordering>(
                    &self,
                    mut f: impl FnMut($type) -> Option<$type>,
                    _: O,
                ) -> Result<$type, $type> {
                    let mut old = self.load(Relaxed);
                    loop {
                        let Some(new) = f(old) else {
                            return Err(old);
                        };
                        let swapped = match O::TYPE {
                            ordering::OrderingType::Relaxed => self.cmpxchg(old, new, Relaxed),
                            ordering::OrderingType::Acquire => self.cmpxchg(old, new, Acquire),
                            ordering::OrderingType::Release => self.cmpxchg(old, new, Release),
                            ordering::OrderingType::Full => self.cmpxchg(old, new, Full),
                        };
                        match swapped {
                            Ok(old) => return Ok(old),
                            Err(now) => old = now,
                        }
                    }
                }
            }
        )*
    };
}

fetch_update! {
    [] i8, [] i16, [] i32, [] i64, [] isize, [] u32, [] u64, [] usize, [] bool,
    [T] *mut T, [T] *const T,
}

/// The bits of a word.
const WORD: usize = usize::BITS as usize;

/// Names a bit of a [`BitArray`] of `WORDS` words.
///
/// It is checked when it is made, so that operations on it have nothing to check.
///
/// # Invariants
///
/// Such an array has a bit of this number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bit<const WORDS: usize>(usize);

impl<const WORDS: usize> Bit<WORDS> {
    /// Names bit `N`. Does not compile if there is none.
    #[inline]
    pub const fn at<const N: usize>() -> Self {
        const_assert!(N / WORD < WORDS);
        // INVARIANT: Just checked.
        Self(N)
    }

    /// Names bit `n`, if there is one.
    #[inline]
    pub const fn new(n: usize) -> Option<Self> {
        if n / WORD < WORDS {
            // INVARIANT: Just checked.
            Some(Self(n))
        } else {
            None
        }
    }

    /// Its number.
    #[inline]
    pub const fn number(self) -> usize {
        self.0
    }
}

/// An array of `WORDS` words as the C bit operations know it: bit `n` is bit `n % BITS_PER_LONG`
/// of word `n / BITS_PER_LONG`.
///
/// Methods on `&self` are atomic; those that end in `_mut` are C's with `__` in front. For a number
/// of bits that is known only at run time there is [`kernel::bitmap::Bitmap`].
///
/// # Examples
///
/// ```ignore
/// static FLAGS: BitArray<1> = BitArray::new();
/// const READY: Bit<1> = Bit::at::<3>();
///
/// FLAGS.set(READY);
/// assert!(FLAGS.test_and_clear(READY));
/// assert!(!FLAGS.test(Bit::new(number).ok_or(EINVAL)?));
/// ```
#[repr(transparent)]
pub struct BitArray<const WORDS: usize>([Atomic<usize>; WORDS]);

impl<const WORDS: usize> Default for BitArray<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const WORDS: usize> BitArray<WORDS> {
    /// Creates an array of zeros.
    pub const fn new() -> Self {
        Self([const { Atomic::new(0) }; WORDS])
    }

    /// The words, for the functions of C: `unsigned long *`.
    #[inline]
    fn words(&self) -> *mut c_ulong {
        // CAST: An `Atomic<usize>` has the layout of a `usize`, which is C's `unsigned long`, and
        // may be written through a shared reference.
        self.0.as_ptr().cast::<c_ulong>().cast_mut()
    }
}

/// Methods that call the C function of that name. All they differ in is what they promise.
macro_rules! bit_operations {
    ($(
        $(#[$doc:meta])*
        $name:ident(&$($mutable:ident)?) $(-> $ret:ty)? = $function:path;
    )*) => {
        impl<const WORDS: usize> BitArray<WORDS> {
            $(
                $(#[$doc])*
                #[inline]
                pub fn $name(&$($mutable)? self, bit: Bit<WORDS>) $(-> $ret)? {
                    // SAFETY: By the invariant of `Bit` it is inside the words, which are valid
                    // and, if the operation is not atomic, borrowed exclusively.
                    unsafe { $function(bit.0, self.words()) }
                }
            )*
        }
    };
}

bit_operations! {
    /// Sets a bit. Orders nothing.
    set(&) = crate::ffi::childkernel_set_bit;
    /// Clears a bit. Orders nothing.
    clear(&) = crate::ffi::childkernel_clear_bit;
    /// Inverts a bit. Orders nothing.
    change(&) = crate::ffi::childkernel_change_bit;
    /// Sets a bit and returns what it was. Fully ordered.
    test_and_set(&) -> bool = crate::ffi::childkernel_test_and_set_bit;
    /// Clears a bit and returns what it was. Fully ordered.
    test_and_clear(&) -> bool = crate::ffi::childkernel_test_and_clear_bit;
    /// Inverts a bit and returns what it was. Fully ordered.
    test_and_change(&) -> bool = crate::ffi::childkernel_test_and_change_bit;
    /// Returns a bit. Orders nothing.
    test(&) -> bool = crate::ffi::childkernel_test_bit;
    /// Returns a bit; what is done afterwards sees all that was done before it was set with
    /// release or full order. Acquire.
    test_acquire(&) -> bool = crate::ffi::childkernel_test_bit_acquire;
    /// Sets a bit and returns what it was: `false` says that the lock is yours. Acquire if so,
    /// else it orders nothing.
    #[must_use = "a bit that was set is no lock that was taken"]
    test_and_set_lock(&) -> bool = crate::ffi::childkernel_test_and_set_bit_lock;
    /// Clears a bit that [`test_and_set_lock`](Self::test_and_set_lock) has set. Release.
    clear_unlock(&) = crate::ffi::childkernel_clear_bit_unlock;

    /// Sets a bit, not atomically.
    set_mut(&mut) = bindings::__set_bit;
    /// Clears a bit, not atomically.
    clear_mut(&mut) = bindings::__clear_bit;
    /// Inverts a bit, not atomically.
    change_mut(&mut) = crate::ffi::childkernel___change_bit;
    /// Sets a bit, not atomically, and returns what it was.
    test_and_set_mut(&mut) -> bool = crate::ffi::childkernel___test_and_set_bit;
    /// Clears a bit, not atomically, and returns what it was.
    test_and_clear_mut(&mut) -> bool = crate::ffi::childkernel___test_and_clear_bit;
    /// Inverts a bit, not atomically, and returns what it was.
    test_and_change_mut(&mut) -> bool = crate::ffi::childkernel___test_and_change_bit;
}
