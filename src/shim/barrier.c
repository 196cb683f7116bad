// SPDX-License-Identifier: GPL-2.0
/* What src/sync/barrier.rs needs of C: see shim.h. */

#include <linux/atomic.h>
#include <linux/export.h>

#include "../shim.h"

void childkernel_smp_mb__before_atomic(void)
{
	/* Paired by the caller. */
	smp_mb__before_atomic();
}
EXPORT_SYMBOL_GPL(childkernel_smp_mb__before_atomic);

void childkernel_smp_mb__after_atomic(void)
{
	/* Paired by the caller. */
	smp_mb__after_atomic();
}
EXPORT_SYMBOL_GPL(childkernel_smp_mb__after_atomic);
