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
/* In ns since one and the same moment, as exact as there is. */
u64 childkernel_bench_time(void);
const char *childkernel_param_bench(void);
bool childkernel_param_bench_quick(void);
const char *childkernel_param_bench_only(void);

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

/*
 * What a thread does at a time where several use the same at once, and what it
 * has seen. The first operation is timed, so with @n of them one in @n is.
 */
struct childkernel_bench_batch {
	/* Not 0 any more: it is over. */
	const u32 *stop;
	/* How many operations there are in a batch. */
	u32 n;
	/* How many in 100 of them read, and whose turn it is: see bench_reads(). */
	u32 read;
	u32 turn;
	/* How long it stays inside: loops of childkernel_bench_spin(). */
	u64 hold;
	/* When who was inside was about to leave; NULL: nobody asks. Changed inside. */
	u64 *left;
	/* Chooses keys; never 0. */
	u64 random;
	/* Counted on. */
	u64 reads;
	u64 writes;
	/* Of the first operation, by childkernel_bench_time(). */
	u64 asked;
	u64 got;
	u64 released;
	/*
	 * From when the one before it was about to leave until it got in; 0: it
	 * did not wait, or the clock can not tell.
	 */
	u64 handed;
	bool first_reads;
	/* An operation was refused. */
	bool failed;
};

/* Keeps the CPU for so many loops. */
void childkernel_bench_spin(u64 loops);
/* How often the current thread has given its CPU away or had to. */
u64 childkernel_bench_switches(void);

/* All of them may be used by any number of threads at once. */
#define CHILDKERNEL_BENCH_CONTENDED(name)					\
	void childkernel_bench_contended_##name(struct childkernel_bench *b,	\
						struct childkernel_bench_batch *batch)

/* contended.c */
CHILDKERNEL_BENCH_CONTENDED(spinlock);
CHILDKERNEL_BENCH_CONTENDED(spinlock_irq);
CHILDKERNEL_BENCH_CONTENDED(raw_spinlock);
CHILDKERNEL_BENCH_CONTENDED(resilient);
CHILDKERNEL_BENCH_CONTENDED(rwlock);
CHILDKERNEL_BENCH_CONTENDED(rwlock_irq);
CHILDKERNEL_BENCH_CONTENDED(mutex);
CHILDKERNEL_BENCH_CONTENDED(semaphore);
CHILDKERNEL_BENCH_CONTENDED(rwsem);
CHILDKERNEL_BENCH_CONTENDED(percpu_rwsem);
CHILDKERNEL_BENCH_CONTENDED(seqlock);
CHILDKERNEL_BENCH_CONTENDED(bitlock);
CHILDKERNEL_BENCH_CONTENDED(atomic_cas);
CHILDKERNEL_BENCH_CONTENDED(percpu);

/* table.c: a hash table with so many locks, from 1 to its number of buckets. */
struct childkernel_bench_table;

struct childkernel_bench_table *childkernel_bench_table_alloc(u32 locks);
void childkernel_bench_table_free(struct childkernel_bench_table *table);
void childkernel_bench_table(struct childkernel_bench_table *table,
			     struct childkernel_bench_batch *batch);

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
