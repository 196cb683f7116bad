// SPDX-License-Identifier: GPL-2.0
/* What src/sync/nested.rs needs of C: see shim.h. */

#include <linux/export.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>

#include "../shim.h"

void childkernel_mutex_lock_nested(struct mutex *lock)
{
	mutex_lock_nested(lock, SINGLE_DEPTH_NESTING);
}
EXPORT_SYMBOL_GPL(childkernel_mutex_lock_nested);

void childkernel_spin_lock_nested(spinlock_t *lock)
{
	spin_lock_nested(lock, SINGLE_DEPTH_NESTING);
}
EXPORT_SYMBOL_GPL(childkernel_spin_lock_nested);

void childkernel_raw_spin_lock_nested(raw_spinlock_t *lock)
{
	raw_spin_lock_nested(lock, SINGLE_DEPTH_NESTING);
}
EXPORT_SYMBOL_GPL(childkernel_raw_spin_lock_nested);
