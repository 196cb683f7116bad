// SPDX-License-Identifier: GPL-2.0
/* C twins of what several threads do at once. See bench.h, and race.rs for the threads. */

#include <linux/interrupt.h>
#include <linux/percpu.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "batch.h"

noinline void childkernel_bench_spin(u64 loops)
{
	while (again(&loops))
		;
}

u64 childkernel_bench_switches(void)
{
	return current->nvcsw + current->nivcsw;
}

/* Each takes, does what it has come for, stays inside, and releases. */
#define CONTENDED(name, take_to_read, read, release_read,			\
		  take_to_write, write, release_write)				\
CHILDKERNEL_BENCH_CONTENDED(name)						\
{										\
	for (u32 i = 0; i < batch->n && !bench_over(batch); i++) {		\
		if (bench_begins(batch, !i)) {					\
			take_to_read;						\
			read;							\
			bench_inside(batch, !i);				\
			release_read;						\
		} else {							\
			take_to_write;						\
			write;							\
			bench_inside(batch, !i);				\
			release_write;						\
		}								\
		bench_ends(batch, !i);						\
	}									\
}

/* Where there are no readers, or they are like writers. */
#define EXCLUSIVE(name, take, write, release)					\
	CONTENDED(name, take, write, release, take, write, release)

static __always_inline void look(const u64 *n)
{
	u64 seen = *n;

	OPTIMIZER_HIDE_VAR(seen);
}

EXCLUSIVE(spinlock, spin_lock(&b->spin.lock), b->spin.n++, spin_unlock(&b->spin.lock))
EXCLUSIVE(spinlock_irq, spin_lock_irq_disable(&b->spin.lock), b->spin.n++,
	  spin_unlock_irq_enable(&b->spin.lock))
EXCLUSIVE(raw_spinlock, raw_spin_lock(&b->raw.lock), b->raw.n++, raw_spin_unlock(&b->raw.lock))
EXCLUSIVE(mutex, mutex_lock(&b->mutex.lock), b->mutex.n++, mutex_unlock(&b->mutex.lock))
EXCLUSIVE(semaphore, down(&b->sem.lock), b->sem.n++, up(&b->sem.lock))

CONTENDED(rwlock, read_lock(&b->rw.lock), look(&b->rw.n), read_unlock(&b->rw.lock),
	  write_lock(&b->rw.lock), b->rw.n++, write_unlock(&b->rw.lock))
CONTENDED(rwlock_irq,
	  local_interrupt_disable(); read_lock(&b->rw.lock), look(&b->rw.n),
	  read_unlock(&b->rw.lock); local_interrupt_enable(),
	  local_interrupt_disable(); write_lock(&b->rw.lock), b->rw.n++,
	  write_unlock(&b->rw.lock); local_interrupt_enable())
CONTENDED(rwsem, down_read(&b->rwsem.lock), look(&b->rwsem.n), up_read(&b->rwsem.lock),
	  down_write(&b->rwsem.lock), b->rwsem.n++, up_write(&b->rwsem.lock))
CONTENDED(percpu_rwsem,
	  percpu_down_read(&b->percpu_rwsem.lock), look(&b->percpu_rwsem.n),
	  percpu_up_read(&b->percpu_rwsem.lock),
	  percpu_down_write(&b->percpu_rwsem.lock), b->percpu_rwsem.n++,
	  percpu_up_write(&b->percpu_rwsem.lock))

CHILDKERNEL_BENCH_CONTENDED(resilient)
{
	for (u32 i = 0; i < batch->n && !bench_over(batch); i++) {
		bench_begins(batch, !i);
		if (raw_res_spin_lock(&b->resilient.lock)) {
			batch->failed = true;
			return;
		}
		b->resilient.n++;
		bench_inside(batch, !i);
		raw_res_spin_unlock(&b->resilient.lock);
		bench_ends(batch, !i);
	}
}

static __always_inline void seqlock_look(struct childkernel_bench *b)
{
	unsigned int seq;
	u64 seen;

	do {
		seq = read_seqbegin(&b->seq.lock);
		seen = READ_ONCE(b->seq.n);
	} while (read_seqretry(&b->seq.lock, seq));
	OPTIMIZER_HIDE_VAR(seen);
}

/* A reader has a copy, with which it spends its time. */
CONTENDED(seqlock, seqlock_look(b), , ,
	  write_seqlock(&b->seq.lock), WRITE_ONCE(b->seq.n, b->seq.n + 1),
	  write_sequnlock(&b->seq.lock))

static __always_inline void bit_lock(struct childkernel_bench *b)
{
	while (test_and_set_bit_lock(0, &b->bits))
		cpu_relax();
}

EXCLUSIVE(bitlock, preempt_disable(); bit_lock(b), b->plain++,
	  clear_bit_unlock(0, &b->bits); preempt_enable())

static __always_inline void cas(atomic64_t *n)
{
	s64 old = atomic64_read(n);

	while (!atomic64_try_cmpxchg_relaxed(n, &old, old + 1))
		;
}

/* Nothing is held: the time is spent between one and the next. */
EXCLUSIVE(atomic_cas, cas(&b->atomic), , )
EXCLUSIVE(percpu, this_cpu_inc(*b->percpu), , )
