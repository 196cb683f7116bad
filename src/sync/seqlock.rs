// SPDX-License-Identifier: GPL-2.0

//! Sequence locks: readers that never make a writer wait.
//!
//! A reader copies the data and looks at a counter before and after; if a writer was there in
//! between, it throws the copy away and tries again. Good for small, plain data that is read often:
//! times, positions, statistics. Readers can be kept retrying by a storm of writers; writers are
//! never kept waiting by readers.
//!
//! C header: [`include/linux/seqlock.h`](srctree/include/linux/seqlock.h)
//!
//! Reference: <https://docs.kernel.org/locking/seqlock.html>
//!
//! # Why the payload is `FromBytes + IntoBytes`
//!
//! A reader may copy while a writer stores, so the copy may be a mix of two values until the
//! counter has been checked. In Rust even a copy that is thrown away must not be a data race, nor
//! an invalid value. So both sides move the data word by word with relaxed atomics, and the type
//! has to have neither padding, nor pointers, nor invalid values, nor a destructor.

use core::{
    cell::UnsafeCell,
    mem::{size_of, MaybeUninit},
};
use kernel::{
    bindings,
    prelude::*,
    sync::{
        atomic::{Atomic, Relaxed},
        LockClassKey,
    },
    types::{NotThreadSafe, Opaque},
};

/// Creates a [`SeqLock`] initialiser with the given name and lock classes of its own.
#[macro_export]
macro_rules! new_seqlock {
    ($inner:expr, $name:literal) => {
        $crate::sync::SeqLock::new(
            $inner,
            ::kernel::c_str!($name),
            ::kernel::static_lock_class!(),
            ::kernel::static_lock_class!(),
        )
    };
}
pub use crate::new_seqlock;

/// What a [`SeqLock`] can hold: plain old data.
///
/// Implemented for all types that qualify.
pub trait Payload: Copy + Send + FromBytes + IntoBytes + 'static {}
impl<T: Copy + Send + FromBytes + IntoBytes + 'static> Payload for T {}

/// Aligned to a word, so that it can be moved word by word whatever `T` is.
#[repr(C, align(8))]
struct Aligned<T>(T);

/// Data behind a native `seqlock_t`.
///
/// Context: readers in process context; in softirq or hardirq only if they can not interrupt a
/// writer on their own CPU, which they would wait for forever. Writers in process context; they
/// hold the spinlock inside, so they must not sleep. On `PREEMPT_RT` that spinlock sleeps.
///
/// Order: a read that returns sees all that the writer of that value did before it stored it.
/// Fairness: writers queue as in a spinlock; readers retry while writers write.
///
/// # Examples
///
/// ```ignore
/// let pos = KBox::pin_init(new_seqlock!([0u64; 2], "position"), GFP_KERNEL)?;
/// pos.write().store([3, 4]);
/// assert_eq!(pos.read(), [3, 4]);
/// ```
#[pin_data]
pub struct SeqLock<T: Payload> {
    #[pin]
    lock: Opaque<bindings::seqlock_t>,
    data: UnsafeCell<Aligned<T>>,
}

// SAFETY: The data is plain and `Send`; a `seqlock_t` may be used from any thread.
unsafe impl<T: Payload> Send for SeqLock<T> {}
// SAFETY: Shared access gives out copies only. All access to the shared data goes through atomics,
// stores are serialised by the lock inside.
unsafe impl<T: Payload> Sync for SeqLock<T> {}

impl<T: Payload> SeqLock<T> {
    const WORDS: usize = size_of::<T>() / size_of::<usize>();

    /// Creates an initialiser. Use [`new_seqlock!`], which makes the lock classes.
    pub fn new(
        value: T,
        name: &'static CStr,
        lock_key: Pin<&'static LockClassKey>,
        seq_key: Pin<&'static LockClassKey>,
    ) -> impl PinInit<Self> {
        const_assert!(align_of::<T>() <= align_of::<u64>());
        pin_init!(Self {
            // SAFETY: `slot` is valid for writes; name and keys are static.
            lock <- Opaque::ffi_init(|slot| unsafe {
                crate::ffi::childkernel_seqlock_init(
                    slot,
                    name.as_char_ptr(),
                    lock_key.as_ptr(),
                    seq_key.as_ptr(),
                )
            }),
            data: UnsafeCell::new(Aligned(value)),
        })
    }

    /// Returns a consistent copy, trying as long as it takes.
    #[inline]
    pub fn read(&self) -> T {
        loop {
            // SAFETY: The lock is initialised, as in all methods below.
            let seq = unsafe { crate::ffi::childkernel_read_seqbegin(self.lock.get()) };
            let copy = self.copy_out();
            // SAFETY: See above; `seq` is from the matching begin.
            if !unsafe { crate::ffi::childkernel_read_seqretry(self.lock.get(), seq) } {
                return copy;
            }
        }
    }

    /// Returns a consistent copy, or `None` if `tries` copies had to be thrown away.
    ///
    /// It ends even if a writer died inside its critical section, where [`read`](Self::read) would
    /// wait forever. (Not on `PREEMPT_RT`, where a try that meets a writer waits for its lock.)
    #[inline]
    pub fn try_read(&self, tries: u32) -> Option<T> {
        for _ in 0..tries {
            let mut seq = 0;
            // SAFETY: The lock is initialised; `seq` is valid for writes.
            if unsafe { crate::ffi::childkernel_read_tryseqbegin(self.lock.get(), &mut seq) } {
                let copy = self.copy_out();
                // SAFETY: As above; `seq` is from the matching begin.
                if !unsafe { crate::ffi::childkernel_read_seqretry(self.lock.get(), seq) } {
                    return Some(copy);
                }
            }
            core::hint::spin_loop();
        }
        None
    }

    /// Copies without looking at the counter, so possibly torn: what a broken reader would do.
    #[cfg(CONFIG_CHILDKERNEL_TWINS)]
    pub(crate) fn read_torn(&self, pause: impl Fn()) -> T {
        self.copy_out_with(pause)
    }

    /// Waits for other writers and begins to write.
    #[inline]
    pub fn write(&self) -> WriteGuard<'_, T> {
        // SAFETY: The lock is initialised.
        unsafe { crate::ffi::childkernel_write_seqlock(self.lock.get()) };
        // INVARIANT: The write side was just taken.
        WriteGuard {
            lock: self,
            _not_send: NotThreadSafe,
        }
    }

    /// Begins to write if no other writer is there.
    #[inline]
    #[must_use = "if unused, the lock is released at once"]
    pub fn try_write(&self) -> Option<WriteGuard<'_, T>> {
        // SAFETY: The lock is initialised.
        if unsafe { crate::ffi::childkernel_write_tryseqlock(self.lock.get()) } {
            // INVARIANT: The write side was just taken.
            Some(WriteGuard {
                lock: self,
                _not_send: NotThreadSafe,
            })
        } else {
            None
        }
    }

    #[inline(always)]
    fn copy_out(&self) -> T {
        self.copy_out_with(|| ())
    }

    /// Copies the data word by word, calling `pause` after each.
    #[inline(always)]
    fn copy_out_with(&self, pause: impl Fn()) -> T {
        let mut copy = MaybeUninit::<Aligned<T>>::uninit();
        let src = self.data.get().cast::<usize>();
        let dst = copy.as_mut_ptr().cast::<usize>();

        for i in 0..Self::WORDS {
            // SAFETY: Word `i` is inside both values, which are aligned to words. Concurrent
            // stores to the source are atomic; the destination is ours.
            unsafe { dst.add(i).write(Atomic::from_ptr(src.add(i)).load(Relaxed)) };
            pause();
        }
        for i in Self::WORDS * size_of::<usize>()..size_of::<T>() {
            // SAFETY: As above, for the bytes of the last, incomplete word.
            unsafe {
                let byte = Atomic::from_ptr(src.cast::<i8>().add(i)).load(Relaxed);
                dst.cast::<i8>().add(i).write(byte);
            }
        }
        // SAFETY: All bytes of the `T` inside, which comes first, were written above, and
        // `FromBytes` makes any bytes a valid `T`, torn or not.
        unsafe { copy.as_ptr().cast::<T>().read() }
    }

    /// Stores the data word by word.
    ///
    /// # Safety
    ///
    /// The caller must hold the write side.
    #[inline(always)]
    unsafe fn copy_in(&self, value: T) {
        let value = Aligned(value);
        let src = core::ptr::from_ref(&value).cast::<usize>();
        let dst = self.data.get().cast::<usize>();

        for i in 0..Self::WORDS {
            // SAFETY: Word `i` is inside both values, which are aligned to words, and `IntoBytes`
            // rules out padding. The write side is held, so all concurrent accesses are the
            // atomic loads of readers.
            unsafe { Atomic::from_ptr(dst.add(i)).store(src.add(i).read(), Relaxed) };
        }
        for i in Self::WORDS * size_of::<usize>()..size_of::<T>() {
            // SAFETY: As above, for the bytes of the last, incomplete word.
            unsafe {
                Atomic::from_ptr(dst.cast::<i8>().add(i))
                    .store(src.cast::<i8>().add(i).read(), Relaxed)
            };
        }
    }
}

/// The write side of a [`SeqLock`].
///
/// There is no `DerefMut`: readers look at the data all the time, so it is stored to, not lent.
///
/// # Invariants
///
/// The write side is held as long as the guard lives.
#[must_use = "the write side is released at once when the guard is unused"]
pub struct WriteGuard<'a, T: Payload> {
    lock: &'a SeqLock<T>,
    _not_send: NotThreadSafe,
}

impl<T: Payload> WriteGuard<'_, T> {
    /// Returns the present value.
    #[inline]
    pub fn load(&self) -> T {
        self.lock.copy_out()
    }

    /// Stores a new value.
    #[inline]
    pub fn store(&mut self, value: T) {
        // SAFETY: By the type invariant the write side is held.
        unsafe { self.lock.copy_in(value) };
    }
}

impl<T: Payload> Drop for WriteGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: By the type invariant the write side is held.
        unsafe { crate::ffi::childkernel_write_sequnlock(self.lock.lock.get()) };
    }
}
