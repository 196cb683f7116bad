// SPDX-License-Identifier: GPL-2.0
/* C twins of what several threads do at once. See bench.h, and race.rs for the threads. */

#include <linux/interrupt.h>
#include <linux/sched.h>

#include "batch.h"

noinline void childkernel_bench_spin(u64 loops)
{
	/* A loop with nothing in it would be none. */
	while (again(&loops))
		barrier();
}

u64 childkernel_bench_switches(void)
{
	return current->nvcsw + current->nivcsw;
}

/* One operation: it takes, does what it has come for, stays inside, and releases. */
typedef void (*operation_t)(struct childkernel_bench *b,
			    struct childkernel_bench_batch *batch, bool first);

static __always_inline void contend(struct childkernel_bench *b,
				    struct childkernel_bench_batch *batch,
				    operation_t read, operation_t write)
{
	for (u32 i = 0; i < batch->n && !bench_over(batch) && !batch->failed; i++) {
		if (bench_begins(batch, !i))
			read(b, batch, !i);
		else
			write(b, batch, !i);
		bench_ends(batch, !i);
	}
}

/* As black_box() does: what nobody uses would not be read. */
static __always_inline void look(const u64 *n)
{
	u64 seen = *n;

	barrier_data(&seen);
}

static __always_inline void spinlock_write(struct childkernel_bench *b,
					   struct childkernel_bench_batch *batch, bool first)
{
	spin_lock(&b->spin.lock);
	b->spin.n++;
	bench_inside(batch, first);
	spin_unlock(&b->spin.lock);
}

CHILDKERNEL_BENCH_CONTENDED(spinlock)
{
	contend(b, batch, spinlock_write, spinlock_write);
}

static __always_inline void spinlock_irq_write(struct childkernel_bench *b,
					       struct childkernel_bench_batch *batch, bool first)
{
	spin_lock_irq_disable(&b->spin.lock);
	b->spin.n++;
	bench_inside(batch, first);
	spin_unlock_irq_enable(&b->spin.lock);
}

CHILDKERNEL_BENCH_CONTENDED(spinlock_irq)
{
	contend(b, batch, spinlock_irq_write, spinlock_irq_write);
}

static __always_inline void raw_spinlock_write(struct childkernel_bench *b,
					       struct childkernel_bench_batch *batch, bool first)
{
	raw_spin_lock(&b->raw.lock);
	b->raw.n++;
	bench_inside(batch, first);
	raw_spin_unlock(&b->raw.lock);
}

CHILDKERNEL_BENCH_CONTENDED(raw_spinlock)
{
	contend(b, batch, raw_spinlock_write, raw_spinlock_write);
}

static __always_inline void mutex_write(struct childkernel_bench *b,
					struct childkernel_bench_batch *batch, bool first)
{
	mutex_lock(&b->mutex.lock);
	b->mutex.n++;
	bench_inside(batch, first);
	mutex_unlock(&b->mutex.lock);
}

CHILDKERNEL_BENCH_CONTENDED(mutex)
{
	contend(b, batch, mutex_write, mutex_write);
}

static __always_inline void semaphore_write(struct childkernel_bench *b,
					    struct childkernel_bench_batch *batch, bool first)
{
	down(&b->sem.lock);
	b->sem.n++;
	bench_inside(batch, first);
	up(&b->sem.lock);
}

CHILDKERNEL_BENCH_CONTENDED(semaphore)
{
	contend(b, batch, semaphore_write, semaphore_write);
}

static __always_inline void resilient_write(struct childkernel_bench *b,
					    struct childkernel_bench_batch *batch, bool first)
{
	if (raw_res_spin_lock(&b->resilient.lock)) {
		batch->failed = true;
		return;
	}
	b->resilient.n++;
	bench_inside(batch, first);
	raw_res_spin_unlock(&b->resilient.lock);
}

CHILDKERNEL_BENCH_CONTENDED(resilient)
{
	contend(b, batch, resilient_write, resilient_write);
}

static __always_inline void rwlock_read(struct childkernel_bench *b,
					struct childkernel_bench_batch *batch, bool first)
{
	read_lock(&b->rw.lock);
	look(&b->rw.n);
	bench_inside(batch, first);
	read_unlock(&b->rw.lock);
}

static __always_inline void rwlock_write(struct childkernel_bench *b,
					 struct childkernel_bench_batch *batch, bool first)
{
	write_lock(&b->rw.lock);
	b->rw.n++;
	bench_inside(batch, first);
	write_unlock(&b->rw.lock);
}

CHILDKERNEL_BENCH_CONTENDED(rwlock)
{
	contend(b, batch, rwlock_read, rwlock_write);
}

static __always_inline void rwlock_irq_read(struct childkernel_bench *b,
					    struct childkernel_bench_batch *batch, bool first)
{
	bench_irq_disable();
	read_lock(&b->rw.lock);
	look(&b->rw.n);
	bench_inside(batch, first);
	read_unlock(&b->rw.lock);
	bench_irq_enable();
}

static __always_inline void rwlock_irq_write(struct childkernel_bench *b,
					     struct childkernel_bench_batch *batch, bool first)
{
	bench_irq_disable();
	write_lock(&b->rw.lock);
	b->rw.n++;
	bench_inside(batch, first);
	write_unlock(&b->rw.lock);
	bench_irq_enable();
}

CHILDKERNEL_BENCH_CONTENDED(rwlock_irq)
{
	contend(b, batch, rwlock_irq_read, rwlock_irq_write);
}

static __always_inline void rwsem_read(struct childkernel_bench *b,
				       struct childkernel_bench_batch *batch, bool first)
{
	down_read(&b->rwsem.lock);
	look(&b->rwsem.n);
	bench_inside(batch, first);
	up_read(&b->rwsem.lock);
}

static __always_inline void rwsem_write(struct childkernel_bench *b,
					struct childkernel_bench_batch *batch, bool first)
{
	down_write(&b->rwsem.lock);
	b->rwsem.n++;
	bench_inside(batch, first);
	up_write(&b->rwsem.lock);
}

CHILDKERNEL_BENCH_CONTENDED(rwsem)
{
	contend(b, batch, rwsem_read, rwsem_write);
}

static __always_inline void percpu_rwsem_read(struct childkernel_bench *b,
					      struct childkernel_bench_batch *batch, bool first)
{
	percpu_down_read(&b->percpu_rwsem.lock);
	look(&b->percpu_rwsem.n);
	bench_inside(batch, first);
	percpu_up_read(&b->percpu_rwsem.lock);
}

static __always_inline void percpu_rwsem_write(struct childkernel_bench *b,
					       struct childkernel_bench_batch *batch, bool first)
{
	percpu_down_write(&b->percpu_rwsem.lock);
	b->percpu_rwsem.n++;
	bench_inside(batch, first);
	percpu_up_write(&b->percpu_rwsem.lock);
}

CHILDKERNEL_BENCH_CONTENDED(percpu_rwsem)
{
	contend(b, batch, percpu_rwsem_read, percpu_rwsem_write);
}

static __always_inline void seqlock_look(struct childkernel_bench *b)
{
	unsigned int seq;
	u64 seen;

	do {
		seq = read_seqbegin(&b->seq.lock);
		seen = READ_ONCE(b->seq.n);
	} while (read_seqretry(&b->seq.lock, seq));
	barrier_data(&seen);
}

/* A reader has a copy, with which it spends its time. */
static __always_inline void seqlock_read(struct childkernel_bench *b,
					 struct childkernel_bench_batch *batch, bool first)
{
	seqlock_look(b);
	bench_inside(batch, first);
}

static __always_inline void seqlock_write(struct childkernel_bench *b,
					  struct childkernel_bench_batch *batch, bool first)
{
	write_seqlock(&b->seq.lock);
	WRITE_ONCE(b->seq.n, b->seq.n + 1);
	bench_inside(batch, first);
	write_sequnlock(&b->seq.lock);
}

CHILDKERNEL_BENCH_CONTENDED(seqlock)
{
	contend(b, batch, seqlock_read, seqlock_write);
}

static __always_inline void bitlock_write(struct childkernel_bench *b,
					  struct childkernel_bench_batch *batch, bool first)
{
	preempt_disable();
	while (test_and_set_bit_lock(0, &b->bitlock.bits))
		cpu_relax();
	b->bitlock.n++;
	bench_inside(batch, first);
	clear_bit_unlock(0, &b->bitlock.bits);
	preempt_enable();
}

CHILDKERNEL_BENCH_CONTENDED(bitlock)
{
	contend(b, batch, bitlock_write, bitlock_write);
}

static __always_inline void cas(atomic64_t *n)
{
	s64 old = atomic64_read(n);

	while (!atomic64_try_cmpxchg_relaxed(n, &old, old + 1))
		;
}

/* Nothing is held: the time is spent between one and the next. */
static __always_inline void atomic_cas_write(struct childkernel_bench *b,
					     struct childkernel_bench_batch *batch, bool first)
{
	cas(&b->atomic);
	bench_inside(batch, first);
}

CHILDKERNEL_BENCH_CONTENDED(atomic_cas)
{
	contend(b, batch, atomic_cas_write, atomic_cas_write);
}

static __always_inline void percpu_write(struct childkernel_bench *b,
					 struct childkernel_bench_batch *batch, bool first)
{
	bench_percpu_inc(b->percpu);
	bench_inside(batch, first);
}

CHILDKERNEL_BENCH_CONTENDED(percpu)
{
	contend(b, batch, percpu_write, percpu_write);
}
