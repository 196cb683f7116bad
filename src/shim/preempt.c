// SPDX-License-Identifier: GPL-2.0
/* What src/sync/preempt.rs needs of C: see shim.h. */

#include <linux/bottom_half.h>
#include <linux/export.h>
#include <linux/interrupt.h>
#include <linux/preempt.h>

#include "../shim.h"
#include "bh.h"

void childkernel_preempt_disable(void)
{
	preempt_disable();
}
EXPORT_SYMBOL_GPL(childkernel_preempt_disable);

void childkernel_preempt_enable(void)
{
	preempt_enable();
}
EXPORT_SYMBOL_GPL(childkernel_preempt_enable);

void childkernel_bh_disable(void)
{
	local_bh_disable();
}
EXPORT_SYMBOL_GPL(childkernel_bh_disable);

void childkernel_bh_enable(void)
{
	if (bh_must_wait())
		_local_bh_enable();
	else
		local_bh_enable();
}
EXPORT_SYMBOL_GPL(childkernel_bh_enable);

bool childkernel_irqs_disabled(void)
{
	return irqs_disabled();
}
EXPORT_SYMBOL_GPL(childkernel_irqs_disabled);

bool childkernel_in_softirq_or_disabled(void)
{
	return in_softirq();
}
EXPORT_SYMBOL_GPL(childkernel_in_softirq_or_disabled);

u32 childkernel_preempt_count(void)
{
	return preempt_count();
}
EXPORT_SYMBOL_GPL(childkernel_preempt_count);

bool childkernel_in_hardirq(void)
{
	return in_hardirq();
}
EXPORT_SYMBOL_GPL(childkernel_in_hardirq);
