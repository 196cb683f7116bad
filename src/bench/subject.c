// SPDX-License-Identifier: GPL-2.0
/* The subject of the C twins, and the clock. */

#include <linux/moduleparam.h>
#include <linux/percpu.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <linux/timex.h>
#if defined(CONFIG_UML) && !defined(MODULE)
#include <os.h>
#endif

#include "subject.h"

static char *bench = "";
module_param(bench, charp, 0444);
MODULE_PARM_DESC(bench, "benchmark suite to run: exact, native or real (default: none)");

static bool bench_quick;
module_param(bench_quick, bool, 0444);
MODULE_PARM_DESC(bench_quick, "fewer and shorter figures, for a first look (default: no)");

static char *bench_only = "";
module_param(bench_only, charp, 0444);
MODULE_PARM_DESC(bench_only, "stages of the suite to run, a comma list (default: all)");

const char *childkernel_param_bench_only(void)
{
	return bench_only;
}

static bool bench_crash;
module_param(bench_crash, bool, 0444);
MODULE_PARM_DESC(bench_crash, "let a child really crash once a second as the last figure, which taints the kernel; not in User Mode Linux, which that would end (default: no)");

bool childkernel_param_bench_crash(void)
{
	return bench_crash;
}

bool childkernel_param_bench_quick(void)
{
	return bench_quick;
}

const char *childkernel_param_bench(void)
{
	return bench;
}

u64 childkernel_bench_cycles(void)
{
	return get_cycles();
}

u64 childkernel_bench_time(void)
{
#if defined(CONFIG_UML) && !defined(MODULE)
	/* What its clocks are made of; they count in steps of 256 ns. No module may call it. */
	return os_nsecs();
#else
	return ktime_get_ns();
#endif
}

static void subject_init(struct childkernel_bench *b)
{
	spin_lock_init(&b->spin.lock);
	spin_lock_init(&b->other.lock);
	raw_spin_lock_init(&b->raw.lock);
	raw_res_spin_lock_init(&b->resilient.lock);
	rwlock_init(&b->rw.lock);
	mutex_init(&b->mutex.lock);
	mutex_init(&b->other_mutex.lock);
	sema_init(&b->sem.lock, 1);
	init_rwsem(&b->rwsem.lock);
	seqlock_init(&b->seq.lock);
	seqlock_init(&b->seq_record.lock);
	spin_lock_init(&b->seqcount.lock);
	seqcount_spinlock_init(&b->seqcount.count, &b->seqcount.lock);
	mutex_init(&b->seqcount_mutex.lock);
	seqcount_mutex_init(&b->seqcount_mutex.count, &b->seqcount_mutex.lock);
	raw_spin_lock_init(&b->seqcount_raw.lock);
	seqcount_raw_spinlock_init(&b->seqcount_raw.count, &b->seqcount_raw.lock);
	rwlock_init(&b->seqcount_rw.lock);
	seqcount_rwlock_init(&b->seqcount_rw.count, &b->seqcount_rw.lock);
	init_completion(&b->done);
	init_waitqueue_head(&b->wait);

	INIT_LIST_HEAD_RCU(&b->list);
	for (size_t i = 0; i < ARRAY_SIZE(b->nodes); i++) {
		b->nodes[i].key = i;
		list_add_tail_rcu(&b->nodes[i].node, &b->list);
	}
	spin_lock_init(&b->changing.lock);
	INIT_LIST_HEAD_RCU(&b->changing.list);
	spin_lock_init(&b->table.lock);
	b->table.places[0].there = true;
	b->table.places[0].key = BENCH_TABLE_KEY;
	b->table.places[0].value = 1;

	b->pointed = 1;
	RCU_INIT_POINTER(b->pointer, (u64 __force __rcu *)&b->pointed);
}

struct childkernel_bench *childkernel_bench_alloc(void)
{
	struct childkernel_bench *b = kzalloc(sizeof(*b), GFP_KERNEL);
	int cpu;

	if (!b)
		return NULL;
	b->percpu = alloc_percpu(u64);
	b->local = alloc_percpu(struct bench_local);
	if (!b->percpu || !b->local)
		goto no_percpu;
	if (percpu_init_rwsem(&b->percpu_rwsem.lock))
		goto no_percpu;
	if (init_srcu_struct(&b->srcu))
		goto no_srcu;
	b->reclaim = alloc_workqueue("bench_reclaim", WQ_UNBOUND, 0);
	if (!b->reclaim)
		goto no_queue;
	for_each_possible_cpu(cpu)
		local_lock_init(&per_cpu_ptr(b->local, cpu)->lock);
	subject_init(b);
	return b;

no_queue:
	cleanup_srcu_struct(&b->srcu);
no_srcu:
	percpu_free_rwsem(&b->percpu_rwsem.lock);
no_percpu:
	free_percpu(b->local);
	free_percpu(b->percpu);
	kfree(b);
	return NULL;
}

void childkernel_bench_free(struct childkernel_bench *b)
{
	/* What was given to it and waits for a grace period first. */
	rcu_barrier();
	destroy_workqueue(b->reclaim);
	cleanup_srcu_struct(&b->srcu);
	percpu_free_rwsem(&b->percpu_rwsem.lock);
	free_percpu(b->local);
	free_percpu(b->percpu);
	kfree(b);
}
