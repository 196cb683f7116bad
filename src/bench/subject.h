/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the C twins work on: each primitive beside the number that it guards, as
 * in Rust, where a lock has its data inside; each on a cache line of its own.
 */
#ifndef CHILDKERNEL_BENCH_SUBJECT_H
#define CHILDKERNEL_BENCH_SUBJECT_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/completion.h>
#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/local_lock.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/percpu-rwsem.h>
#include <linux/preempt.h>
#include <linux/rwsem.h>
#include <linux/semaphore.h>
#include <linux/seqlock.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <asm/local64.h>
#include <asm/rqspinlock.h>

#include "bench.h"

/* Counts the loops of the twins down. */
static __always_inline bool again(u64 *n)
{
	return --*n;
}

/* Around a lock that sleeps on PREEMPT_RT: there it leaves interrupts alone. */
static __always_inline void bench_irq_disable(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		local_interrupt_disable();
}

static __always_inline void bench_irq_enable(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		local_interrupt_enable();
}

/* Around an unlock in there, so that who is to run is let in when they are back. */
static __always_inline void bench_resched_disable(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_disable();
}

static __always_inline void bench_resched_enable(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_enable();
}

/* As many as the list of the Rust side has, and the last one is looked for. */
#define BENCH_LIST_LENGTH 16

struct bench_node {
	u64 key;
	struct list_head node;
};

/* A bucket of the load "table", with as many places as the Rust side gives it. */
#define BENCH_TABLE_PLACES 8
/* Is in the table from the start. */
#define BENCH_TABLE_KEY 1000000

struct bench_entry {
	bool there;
	u64 key;
	u64 value;
	u64 check;
};

struct bench_local {
	local_lock_t lock;
	u64 n;
};

struct bench_record {
	u64 words[8];
};

struct childkernel_bench {
	struct {
		spinlock_t lock;	/* of what stands beside it */
		u64 n;
	} ____cacheline_aligned spin, other;
	struct {
		raw_spinlock_t lock;
		u64 n;
	} ____cacheline_aligned raw;
	struct {
		rqspinlock_t lock;
		u64 n;
	} ____cacheline_aligned resilient;
	struct {
		rwlock_t lock;
		u64 n;
	} ____cacheline_aligned rw;
	struct {
		struct mutex lock;	/* of what stands beside it */
		u64 n;
	} ____cacheline_aligned mutex, other_mutex;
	struct {
		struct semaphore lock;
		u64 n;
	} ____cacheline_aligned sem;
	struct {
		struct rw_semaphore lock;
		u64 n;
	} ____cacheline_aligned rwsem;
	struct {
		struct percpu_rw_semaphore lock;
		u64 n;
	} ____cacheline_aligned percpu_rwsem;
	struct {
		seqlock_t lock;
		u64 n;
	} ____cacheline_aligned seq;
	struct {
		seqlock_t lock;
		struct bench_record record;
	} ____cacheline_aligned seq_record;
	struct {
		spinlock_t lock;	/* of what stands beside it */
		seqcount_spinlock_t count;
		u64 n;
	} ____cacheline_aligned seqcount;
	struct {
		struct mutex lock;	/* of what stands beside it */
		seqcount_mutex_t count;
		u64 n;
	} ____cacheline_aligned seqcount_mutex;
	struct {
		/* of those who write n */
		raw_spinlock_t lock;
		seqcount_raw_spinlock_t count;
		u64 n;
	} ____cacheline_aligned seqcount_raw;
	struct {
		rwlock_t lock;
		seqcount_rwlock_t count;
		u64 n;
	} ____cacheline_aligned seqcount_rw;
	struct completion done ____cacheline_aligned;
	wait_queue_head_t wait ____cacheline_aligned;
	struct srcu_struct srcu ____cacheline_aligned;
	struct list_head list ____cacheline_aligned;
	struct bench_node nodes[BENCH_LIST_LENGTH];
	struct {
		/* of those who change the list */
		spinlock_t lock;	/* of what stands beside it */
		struct list_head list;
	} ____cacheline_aligned changing;
	struct workqueue_struct *reclaim;
	struct {
		/* of the places */
		spinlock_t lock;	/* of what stands beside it */
		struct bench_entry places[BENCH_TABLE_PLACES];
	} ____cacheline_aligned table;
	u64 __rcu *pointer ____cacheline_aligned;
	u64 pointed;
	atomic64_t atomic ____cacheline_aligned;
	unsigned long bits ____cacheline_aligned;
	struct {
		unsigned long bits;
		u64 n;
	} ____cacheline_aligned bitlock;
	u64 plain ____cacheline_aligned;
	u64 __percpu *percpu;
	struct bench_local __percpu *local;
};

/* What the shim does, in User Mode Linux as well: see shim/percpu.c. */
static __always_inline void bench_percpu_inc(u64 __percpu *p)
{
	if (IS_ENABLED(CONFIG_UML)) {
		local64_inc(get_cpu_ptr((local64_t __percpu *)p));
		put_cpu_ptr(p);
	} else {
		this_cpu_inc(*p);
	}
}

#endif
