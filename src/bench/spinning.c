// SPDX-License-Identifier: GPL-2.0
/* C twins: locks that spin. See bench.h. */

#include <linux/interrupt.h>

#include "subject.h"

CHILDKERNEL_BENCH_TWIN(spinlock)
{
	do {
		spin_lock(&b->spin.lock);
		b->spin.n++;
		spin_unlock(&b->spin.lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(spinlock_try)
{
	do {
		if (spin_trylock(&b->spin.lock)) {
			b->spin.n++;
			spin_unlock(&b->spin.lock);
		}
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(spinlock_bh)
{
	do {
		spin_lock_bh(&b->spin.lock);
		b->spin.n++;
		spin_unlock_bh(&b->spin.lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(spinlock_irq)
{
	do {
		spin_lock_irq_disable(&b->spin.lock);
		b->spin.n++;
		spin_unlock_irq_enable(&b->spin.lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(spinlock_irqsave)
{
	unsigned long flags;

	do {
		spin_lock_irqsave(&b->spin.lock, flags);
		b->spin.n++;
		spin_unlock_irqrestore(&b->spin.lock, flags);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(raw_spinlock)
{
	do {
		raw_spin_lock(&b->raw.lock);
		b->raw.n++;
		raw_spin_unlock(&b->raw.lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(raw_spinlock_irq)
{
	do {
		raw_spin_lock_irq_disable(&b->raw.lock);
		b->raw.n++;
		raw_spin_unlock_irq_enable(&b->raw.lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(resilient)
{
	do {
		if (!raw_res_spin_lock(&b->resilient.lock)) {
			b->resilient.n++;
			raw_res_spin_unlock(&b->resilient.lock);
		}
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(resilient_irq)
{
	do {
		local_interrupt_disable();
		if (!raw_res_spin_lock(&b->resilient.lock)) {
			b->resilient.n++;
			res_spin_unlock(&b->resilient.lock);
			local_interrupt_enable();
			preempt_enable();
		} else {
			local_interrupt_enable();
		}
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(rwlock_read)
{
	u64 sum = 0;

	do {
		read_lock(&b->rw.lock);
		sum += READ_ONCE(b->rw.n);
		read_unlock(&b->rw.lock);
	} while (again(&n));
	return sum;
}

CHILDKERNEL_BENCH_TWIN(rwlock_write)
{
	do {
		write_lock(&b->rw.lock);
		b->rw.n++;
		write_unlock(&b->rw.lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(rwlock_bh_read)
{
	u64 sum = 0;

	do {
		read_lock_bh(&b->rw.lock);
		sum += READ_ONCE(b->rw.n);
		read_unlock_bh(&b->rw.lock);
	} while (again(&n));
	return sum;
}

CHILDKERNEL_BENCH_TWIN(rwlock_bh_write)
{
	do {
		write_lock_bh(&b->rw.lock);
		b->rw.n++;
		write_unlock_bh(&b->rw.lock);
	} while (again(&n));
	return 0;
}

/*
 * There is no counted variant of these. Preemption is off around the end, or who
 * is to run would be missed while interrupts are off.
 */
CHILDKERNEL_BENCH_TWIN(rwlock_irq_read)
{
	u64 sum = 0;

	do {
		bench_irq_disable();
		read_lock(&b->rw.lock);
		sum += READ_ONCE(b->rw.n);
		bench_resched_disable();
		read_unlock(&b->rw.lock);
		bench_irq_enable();
		bench_resched_enable();
	} while (again(&n));
	return sum;
}

CHILDKERNEL_BENCH_TWIN(rwlock_irq_write)
{
	do {
		bench_irq_disable();
		write_lock(&b->rw.lock);
		b->rw.n++;
		bench_resched_disable();
		write_unlock(&b->rw.lock);
		bench_irq_enable();
		bench_resched_enable();
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(raw_spinlock_try)
{
	do {
		if (raw_spin_trylock(&b->raw.lock)) {
			b->raw.n++;
			raw_spin_unlock(&b->raw.lock);
		}
	} while (--n);
	return 0;
}

CHILDKERNEL_BENCH_TWIN(rwlock_try_read)
{
	u64 sum = 0;

	do {
		if (read_trylock(&b->rw.lock)) {
			sum += READ_ONCE(b->rw.n);
			read_unlock(&b->rw.lock);
		}
	} while (--n);
	return sum;
}

CHILDKERNEL_BENCH_TWIN(rwlock_try_write)
{
	do {
		if (write_trylock(&b->rw.lock)) {
			b->rw.n++;
			write_unlock(&b->rw.lock);
		}
	} while (--n);
	return 0;
}

/* Two of one class, in the order of their addresses. */
CHILDKERNEL_BENCH_TWIN(spinlock_two)
{
	do {
		spinlock_t *first = &b->spin.lock, *second = &b->other.lock;

		if (first > second)
			swap(first, second);
		spin_lock(first);
		spin_lock_nested(second, SINGLE_DEPTH_NESTING);
		b->spin.n++;
		b->other.n++;
		spin_unlock(second);
		spin_unlock(first);
	} while (--n);
	return 0;
}
