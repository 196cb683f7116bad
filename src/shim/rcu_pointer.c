// SPDX-License-Identifier: GPL-2.0
/* What src/sync/rcu_pointer.rs needs of C: see shim.h. */

#include <linux/export.h>

#include "../shim.h"

void *childkernel_rcu_dereference(void *const *p)
{
	return rcu_dereference(*(void __rcu *const *)p);
}
EXPORT_SYMBOL_GPL(childkernel_rcu_dereference);
