// SPDX-License-Identifier: GPL-2.0
/* What src/sync/percpu.rs needs of C: see shim.h. */

#include <linux/export.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <asm/local64.h>

#include "../shim.h"

/* Rust knows no address spaces: it keeps a per-CPU address as a plain pointer. */
static void __percpu *percpu(const void *p)
{
	return (void __percpu *)(__force unsigned long)p;
}

static u64 __percpu *cell(const u64 *p)
{
	return percpu(p);
}

void *childkernel_percpu_alloc(size_t size, size_t align)
{
	return (void *)(__force unsigned long)__alloc_percpu(size, align);
}
EXPORT_SYMBOL_GPL(childkernel_percpu_alloc);

void childkernel_percpu_free(void *p)
{
	free_percpu(percpu(p));
}
EXPORT_SYMBOL_GPL(childkernel_percpu_free);

void *childkernel_this_cpu_ptr(void *p)
{
	return this_cpu_ptr(percpu(p));
}
EXPORT_SYMBOL_GPL(childkernel_this_cpu_ptr);

void *childkernel_per_cpu_ptr(void *p, unsigned int cpu)
{
	return per_cpu_ptr(percpu(p), cpu);
}
EXPORT_SYMBOL_GPL(childkernel_per_cpu_ptr);

bool childkernel_cpu_possible(unsigned int cpu)
{
	return cpu < nr_cpu_ids && cpu_possible(cpu);
}
EXPORT_SYMBOL_GPL(childkernel_cpu_possible);

/*
 * User Mode Linux has no instruction for this_cpu_add(), and switching interrupts
 * off costs many times what is added. local64_t is as safe against them.
 */
static_assert(sizeof(local64_t) == sizeof(u64));

void childkernel_percpu_add(u64 *p, u64 n)
{
	if (IS_ENABLED(CONFIG_UML))
		childkernel_percpu_add_return(p, n);
	else
		this_cpu_add(*cell(p), n);
}
EXPORT_SYMBOL_GPL(childkernel_percpu_add);

u64 childkernel_percpu_add_return(u64 *p, u64 n)
{
	u64 sum;

	if (!IS_ENABLED(CONFIG_UML))
		return this_cpu_add_return(*cell(p), n);
	sum = local64_add_return(n, get_cpu_ptr((local64_t __percpu *)percpu(p)));
	put_cpu_ptr(p);
	return sum;
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
