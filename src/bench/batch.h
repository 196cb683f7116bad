/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the twins of contended.c and table.c share: how a batch goes. The Rust
 * side of it is race.rs.
 */
#ifndef CHILDKERNEL_BENCH_BATCH_H
#define CHILDKERNEL_BENCH_BATCH_H

#include "subject.h"

static __always_inline bool bench_over(const struct childkernel_bench_batch *batch)
{
	return READ_ONCE(*batch->stop);
}

/* Whether the next operation reads: spread as evenly as it goes. */
static __always_inline bool bench_reads(struct childkernel_bench_batch *batch)
{
	batch->turn += batch->read;
	if (batch->turn < 100)
		return false;
	batch->turn -= 100;
	return true;
}

/* Before an operation: whether it reads. */
static __always_inline bool bench_begins(struct childkernel_bench_batch *batch, bool first)
{
	bool reads = bench_reads(batch);

	if (reads)
		batch->reads++;
	else
		batch->writes++;
	if (first) {
		batch->first_reads = reads;
		batch->asked = childkernel_bench_time();
	}
	return reads;
}

/*
 * Who asked before the other was about to leave has waited for it. The line is
 * this CPU's when it leaves itself, so that what it notes then costs nothing.
 */
static __always_inline void bench_comes(struct childkernel_bench_batch *batch)
{
	u64 left = READ_ONCE(*batch->left);

	WRITE_ONCE(*batch->left, 0);
	/* Clocks of two CPUs may differ. */
	batch->handed = left > batch->asked && batch->got > left ? batch->got - left : 0;
}

/* While it has what it came for. */
static __always_inline void bench_inside(struct childkernel_bench_batch *batch, bool first)
{
	if (first) {
		batch->got = childkernel_bench_time();
		if (batch->left)
			bench_comes(batch);
	}
	if (batch->hold)
		childkernel_bench_spin(batch->hold);
	if (first && batch->left)
		WRITE_ONCE(*batch->left, childkernel_bench_time());
}

/* After it. */
static __always_inline void bench_ends(struct childkernel_bench_batch *batch, bool first)
{
	if (first)
		batch->released = childkernel_bench_time();
}

#endif
