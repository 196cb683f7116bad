// SPDX-License-Identifier: GPL-2.0
/*
 * What Rust calls of C, as one unit for clang: with INLINE=1 it is linked into
 * each Rust object as bitcode, so that no call is left (childkernel.mk). Only
 * functions without state of their own may be here, since there will be many
 * copies of them: shim.c is not, nor is trace.c.
 *
 * The shim's functions are exported by the objects that the kernel's own
 * compiler makes of the same files, and from nowhere else.
 */

#include <linux/bitops.h>
#include <linux/bottom_half.h>
#include <linux/export.h>
#include <linux/interrupt.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/sched/signal.h>
#include <linux/vmalloc.h>
#include <uapi/linux/sched/types.h>
#include <asm/local64.h>
#include <asm/rqspinlock.h>

#include "shim.h"

#if defined(CONFIG_X86_64) && !defined(CONFIG_UML)
/* With gcc this is a load; the inline assembly for clang stays where nobody wants the address. */
static inline void *this_cpu(unsigned long addr)
{
	return (void *)(*(unsigned long __seg_gs *)(uintptr_t)&this_cpu_off + addr);
}

#undef arch_raw_cpu_ptr
#define arch_raw_cpu_ptr(ptr) ((typeof(ptr))this_cpu((__force unsigned long)(ptr)))
#endif

#undef EXPORT_SYMBOL_GPL
#define EXPORT_SYMBOL_GPL(symbol)

/* Always, for otherwise attributes that differ forbid it: see rust/helpers/helpers.c. */
#pragma clang attribute push([[gnu::always_inline]], apply_to = function)
#include "shim/arena.c"
#include "shim/atomic.c"
#include "shim/barrier.c"
#include "shim/completion.c"
#include "shim/local_lock.c"
#include "shim/mutex.c"
#include "shim/nested.c"
#include "shim/percpu.c"
#include "shim/preempt.c"
#include "shim/rcu_list.c"
#include "shim/rcu_pointer.c"
#include "shim/region.c"
#include "shim/resilient.c"
#include "shim/rwlock.c"
#include "shim/rwsem.c"
#include "shim/semaphore.c"
#include "shim/seqcount.c"
#include "shim/seqlock.c"
#include "shim/spinlock.c"
#include "shim/thread.c"
#include "shim/wait.c"
#pragma clang attribute pop
