// SPDX-License-Identifier: GPL-2.0
/* C twin of a child: a thread, and how long it takes to come and to go. */

#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/timekeeping.h>

#include "bench.h"

struct thread {
	struct completion began;
	u64 first;
};

static int work(void *data)
{
	struct thread *it = data;

	WRITE_ONCE(it->first, ktime_get_ns());
	complete(&it->began);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	return 0;
}

int childkernel_bench_thread(u64 *start, u64 *stop)
{
	u64 from = ktime_get_ns();
	struct task_struct *task;
	struct thread it;

	init_completion(&it.began);
	task = kthread_run(work, &it, "bench/kthread");
	if (IS_ERR(task))
		return PTR_ERR(task);
	wait_for_completion(&it.began);
	*start = it.first - from;
	/* Let it come to rest. */
	schedule_timeout_uninterruptible(1);
	from = ktime_get_ns();
	kthread_stop(task);
	*stop = ktime_get_ns() - from;
	return 0;
}
