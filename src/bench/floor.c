// SPDX-License-Identifier: GPL-2.0
/* C twins: what the locks are made of, and guards that are none. See bench.h. */

#include <linux/bottom_half.h>
#include <linux/interrupt.h>
#include <linux/preempt.h>

#include "subject.h"

CHILDKERNEL_BENCH_TWIN(loop)
{
	do {
		barrier();
	} while (again(&n));
	return 0;
}

void childkernel_bench_nothing(void);

/* A function of another object, as a helper is, and nothing in it. */
noinline void childkernel_bench_nothing(void)
{
	barrier();
}

CHILDKERNEL_BENCH_TWIN(call)
{
	do {
		childkernel_bench_nothing();
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(atomic_add)
{
	do {
		atomic64_add(1, &b->atomic);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(atomic_cas)
{
	do {
		s64 old = atomic64_read(&b->atomic);

		while (!atomic64_try_cmpxchg_relaxed(&b->atomic, &old, old + 1))
			;
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(acquire_release)
{
	do {
		/* Measured, as the barriers below: nothing is paired with it. */
		smp_store_release(&b->plain, smp_load_acquire(&b->plain) + 1);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(smp_mb)
{
	do {
		/* Measured. */
		smp_mb();
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(smp_rmb_wmb)
{
	do {
		/* Measured. */
		smp_rmb();
		/* Measured. */
		smp_wmb();
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(bitlock)
{
	do {
		while (test_and_set_bit_lock(0, &b->bitlock.bits))
			cpu_relax();
		b->bitlock.n++;
		clear_bit_unlock(0, &b->bitlock.bits);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(preempt)
{
	do {
		preempt_disable();
		preempt_enable();
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(bh)
{
	do {
		local_bh_disable();
		local_bh_enable();
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(interrupts)
{
	do {
		local_interrupt_disable();
		local_interrupt_enable();
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(percpu_add)
{
	do {
		bench_percpu_inc(b->percpu);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(percpu_get)
{
	do {
		(*get_cpu_ptr(b->percpu))++;
		put_cpu_ptr(b->percpu);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(local_lock)
{
	do {
		local_lock(&b->local->lock);
		__this_cpu_inc(b->local->n);
		local_unlock(&b->local->lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(local_lock_bh)
{
	do {
		local_bh_disable();
		local_lock_nested_bh(&b->local->lock);
		__this_cpu_inc(b->local->n);
		local_unlock_nested_bh(&b->local->lock);
		local_bh_enable();
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(local_lock_irq)
{
	do {
		bench_irq_disable();
		local_lock(&b->local->lock);
		__this_cpu_inc(b->local->n);
		bench_resched_disable();
		local_unlock(&b->local->lock);
		bench_irq_enable();
		bench_resched_enable();
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(before_after_atomic)
{
	do {
		/* These two are what is measured. */
		smp_mb__before_atomic();
		set_bit(0, &b->bits);
		/* Likewise. */
		smp_mb__after_atomic();
	} while (--n);
	return 0;
}

CHILDKERNEL_BENCH_TWIN(bit_set_clear)
{
	do {
		set_bit(0, &b->bits);
		clear_bit(0, &b->bits);
	} while (--n);
	return 0;
}

CHILDKERNEL_BENCH_TWIN(bit_test_and_change)
{
	u64 sum = 0;

	do {
		sum += test_and_change_bit(0, &b->bits);
	} while (--n);
	return sum;
}
