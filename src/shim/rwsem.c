// SPDX-License-Identifier: GPL-2.0
/* What src/sync/rwsem.rs needs of C: see shim.h. */

#include <linux/export.h>

#include "../shim.h"

void childkernel_percpu_down_read(struct percpu_rw_semaphore *sem)
{
	percpu_down_read(sem);
}
EXPORT_SYMBOL_GPL(childkernel_percpu_down_read);

bool childkernel_percpu_down_read_trylock(struct percpu_rw_semaphore *sem)
{
	return percpu_down_read_trylock(sem);
}
EXPORT_SYMBOL_GPL(childkernel_percpu_down_read_trylock);

void childkernel_percpu_up_read(struct percpu_rw_semaphore *sem)
{
	percpu_up_read(sem);
}
EXPORT_SYMBOL_GPL(childkernel_percpu_up_read);
