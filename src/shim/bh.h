/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CHILDKERNEL_SHIM_BH_H
#define CHILDKERNEL_SHIM_BH_H

#include <linux/bottom_half.h>
#include <linux/irqflags.h>

/*
 * Guards may be dropped in any order, so bottom halves may come back with
 * interrupts off, where soft interrupts cannot be run: they are at the next
 * interrupt's end. C's unlock functions do not ask.
 */
static inline bool bh_must_wait(void)
{
	return !IS_ENABLED(CONFIG_PREEMPT_RT) && unlikely(irqs_disabled());
}

#endif
