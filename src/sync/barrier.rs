// SPDX-License-Identifier: GPL-2.0

//! Memory barriers: what other CPUs see, and in which order.
//!
//! The compiler and the processor may let memory accesses pass each other as long as the thread
//! that makes them sees no difference. Another CPU does. Every lock here orders what has to be
//! ordered, and a release store that is read by an acquire load is the cheapest way to hand
//! something over; a barrier of its own is for the cases that neither covers, and it always has a
//! partner on the other side.
//!
//! Barriers order accesses by [`Atomic`](super::atomic::Atomic). Plain accesses to what another
//! CPU writes meanwhile are a data race, whatever barriers are around them.
//!
//! # At a glance
//!
//! | | |
//! |---|---|
//! | C header | [`include/asm-generic/barrier.h`](srctree/include/asm-generic/barrier.h) |
//! | context | process, softirq and hardirq |
//! | safe against | they exclude nobody: neither preempt-safe nor SMP-safe nor interrupt-safe by themselves |
//! | sleeps | no |
//! | `PREEMPT_RT` | the same |
//! | fairness | nobody waits |
//! | cost | x86: `smp_mb(Full)` a locked instruction, the other `smp_` ones nothing at run time; arm64: a `dmb` each |
//! | order | see the table below; the exact rules are in [`tools/memory-model`](srctree/tools/memory-model/) |
//! | errors | none |
//!
//! # C names
//!
//! | C | here | orders |
//! |---|---|---|
//! | `barrier()` | [`barrier()`] | the compiler, not the processor |
//! | `mb()`, `rmb()`, `wmb()` | [`mb`]`(`[`Full`]`)`, `mb(`[`Read`]`)`, `mb(`[`Write`]`)` | all, loads, stores; devices included |
//! | `smp_mb()`, `smp_rmb()`, `smp_wmb()` | [`smp_mb`]`(Full)`, `smp_mb(Read)`, `smp_mb(Write)` | the same between CPUs; on a kernel for one CPU only the compiler |
//! | `dma_mb()`, `dma_rmb()`, `dma_wmb()` | [`dma_mb`]`(Full)`, `dma_mb(Read)`, `dma_mb(Write)` | the same for memory shared with a device |
//! | `READ_ONCE(x)`, `WRITE_ONCE(x, v)` | `x.load(Relaxed)`, `x.store(v, Relaxed)` | nothing but dependencies |
//! | `smp_load_acquire(&x)` | `x.load(`[`Acquire`](super::atomic::Acquire)`)` | this load before all that follows |
//! | `smp_store_release(&x, v)` | `x.store(v, `[`Release`](super::atomic::Release)`)` | all that precedes before this store |
//! | `smp_mb__before_atomic()` | [`smp_mb_before_atomic`] | all that precedes before the atomic operation that follows |
//! | `smp_mb__after_atomic()` | [`smp_mb_after_atomic`] | the atomic operation that precedes before all that follows |
//! | `read_barrier_depends()` | nothing | not needed: since 4.15 `READ_ONCE()`, so each `load`, orders what is reached through the loaded address (on Alpha by a barrier inside), and `smp_read_barrier_depends()` is gone since 5.9; [`Rcu`](super::rcu) relies on it |
//!
//! # Message passing
//!
//! Data first, then the flag that says it is there. The reader looks the other way round. Without
//! either barrier it may see the flag and yet old data.
//!
//! ```text
//! C MP+fencewmbonceonce+fencermbonceonce
//!
//! (*
//!  * Result: Never
//!  *)
//!
//! {}
//!
//! P0(int *data, int *flag)
//! {
//!     WRITE_ONCE(*data, 1);
//!     smp_wmb();
//!     WRITE_ONCE(*flag, 1);
//! }
//!
//! P1(int *data, int *flag)
//! {
//!     int r0;
//!     int r1;
//!
//!     r0 = READ_ONCE(*flag);
//!     smp_rmb();
//!     r1 = READ_ONCE(*data);
//! }
//!
//! exists (1:r0=1 /\ 1:r1=0)
//! ```
//!
//! ```ignore
//! data.store(1, Relaxed);              if flag.load(Relaxed) == 1 {
//! smp_mb(Write);                           smp_mb(Read);
//! flag.store(1, Relaxed);                  assert_eq!(data.load(Relaxed), 1);
//!                                      }
//! ```
//!
//! `flag.store(1, Release)` and `flag.load(Acquire)` do the same without a barrier, and are the
//! first choice.
//!
//! # Store buffering
//!
//! Each says something and then looks whether the other has: sleeping and waking, for example. A
//! store waits in the processor's buffer while later loads go ahead, on x86 too, so that both may
//! miss each other. Only a full barrier prevents that: release and acquire do not.
//!
//! ```text
//! C SB+fencembonceonces
//!
//! (*
//!  * Result: Never
//!  *)
//!
//! {}
//!
//! P0(int *x, int *y)
//! {
//!     int r0;
//!
//!     WRITE_ONCE(*x, 1);
//!     smp_mb();
//!     r0 = READ_ONCE(*y);
//! }
//!
//! P1(int *x, int *y)
//! {
//!     int r0;
//!
//!     WRITE_ONCE(*y, 1);
//!     smp_mb();
//!     r0 = READ_ONCE(*x);
//! }
//!
//! exists (0:r0=0 /\ 1:r0=0)
//! ```
//!
//! ```ignore
//! x.store(1, Relaxed);                 y.store(1, Relaxed);
//! smp_mb(Full);                        smp_mb(Full);
//! let other = y.load(Relaxed);         let other = x.load(Relaxed);
//! ```

pub use kernel::sync::barrier::*;

/// Keeps the compiler from moving memory accesses across it, or from keeping values in registers.
///
/// The processor is free to. Enough against an interrupt on the same CPU.
#[inline(always)]
pub fn barrier() {
    // SAFETY: There are no instructions. The compiler has to assume that memory was accessed.
    unsafe { core::arch::asm!("", options(nostack, preserves_flags)) };
}

/// A full barrier before an atomic operation that orders nothing by itself: one that returns
/// nothing, such as [`BitArray::set`](super::atomic::BitArray::set), or a relaxed one.
///
/// Free where atomic operations are barriers anyway, as on x86.
///
/// # Examples
///
/// ```ignore
/// data.store(1, Relaxed);
/// smp_mb_before_atomic();
/// flags.set(READY); // Who sees it after a read barrier sees the data.
/// ```
#[inline]
#[doc(alias = "smp_mb__before_atomic")]
pub fn smp_mb_before_atomic() {
    // SAFETY: A barrier may be anywhere.
    unsafe { crate::ffi::childkernel_smp_mb__before_atomic() };
}

/// A full barrier after an atomic operation that orders nothing by itself.
///
/// See [`smp_mb_before_atomic`].
#[inline]
#[doc(alias = "smp_mb__after_atomic")]
pub fn smp_mb_after_atomic() {
    // SAFETY: A barrier may be anywhere.
    unsafe { crate::ffi::childkernel_smp_mb__after_atomic() };
}
