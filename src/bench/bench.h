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

/*
 * messages.c: mailboxes in C, for one receiver and up to four senders, and two
 * threads that take turns. Senders are numbered from 0, and each sends 1 to n;
 * batches are 1 to 64 and divide n; who receives n messages gets their sum.
 */
struct childkernel_bench_mail;

struct childkernel_bench_mail *childkernel_bench_mail_alloc(u32 senders);
void childkernel_bench_mail_free(struct childkernel_bench_mail *m);

/* Waits a moment; counts how often that was. */
u64 childkernel_bench_wait(u64 tries);

#define CHILDKERNEL_BENCH_SEND(name) \
	void childkernel_bench_##name##_send(struct childkernel_bench_mail *m, u32 sender, \
					     u64 n, u32 batch)
#define CHILDKERNEL_BENCH_RECV(name) \
	u64 childkernel_bench_##name##_recv(struct childkernel_bench_mail *m, u64 n, u32 batch)
/* One thread sends and receives n messages. */
#define CHILDKERNEL_BENCH_ALONE(name) \
	u64 childkernel_bench_##name##_alone(struct childkernel_bench_mail *m, u64 n)

CHILDKERNEL_BENCH_SEND(ptr_ring);
CHILDKERNEL_BENCH_RECV(ptr_ring);
CHILDKERNEL_BENCH_SEND(kfifo);
CHILDKERNEL_BENCH_RECV(kfifo);
CHILDKERNEL_BENCH_SEND(llist);
CHILDKERNEL_BENCH_RECV(llist);

CHILDKERNEL_BENCH_ALONE(ptr_ring);
CHILDKERNEL_BENCH_ALONE(ptr_ring_single);
CHILDKERNEL_BENCH_ALONE(kfifo);
CHILDKERNEL_BENCH_ALONE(kfifo_put);
CHILDKERNEL_BENCH_ALONE(llist);
CHILDKERNEL_BENCH_ALONE(ptr_ring_batch);
CHILDKERNEL_BENCH_ALONE(kfifo_batch);
CHILDKERNEL_BENCH_ALONE(llist_batch);

/* Side 0 begins; there and back n times. */
void childkernel_bench_ping_pong(struct childkernel_bench_mail *m, u32 side, u64 n);
void childkernel_bench_completions(struct childkernel_bench_mail *m, u32 side, u64 n);

#endif
