// SPDX-License-Identifier: GPL-2.0
/* What src/child.rs and src/child/thread.rs need of C: see shim.h. */

#include <linux/export.h>
#include <linux/kthread.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <uapi/linux/sched/types.h>

#include "../shim.h"

void childkernel_cond_resched(void)
{
	cond_resched();
	/*
	 * With PREEMPT that was nothing, as the next interrupt gives way. In User
	 * Mode Linux none does, only who enables preemption.
	 */
	if (IS_ENABLED(CONFIG_UML)) {
		preempt_disable();
		preempt_enable();
	}
}
EXPORT_SYMBOL_GPL(childkernel_cond_resched);

/* What kthread_stop() does before it waits. */
void childkernel_thread_interrupt(struct task_struct *task)
{
	set_tsk_thread_flag(task, TIF_NOTIFY_SIGNAL);
	wake_up_process(task);
}

bool childkernel_thread_has_exited(struct task_struct *task)
{
	/* Pairs with what do_exit() does between the thread's last step and this. */
	return smp_load_acquire(&task->exit_state) != 0;
}

int childkernel_thread_schedule(struct task_struct *task, u32 policy, u32 priority, s32 nice)
{
	struct sched_attr attr = {
		.size = sizeof(attr),
		.sched_policy = policy,
		.sched_priority = priority,
		.sched_nice = nice,
	};

	return sched_setattr_nocheck(task, &attr);
}
