// SPDX-License-Identifier: GPL-2.0
/* What src/sync/wait.rs needs of C: see shim.h. */

#include <linux/export.h>
#include <linux/sched/signal.h>

#include "../shim.h"

bool childkernel_fatal_signal_pending(void)
{
	return fatal_signal_pending(current);
}
EXPORT_SYMBOL_GPL(childkernel_fatal_signal_pending);
