// SPDX-License-Identifier: GPL-2.0
/* What src/sync/completion.rs needs of C: see shim.h. */

#include <linux/export.h>

#include "../shim.h"

void childkernel_init_completion(struct completion *x, const char *name,
				 struct lock_class_key *key)
{
	init_completion(x);
	/* init_completion() has one class for all of Rust; ours have one each. */
	lockdep_set_class_and_name(&x->wait.lock, key, name);
}
EXPORT_SYMBOL_GPL(childkernel_init_completion);

void childkernel_reinit_completion(struct completion *x)
{
	unsigned long flags;

	/* Between the two steps of a waiter this would leave it done for ever. */
	raw_spin_lock_irqsave(&x->wait.lock, flags);
	reinit_completion(x);
	raw_spin_unlock_irqrestore(&x->wait.lock, flags);
}
EXPORT_SYMBOL_GPL(childkernel_reinit_completion);
