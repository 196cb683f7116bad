// SPDX-License-Identifier: GPL-2.0
/* See torture.h. */

#include <linux/cpumask.h>
#include <linux/moduleparam.h>
#include <linux/random.h>
#include <linux/sched.h>

#include "../shim.h"

static char *torture = "";
module_param(torture, charp, 0444);
MODULE_PARM_DESC(torture, "what to torture: names with commas, or all; a wrong word gets a list (default: none)");

static char *torture_mode = "both";
module_param(torture_mode, charp, 0444);
MODULE_PARM_DESC(torture_mode, "whom to torture: sound, twins or both (default: both)");

static long torture_seconds = 60;
module_param(torture_seconds, long, 0444);
MODULE_PARM_DESC(torture_seconds, "how long to torture what is sound, 1 to 86400 s (default: 60)");

static long torture_seed;
module_param(torture_seed, long, 0444);
MODULE_PARM_DESC(torture_seed, "where random choices begin; 0: anywhere (default: 0)");

static long torture_crashes;
module_param(torture_crashes, long, 0444);
MODULE_PARM_DESC(torture_crashes, "how many children crash meanwhile, 0 to 50, which taints the kernel (default: 0)");

const char *childkernel_param_torture(void)
{
	return torture;
}

const char *childkernel_param_torture_mode(void)
{
	return torture_mode;
}

s64 childkernel_param_torture_seconds(void)
{
	return torture_seconds;
}

s64 childkernel_param_torture_seed(void)
{
	return torture_seed;
}

s64 childkernel_param_torture_crashes(void)
{
	return torture_crashes;
}

u32 childkernel_torture_any_seed(void)
{
	return get_random_u32() | 1;
}

void childkernel_torture_move(int cpu)
{
	const struct cpumask *mask = cpu < 0 ? cpu_possible_mask : cpumask_of(cpu);

	/* A CPU may go offline at any time: then the thread stays where it is. */
	set_cpus_allowed_ptr(current, mask);
}
