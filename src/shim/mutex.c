// SPDX-License-Identifier: GPL-2.0
/* What src/sync/mutex.rs needs of C: see shim.h. */

#include <linux/export.h>

#include "../shim.h"

int childkernel_mutex_lock_interruptible(struct mutex *lock)
{
	return mutex_lock_interruptible(lock);
}
EXPORT_SYMBOL_GPL(childkernel_mutex_lock_interruptible);

int childkernel_mutex_lock_killable(struct mutex *lock)
{
	return mutex_lock_killable(lock);
}
EXPORT_SYMBOL_GPL(childkernel_mutex_lock_killable);
