// SPDX-License-Identifier: GPL-2.0
/* What src/sync/percpu.rs needs of C: see shim.h. */

#include <linux/export.h>
#include <linux/percpu.h>

#include "../shim.h"

/* Rust knows no address spaces: it keeps a per-CPU address as a plain pointer. */
static u64 __percpu *cell(const u64 *p)
{
	return (u64 __percpu *)(__force unsigned long)p;
}

u64 *childkernel_percpu_alloc(size_t count)
{
	size_t size;

	if (check_mul_overflow(count, sizeof(u64), &size))
		return NULL;
	return (u64 *)(__force unsigned long)__alloc_percpu(size, __alignof__(u64));
}
EXPORT_SYMBOL_GPL(childkernel_percpu_alloc);

void childkernel_percpu_free(u64 *p)
{
	free_percpu(cell(p));
}
EXPORT_SYMBOL_GPL(childkernel_percpu_free);

void childkernel_percpu_add(u64 *p, u64 n)
{
	this_cpu_add(*cell(p), n);
}
EXPORT_SYMBOL_GPL(childkernel_percpu_add);

u64 childkernel_percpu_add_return(u64 *p, u64 n)
{
	return this_cpu_add_return(*cell(p), n);
}
EXPORT_SYMBOL_GPL(childkernel_percpu_add_return);

u64 childkernel_percpu_sum(const u64 *p)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(cell(p), cpu));
	return sum;
}
EXPORT_SYMBOL_GPL(childkernel_percpu_sum);
