// SPDX-License-Identifier: GPL-2.0
/* What src/sync/resilient.rs needs of C: see shim.h. */

#include <linux/export.h>
#include <asm/rqspinlock.h>

#include "../shim.h"

static_assert(sizeof(rqspinlock_t) == sizeof(u32));

void childkernel_res_spin_lock_init(u32 *lock)
{
	raw_res_spin_lock_init((rqspinlock_t *)lock);
}
EXPORT_SYMBOL_GPL(childkernel_res_spin_lock_init);

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
