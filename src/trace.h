/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of childkernel.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM childkernel

#if !defined(CHILDKERNEL_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define CHILDKERNEL_TRACE_H

#include <linux/tracepoint.h>

/*
 * A child kernel has gone from one state to another. The error is that of its
 * end, as a negative errno, or 0.
 */
TRACE_EVENT(child_state,
	    TP_PROTO(u64 id, u32 generation, const char *name, const char *from,
		     const char *to, int error),
	    TP_ARGS(id, generation, name, from, to, error),
	    TP_STRUCT__entry(__field(u64, id)
			     __field(u32, generation)
			     __string(name, name)
			     __string(from, from)
			     __string(to, to)
			     __field(int, error)),
	    TP_fast_assign(__entry->id = id;
			   __entry->generation = generation;
			   __assign_str(name);
			   __assign_str(from);
			   __assign_str(to);
			   __entry->error = error;),
	    TP_printk("id=%llu generation=%u name=%s from=%s to=%s error=%d",
		      __entry->id, __entry->generation, __get_str(name),
		      __get_str(from), __get_str(to), __entry->error)
);

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
