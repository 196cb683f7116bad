/* SPDX-License-Identifier: GPL-2.0 */
/* What src/torture/ needs of C: its parameters, and a way to other CPUs. */
#ifndef CHILDKERNEL_TORTURE_H
#define CHILDKERNEL_TORTURE_H

#include <linux/types.h>

const char *childkernel_param_torture(void);
const char *childkernel_param_torture_mode(void);
s64 childkernel_param_torture_seconds(void);
s64 childkernel_param_torture_seed(void);
s64 childkernel_param_torture_crashes(void);

/* A seed that nobody has given: not 0. */
u32 childkernel_torture_any_seed(void);

/*
 * Binds the current thread to a CPU, or to none in particular if it is negative.
 * One that is offline is refused.
 */
void childkernel_torture_move(int cpu);

#endif
