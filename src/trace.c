// SPDX-License-Identifier: GPL-2.0
/* The tracepoints, and the functions through which Rust reaches them. */

#include "shim.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

void childkernel_trace_child_state(u64 id, u32 generation, const char *name,
				   const char *from, const char *to, int error)
{
	trace_child_state(id, generation, name, from, to, error);
}
