// SPDX-License-Identifier: GPL-2.0
/* What src/sync/resilient.rs needs of C: see shim.h. */

#include <linux/export.h>
#include <linux/interrupt.h>
#include <asm/rqspinlock.h>

#include "../shim.h"

static_assert(sizeof(rqspinlock_t) == sizeof(u32));

void childkernel_res_spin_lock_init(u32 *lock)
{
	raw_res_spin_lock_init((rqspinlock_t *)lock);
}
EXPORT_SYMBOL_GPL(childkernel_res_spin_lock_init);

bool childkernel_res_spin_is_locked(const u32 *lock)
{
	/* Whatever bit it is: held, or waited for. */
	return atomic_read(&((const rqspinlock_t *)lock)->val);
}
EXPORT_SYMBOL_GPL(childkernel_res_spin_is_locked);

int childkernel_res_spin_lock(u32 *lock)
{
	return raw_res_spin_lock((rqspinlock_t *)lock);
}
EXPORT_SYMBOL_GPL(childkernel_res_spin_lock);

void childkernel_res_spin_unlock(u32 *lock)
{
	raw_res_spin_unlock((rqspinlock_t *)lock);
}
EXPORT_SYMBOL_GPL(childkernel_res_spin_unlock);

/*
 * Counted, unlike raw_res_spin_lock_irqsave(), so that guards may be dropped in
 * any order.
 */
int childkernel_res_spin_lock_irq(u32 *lock)
{
	int ret;

	local_interrupt_disable();
	ret = raw_res_spin_lock((rqspinlock_t *)lock);
	if (ret)
		local_interrupt_enable();
	return ret;
}
EXPORT_SYMBOL_GPL(childkernel_res_spin_lock_irq);

void childkernel_res_spin_unlock_irq(u32 *lock)
{
	res_spin_unlock((rqspinlock_t *)lock);
	local_interrupt_enable();
	/* Last, as it is what looks whether another task is to run. */
	preempt_enable();
}
EXPORT_SYMBOL_GPL(childkernel_res_spin_unlock_irq);
