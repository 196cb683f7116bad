/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The C side of the benchmarks: for each figure a twin that does the same on
 * the same native primitive as the Rust side does, in plain C, compiled as any
 * C module is. All of them take the same subject, do what they do n times (at
 * least once), and return a sum of what they have read, so that no read is
 * optimised away. None but the owner of the subject may use it meanwhile,
 * unless the figure is about several.
 */
#ifndef CHILDKERNEL_BENCH_H
#define CHILDKERNEL_BENCH_H

#include <linux/types.h>

struct childkernel_bench;

struct childkernel_bench *childkernel_bench_alloc(void);
void childkernel_bench_free(struct childkernel_bench *b);

/* The processor's cycle counter; under emulation with -icount, instructions. */
u64 childkernel_bench_cycles(void);
/* The time since boot, in ns. */
u64 childkernel_bench_time(void);
const char *childkernel_param_bench(void);
bool childkernel_param_bench_quick(void);

#define CHILDKERNEL_BENCH_TWIN(name) \
	u64 childkernel_bench_##name(struct childkernel_bench *b, u64 n)

/* floor.c */
CHILDKERNEL_BENCH_TWIN(loop);
CHILDKERNEL_BENCH_TWIN(call);
CHILDKERNEL_BENCH_TWIN(atomic_add);
CHILDKERNEL_BENCH_TWIN(atomic_cas);
CHILDKERNEL_BENCH_TWIN(acquire_release);
CHILDKERNEL_BENCH_TWIN(smp_mb);
CHILDKERNEL_BENCH_TWIN(smp_rmb_wmb);
CHILDKERNEL_BENCH_TWIN(bitlock);
CHILDKERNEL_BENCH_TWIN(preempt);
CHILDKERNEL_BENCH_TWIN(bh);
CHILDKERNEL_BENCH_TWIN(interrupts);
CHILDKERNEL_BENCH_TWIN(percpu_add);
CHILDKERNEL_BENCH_TWIN(percpu_get);
CHILDKERNEL_BENCH_TWIN(local_lock);
CHILDKERNEL_BENCH_TWIN(local_lock_bh);
CHILDKERNEL_BENCH_TWIN(local_lock_irq);
CHILDKERNEL_BENCH_TWIN(before_after_atomic);
CHILDKERNEL_BENCH_TWIN(bit_set_clear);
CHILDKERNEL_BENCH_TWIN(bit_test_and_change);

/* spinning.c */
CHILDKERNEL_BENCH_TWIN(spinlock);
CHILDKERNEL_BENCH_TWIN(spinlock_try);
CHILDKERNEL_BENCH_TWIN(spinlock_bh);
CHILDKERNEL_BENCH_TWIN(spinlock_irq);
CHILDKERNEL_BENCH_TWIN(spinlock_irqsave);
CHILDKERNEL_BENCH_TWIN(raw_spinlock);
CHILDKERNEL_BENCH_TWIN(raw_spinlock_irq);
CHILDKERNEL_BENCH_TWIN(resilient);
CHILDKERNEL_BENCH_TWIN(resilient_irq);
CHILDKERNEL_BENCH_TWIN(rwlock_read);
CHILDKERNEL_BENCH_TWIN(rwlock_write);
CHILDKERNEL_BENCH_TWIN(rwlock_bh_read);
CHILDKERNEL_BENCH_TWIN(rwlock_bh_write);
CHILDKERNEL_BENCH_TWIN(rwlock_irq_read);
CHILDKERNEL_BENCH_TWIN(rwlock_irq_write);
CHILDKERNEL_BENCH_TWIN(raw_spinlock_try);
CHILDKERNEL_BENCH_TWIN(rwlock_try_read);
CHILDKERNEL_BENCH_TWIN(rwlock_try_write);
CHILDKERNEL_BENCH_TWIN(spinlock_two);

/* sleeping.c */
CHILDKERNEL_BENCH_TWIN(mutex);
CHILDKERNEL_BENCH_TWIN(mutex_try);
CHILDKERNEL_BENCH_TWIN(mutex_interruptible);
CHILDKERNEL_BENCH_TWIN(semaphore);
CHILDKERNEL_BENCH_TWIN(semaphore_try);
CHILDKERNEL_BENCH_TWIN(rwsem_read);
CHILDKERNEL_BENCH_TWIN(rwsem_write);
CHILDKERNEL_BENCH_TWIN(rwsem_downgrade);
CHILDKERNEL_BENCH_TWIN(percpu_rwsem_read);
CHILDKERNEL_BENCH_TWIN(completion);
CHILDKERNEL_BENCH_TWIN(wake_nobody);
CHILDKERNEL_BENCH_TWIN(srcu_read);
CHILDKERNEL_BENCH_TWIN(mutex_killable);
CHILDKERNEL_BENCH_TWIN(mutex_two);
CHILDKERNEL_BENCH_TWIN(semaphore_interruptible);
CHILDKERNEL_BENCH_TWIN(semaphore_timeout);
CHILDKERNEL_BENCH_TWIN(rwsem_read_killable);
CHILDKERNEL_BENCH_TWIN(rwsem_try_read);
CHILDKERNEL_BENCH_TWIN(rwsem_try_write);
CHILDKERNEL_BENCH_TWIN(percpu_rwsem_try_read);
CHILDKERNEL_BENCH_TWIN(percpu_rwsem_write);
CHILDKERNEL_BENCH_TWIN(completion_wait);
CHILDKERNEL_BENCH_TWIN(wake_all_nobody);

/* sequences.c */
CHILDKERNEL_BENCH_TWIN(seqlock_read);
CHILDKERNEL_BENCH_TWIN(seqlock_read_record);
CHILDKERNEL_BENCH_TWIN(seqlock_write);
CHILDKERNEL_BENCH_TWIN(seqlock_write_record);
CHILDKERNEL_BENCH_TWIN(seqlock_bh_write);
CHILDKERNEL_BENCH_TWIN(seqlock_irq_write);
CHILDKERNEL_BENCH_TWIN(seqcount_read);
CHILDKERNEL_BENCH_TWIN(seqcount_write);
CHILDKERNEL_BENCH_TWIN(seqcount_mutex_write);
CHILDKERNEL_BENCH_TWIN(rcu_read);
CHILDKERNEL_BENCH_TWIN(rcu_pointer);
CHILDKERNEL_BENCH_TWIN(rcu_list_lookup);
CHILDKERNEL_BENCH_TWIN(seqlock_read_or_lock);
CHILDKERNEL_BENCH_TWIN(seqlock_read_locked);
CHILDKERNEL_BENCH_TWIN(seqcount_raw_write);
CHILDKERNEL_BENCH_TWIN(seqcount_rwlock_write);
CHILDKERNEL_BENCH_TWIN(seqcount_mutex_read);

/* arena.c */
CHILDKERNEL_BENCH_TWIN(kmalloc_64);
CHILDKERNEL_BENCH_TWIN(kmalloc_1024);
CHILDKERNEL_BENCH_TWIN(mempool_64);
CHILDKERNEL_BENCH_TWIN(mempool_1024);

/* loads.c */
CHILDKERNEL_BENCH_TWIN(list_kfree_rcu);
CHILDKERNEL_BENCH_TWIN(list_rcu_work);
CHILDKERNEL_BENCH_TWIN(table_lookup);
CHILDKERNEL_BENCH_TWIN(table_change);
CHILDKERNEL_BENCH_TWIN(handshake);

/* children.c: from kthread_run() to its first instruction, and kthread_stop() */
int childkernel_bench_thread(u64 *start, u64 *stop);
bool childkernel_param_bench_crash(void);

#endif
