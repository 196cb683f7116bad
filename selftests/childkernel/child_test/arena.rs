// SPDX-License-Identifier: GPL-2.0

//! Arenas: what a child may take, what is freed with it, and what the numbers say meanwhile.

use super::{
    eventually, is_done, skip, spawn,
    timers::{HardUnlessRt, Interrupt},
    MODULE,
};
use childkernel::{
    child::{
        arena::{cost_of, Meter},
        Arena, Builder, State,
    },
    sync::atomic::{Acquire, Atomic, Relaxed, Release},
};
use core::{
    cell::Cell,
    mem::{align_of, forget, size_of_val},
};
use kernel::{prelude::*, sync::Arc, time::Delta};

cases!(child_arena:
    arena_quota_exact,
    arena_quota_of_each_size,
    arena_over_quota,
    arena_gives_back,
    arena_frees_forgotten,
    arena_numbers,
    arena_concurrent,
    arena_quota_contended,
    arena_from_interrupt,
    arena_alignment,
    arena_without_size,
    arena_huge,
    arena_of_child,
);

fn arena(quota: usize) -> Result<Arc<Arena>> {
    Arc::pin_init(Arena::new(quota), GFP_KERNEL)
}

/// How many boxes of a `u64` there may be at once.
fn boxes(quota: usize) -> Result<usize> {
    let arena = arena(quota)?;
    let mut taken = KVec::new();
    while let Ok(one) = arena.alloc(7u64, GFP_KERNEL) {
        taken.push(one, GFP_KERNEL)?;
    }
    Ok(taken.len())
}

fn arena_quota_exact() -> Result {
    let cost = cost_of::<u64>(1)?;
    ensure!(cost > 8);
    ensure!(boxes(cost - 1)? == 0);
    ensure!(boxes(cost)? == 1);
    ensure!(boxes(100 * cost - 1)? == 99);
    ensure!(boxes(100 * cost)? == 100);
    ensure!(boxes(101 * cost - 1)? == 100);
    Ok(())
}

/// A quota of what it costs is enough, one byte less is not.
fn arena_quota_of_each_size() -> Result {
    let mut last = 0;
    // Both are iterators and initialisers.
    for len in Iterator::chain(1..600, [1000, 4096, 8192, 8193, 20_000, 65_536]) {
        let cost = cost_of::<u8>(len)?;
        ensure!(cost > len && cost >= last);
        last = cost;
        let enough = arena(cost)?;
        let taken = enough.slice(len, 1u8, GFP_KERNEL);
        let meter = enough.meter();
        ensure!(taken.is_ok_and(|t| t.len() == len && meter.current() == cost));
        ensure!(arena(cost - 1)?.slice(len, 1u8, GFP_KERNEL).err() == Some(ENOMEM));
    }
    Ok(())
}

/// All is as it was before, for this arena and for others.
fn arena_over_quota() -> Result {
    let cost = cost_of::<u8>(1000)?;
    let (full, other) = (arena(2 * cost)?, arena(cost)?);
    let first = full.slice(1000, 1u8, GFP_KERNEL)?;
    let meter = full.meter();
    let before = (meter.current(), meter.peak(), meter.fragmentation());
    let mut called = false;
    let failed = full.slice_with(1001 + cost, |_| called = true, GFP_KERNEL);
    // No size, so no block.
    ensure!(failed.is_ok() && called);
    called = false;
    let over = full.slice_with(
        1001 + cost,
        |_| {
            called = true;
            0u8
        },
        GFP_KERNEL,
    );
    ensure!(over.err() == Some(ENOMEM) && !called);
    ensure!(before == (meter.current(), meter.peak(), meter.fragmentation()));
    ensure!(meter.failures() == 1 && other.meter().failures() == 0);
    ensure!(other.slice(1000, 2u8, GFP_KERNEL).is_ok());
    let second = full.slice(1000, 3u8, GFP_KERNEL)?;
    ensure!(full.alloc(4u8, GFP_KERNEL).err() == Some(ENOMEM));
    ensure!(meter.current() == meter.quota() && meter.failures() == 2);
    ensure!(first.iter().all(|&b| b == 1) && second.iter().all(|&b| b == 3));
    Ok(())
}

/// In any order, and what stays is not touched.
fn arena_gives_back() -> Result {
    let cost = cost_of::<u64>(1)?;
    let one = arena(cost)?;
    for n in 0..1000u64 {
        ensure!(*one.alloc(n, GFP_KERNEL)? == n);
        ensure!(one.meter().current() == 0);
    }
    ensure!(one.meter().failures() == 0 && one.meter().peak() == cost);

    let many = arena(64 * cost)?;
    let mut taken = KVec::with_capacity(64, GFP_KERNEL)?;
    for n in 0..64u64 {
        taken.push(Some(many.alloc(n, GFP_KERNEL)?), GFP_KERNEL)?;
    }
    for (n, slot) in taken.iter_mut().enumerate().filter(|(n, _)| n % 3 == 1) {
        ensure!(slot.take().is_some_and(|b| *b == n as u64));
    }
    ensure!(many.meter().current() == 43 * cost);
    for slot in taken.iter_mut().filter(|s| s.is_none()) {
        *slot = Some(many.alloc(99, GFP_KERNEL)?);
    }
    ensure!(many.meter().current() == 64 * cost && many.meter().failures() == 0);
    for (n, slot) in taken.iter().enumerate() {
        let wanted = if n % 3 == 1 { 99 } else { n as u64 };
        ensure!(slot.as_deref() == Some(&wanted));
    }
    taken.truncate(0);
    ensure!(many.meter().current() == 0 && many.meter().fragmentation() == 0);
    Ok(())
}

/// The script looks at the memory of the machine afterwards: this takes 50 MiB.
fn arena_frees_forgotten() -> Result {
    let meter = Arc::new(Meter::new(1 << 20), GFP_KERNEL)?;
    for round in 0..200u64 {
        let arena = KBox::pin_init(Arena::metered(meter.clone()), GFP_KERNEL)?;
        let small = arena.alloc(round, GFP_KERNEL)?.leak();
        let mut given_back = arena.alloc(0u64, GFP_KERNEL)?;
        for n in 0..8u64 {
            let mut table = arena.slice(4000, n, GFP_KERNEL)?;
            ensure!(table.iter().all(|&v| v == n));
            table.fill(u64::MAX);
            forget(table);
        }
        *given_back += *small;
        ensure!(*given_back == round && meter.current() > 8 * 32_000);
        drop(given_back);
        drop(arena);
        ensure!(meter.current() == 0 && meter.fragmentation() == 0);
    }
    ensure!(meter.failures() == 0);
    Ok(())
}

fn arena_numbers() -> Result {
    let (small, large) = (cost_of::<u8>(10)?, cost_of::<u32>(500)?);
    let arena = arena(small + 2 * large)?;
    let meter = arena.meter();
    let numbers = || {
        (
            meter.current(),
            meter.peak(),
            meter.fragmentation(),
            meter.failures(),
        )
    };
    ensure!(meter.quota() == small + 2 * large && numbers() == (0, 0, 0, 0));
    let a = arena.slice(10, 0u8, GFP_KERNEL)?;
    ensure!(numbers() == (small, small, small - 10, 0));
    let b = arena.slice(500, 0u32, GFP_KERNEL)?;
    let sum = small + large;
    ensure!(numbers() == (sum, sum, sum - 2010, 0));
    drop(a);
    ensure!(numbers() == (large, sum, large - 2000, 0));
    let c = arena.alloc([1u32; 500], GFP_KERNEL)?;
    ensure!(numbers() == (2 * large, 2 * large, 2 * large - 4000, 0));
    ensure!(arena.slice(500, 0u32, GFP_KERNEL).is_err());
    ensure!(arena.slice(usize::MAX, 0u32, GFP_KERNEL).is_err());
    ensure!(numbers() == (2 * large, 2 * large, 2 * large - 4000, 2));
    drop((b, c));
    ensure!(numbers() == (0, 2 * large, 0, 2));
    Ok(())
}

/// Four children take and give back; what they keep is theirs, and adds up.
fn arena_concurrent() -> Result {
    const KEPT: u64 = 100;
    let cost = cost_of::<u64>(1)?;
    let arena = arena(1 << 20)?;
    let mut children = KVec::new();
    for id in 0..4u64 {
        let arena = arena.clone();
        let child = spawn(c"taker", move |_| {
            for n in 0..KEPT {
                let mine = arena.alloc(id << 32 | n, GFP_KERNEL)?.leak();
                let mut passing = KVec::new();
                for m in 0..8u64 {
                    passing.push(arena.slice(m as usize, m, GFP_KERNEL)?, GFP_KERNEL)?;
                }
                let so = |p: &[u64]| p.iter().all(|&v| v == p.len() as u64);
                if !passing.iter().all(|p| so(p)) || *mine != id << 32 | n {
                    return Err(EUCLEAN);
                }
            }
            Ok(())
        })?;
        children.push(child, GFP_KERNEL)?;
    }
    ensure!(children.iter().all(is_done));
    let meter = arena.meter();
    let kept = 4 * KEPT as usize;
    ensure!(meter.current() == kept * cost && meter.failures() == 0);
    ensure!(meter.fragmentation() == kept * (cost - 8));
    ensure!(meter.peak() >= meter.current());
    Ok(())
}

/// They get exactly what there is, together.
fn arena_quota_contended() -> Result {
    const FITS: usize = 1000;
    let cost = cost_of::<u64>(1)?;
    let arena = arena(FITS * cost + cost - 1)?;
    let taken = Arc::new(Atomic::new(0u64), GFP_KERNEL)?;
    let mut children = KVec::new();
    for _ in 0..4 {
        let (arena, taken) = (arena.clone(), taken.clone());
        let child = spawn(c"taker", move |_| {
            while let Ok(one) = arena.alloc(1u64, GFP_KERNEL) {
                taken.fetch_add(1, Relaxed);
                forget(one);
            }
            Ok(())
        })?;
        children.push(child, GFP_KERNEL)?;
    }
    ensure!(children.iter().all(is_done));
    let meter = arena.meter();
    ensure!(taken.load(Relaxed) == FITS as u64);
    ensure!(meter.current() == FITS * cost && meter.peak() == FITS * cost);
    ensure!(meter.failures() == 4);
    Ok(())
}

/// An interrupt takes and gives back in the middle of a thread that does.
fn arena_from_interrupt() -> Result {
    const TIMES: u64 = 500;
    if cfg!(CONFIG_PREEMPT_RT) {
        return skip("arena_from_interrupt", "the allocator sleeps on PREEMPT_RT");
    }
    let cost = cost_of::<u64>(1)?;
    let arena = arena(1 << 20)?;
    let seen = Arc::new((Atomic::new(0u64), Atomic::new(0u64)), GFP_KERNEL)?;
    let (theirs, counts) = (arena.clone(), seen.clone());
    let timer = HardUnlessRt::every(Delta::from_micros(500), move || {
        if counts.0.load(Relaxed) == TIMES || !HardUnlessRt::is_here() {
            return;
        }
        let passing = theirs.slice(30, 3u64, GFP_ATOMIC);
        let kept = theirs.alloc(5u64, GFP_ATOMIC).map(|kept| *kept.leak());
        if kept != Ok(5) || !passing.is_ok_and(|p| p.iter().all(|&v| v == 3)) {
            counts.1.fetch_add(1, Relaxed);
        }
        counts.0.fetch_add(1, Release);
    })?;
    let wrong = Cell::new(0);
    let done = eventually(|| {
        for n in 0..2000u64 {
            let ours = (arena.alloc(n, GFP_KERNEL), arena.alloc(!n, GFP_ATOMIC));
            if !matches!(ours, (Ok(a), Ok(b)) if *a == n && *b == !n) {
                wrong.set(wrong.get() + 1);
            }
        }
        seen.0.load(Acquire) == TIMES
    });
    drop(timer);
    ensure!(done && wrong.get() == 0 && seen.1.load(Relaxed) == 0);
    ensure!(arena.meter().current() == TIMES as usize * cost && arena.meter().failures() == 0);
    Ok(())
}

/// Whether some values lie where their type wants them, and not in each other.
fn lie_well<T: Copy + PartialEq>(arena: &Arena, a: T, b: T) -> Result<bool> {
    let mut ok = true;
    for len in 1..20 {
        let (one, all) = (
            arena.alloc(a, GFP_KERNEL)?,
            arena.slice(len, b, GFP_KERNEL)?,
        );
        let at = [(&raw const *one).addr(), all.as_ptr().addr()];
        ok &= at.iter().all(|at| at % align_of::<T>() == 0);
        ok &= *one == a && all.iter().all(|v| *v == b);
        ok &= at[0] + size_of_val(&*one) <= at[1] || at[1] + size_of_val(&*all) <= at[0];
    }
    Ok(ok)
}

fn arena_alignment() -> Result {
    #[derive(Clone, Copy, PartialEq)]
    #[repr(align(64))]
    struct Line(u8);
    #[derive(Clone, Copy, PartialEq)]
    #[repr(align(256))]
    struct Lines(u32);

    let arena = arena(1 << 20)?;
    ensure!(lie_well(&arena, 1u8, 2)?);
    ensure!(lie_well(&arena, 1u16, 2)?);
    ensure!(lie_well(&arena, [1u8; 3], [2; 3])?);
    ensure!(lie_well(&arena, 1u128, 2)?);
    ensure!(lie_well(&arena, Line(1), Line(2))?);
    ensure!(lie_well(&arena, Lines(1), Lines(2))?);
    let squares = arena.slice_with(300, |n| n * n, GFP_KERNEL)?;
    ensure!(squares.iter().enumerate().all(|(n, &v)| v == n * n));
    Ok(())
}

fn arena_without_size() -> Result {
    #[repr(align(256))]
    struct Nothing;

    let arena = arena(0)?;
    let nothing = arena.alloc(Nothing, GFP_KERNEL)?;
    let none = arena.slice(0, 1u64, GFP_KERNEL)?;
    let units = arena.slice(1000, (), GFP_KERNEL)?;
    ensure!((&raw const *nothing).addr() % 256 == 0 && none.as_ptr().is_aligned());
    ensure!(none.is_empty() && units.len() == 1000);
    ensure!(cost_of::<Nothing>(9)? == 0 && cost_of::<u64>(0)? == 0);
    let meter = arena.meter();
    ensure!(meter.current() == 0 && meter.peak() == 0 && meter.failures() == 0);
    drop((nothing, none, units));
    ensure!(arena.alloc(1u8, GFP_KERNEL).err() == Some(ENOMEM) && meter.failures() == 1);
    Ok(())
}

/// What nobody can have is refused by the number, not by the quota.
fn arena_huge() -> Result {
    let arena = arena(usize::MAX)?;
    let most = isize::MAX as usize;
    let lens = [
        1 << 31,
        1 << 32,
        1 << 40,
        most - 4096,
        most - 7,
        most,
        most + 1,
        usize::MAX,
    ];
    for len in lens {
        ensure!(arena.slice(len, 1u8, GFP_KERNEL).err() == Some(ENOMEM));
        ensure!(arena.slice(len, 1u64, GFP_ATOMIC).err() == Some(ENOMEM));
    }
    ensure!(cost_of::<u8>(most + 1).is_err() && cost_of::<u64>(most).is_err());
    ensure!(cost_of::<u8>(most).is_err());
    let meter = arena.meter();
    ensure!(meter.failures() == 2 * lens.len() as u64);
    ensure!(meter.current() == 0 && meter.fragmentation() == 0);
    ensure!(arena.slice(10, 1u8, GFP_KERNEL).is_ok());
    Ok(())
}

/// Each generation has its own, the record tells of all, and a sibling has nothing to do with it.
fn arena_of_child() -> Result {
    let cost = cost_of::<u64>(1)?;
    let taker = Builder::new(&MODULE, c"taker")
        .memory(10 * cost)
        .threads(2)
        .spawn(move |ctx| {
            let arena = ctx.arena();
            while let Ok(one) = arena.alloc(3u64, GFP_KERNEL) {
                forget(one);
            }
            while !ctx.should_stop() {
                ctx.sleep(10);
            }
            Ok(())
        })?;
    let memory = taker.record().memory();
    for generation in 1..=3 {
        ensure!(eventually(|| memory.failures() == 2 * generation));
        ensure!(memory.quota() == 10 * cost && memory.current() == 10 * cost);
        let other = Builder::new(&MODULE, c"other")
            .memory(cost)
            .spawn(|ctx| ctx.arena().alloc(1u64, GFP_KERNEL).map(drop))?;
        ensure!(is_done(&other) && other.record().memory().peak() == cost);
        taker.stop();
        ensure!(memory.current() == 0 && memory.fragmentation() == 0);
        ensure!(memory.peak() == 10 * cost);
        taker.restart()?;
    }
    // Who did not ask for memory has none.
    let poor = spawn(c"poor", |ctx| ctx.arena().alloc(1u8, GFP_KERNEL).map(drop))?;
    ensure!(eventually(|| poor.record().state() == State::Stopped));
    ensure!(poor.record().error() == Some(ENOMEM) && poor.record().memory().failures() == 1);
    Ok(())
}
