// SPDX-License-Identifier: GPL-2.0
/* What src/sync/semaphore.rs needs of C: see shim.h. */

#include <linux/export.h>

#include "../shim.h"

void childkernel_sema_init(struct semaphore *sem, unsigned int count,
			   const char *name, struct lock_class_key *key)
{
	sema_init(sem, count);
	lockdep_set_class_and_name(&sem->lock, key, name);
}
EXPORT_SYMBOL_GPL(childkernel_sema_init);
