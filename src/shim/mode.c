// SPDX-License-Identifier: GPL-2.0
/* What src/stats/mode.rs needs of C: see shim.h. */

#include <linux/export.h>
#include <linux/jump_label.h>
#include <linux/mutex.h>

#include "../shim.h"

static DEFINE_MUTEX(stats_mode_mutex);

struct childkernel_key childkernel_counting = { .key = STATIC_KEY_FALSE_INIT };
EXPORT_SYMBOL_GPL(childkernel_counting);

struct childkernel_key childkernel_timing = { .key = STATIC_KEY_FALSE_INIT };
EXPORT_SYMBOL_GPL(childkernel_timing);

static void set(struct childkernel_key *it, bool on)
{
	if (on)
		static_key_enable(&it->key.key);
	else
		static_key_disable(&it->key.key);
}

void childkernel_set_counting(bool on)
{
	set(&childkernel_counting, on);
}

void childkernel_set_timing(bool on)
{
	set(&childkernel_timing, on);
}

struct mutex *childkernel_stats_mode_mutex(void)
{
	return &stats_mode_mutex;
}
