// SPDX-License-Identifier: GPL-2.0
/* What src/sync/local_lock.rs needs of C: see shim.h. */

#include <linux/export.h>
#include <linux/interrupt.h>
#include <linux/lockdep.h>

#include "../shim.h"

/* Rust knows no address spaces: it keeps a per-CPU address as a plain pointer. */
static local_lock_t __percpu *percpu_lock(local_lock_t *lock)
{
	return (local_lock_t __percpu *)(__force unsigned long)lock;
}

void childkernel_local_lock_init(local_lock_t *lock, const char *name,
				 struct lock_class_key *key)
{
	local_lock_init(lock);
	/* local_lock_init() has one class for all of Rust; ours have one each. */
	lockdep_init_map_type(&lock->dep_map, name, key, 0, LD_WAIT_CONFIG,
			      LD_WAIT_INV, LD_LOCK_PERCPU);
}
EXPORT_SYMBOL_GPL(childkernel_local_lock_init);

void childkernel_local_lock(local_lock_t *lock)
{
	local_lock(percpu_lock(lock));
}
EXPORT_SYMBOL_GPL(childkernel_local_lock);

/*
 * Nobody waits for one, but on PREEMPT_RT. The kernel has this for a type of its
 * own, which there is the same; local_lock_nested_bh() it has nothing beside.
 */
bool childkernel_local_trylock(local_lock_t *lock)
{
#ifdef CONFIG_PREEMPT_RT
	return local_trylock(percpu_lock(lock));
#else
	childkernel_local_lock(lock);
	return true;
#endif
}
EXPORT_SYMBOL_GPL(childkernel_local_trylock);

void childkernel_local_unlock(local_lock_t *lock)
{
	local_unlock(percpu_lock(lock));
}
EXPORT_SYMBOL_GPL(childkernel_local_unlock);

void childkernel_local_lock_bh(local_lock_t *lock)
{
	childkernel_bh_disable();
	local_lock_nested_bh(percpu_lock(lock));
}
EXPORT_SYMBOL_GPL(childkernel_local_lock_bh);

bool childkernel_local_trylock_bh(local_lock_t *lock)
{
#ifdef CONFIG_PREEMPT_RT
	childkernel_bh_disable();
	if (spin_trylock(this_cpu_ptr(percpu_lock(lock))))
		return true;
	childkernel_bh_enable();
	return false;
#else
	childkernel_local_lock_bh(lock);
	return true;
#endif
}
EXPORT_SYMBOL_GPL(childkernel_local_trylock_bh);

void childkernel_local_unlock_bh(local_lock_t *lock)
{
	local_unlock_nested_bh(percpu_lock(lock));
	childkernel_bh_enable();
}
EXPORT_SYMBOL_GPL(childkernel_local_unlock_bh);

/*
 * Counted, unlike local_lock_irqsave(), so that guards may be dropped in any
 * order. On PREEMPT_RT a local lock sleeps and leaves interrupts alone.
 */
void childkernel_local_lock_irq(local_lock_t *lock)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		local_interrupt_disable();
	local_lock(percpu_lock(lock));
}
EXPORT_SYMBOL_GPL(childkernel_local_lock_irq);

bool childkernel_local_trylock_irq(local_lock_t *lock)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return childkernel_local_trylock(lock);
	childkernel_local_lock_irq(lock);
	return true;
}
EXPORT_SYMBOL_GPL(childkernel_local_trylock_irq);

void childkernel_local_unlock_irq(local_lock_t *lock)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT)) {
		local_unlock(percpu_lock(lock));
		return;
	}
	/* Who was to run meanwhile is let in when interrupts are back. */
	preempt_disable();
	local_unlock(percpu_lock(lock));
	local_interrupt_enable();
	preempt_enable();
}
EXPORT_SYMBOL_GPL(childkernel_local_unlock_irq);
