// SPDX-License-Identifier: GPL-2.0
/* C twin of a child: a thread, and how long it takes to come and to go. */

#include <linux/completion.h>
#include <linux/kthread.h>

#include "bench.h"

struct thread {
	struct completion began;
	u64 first;
};

static int work(void *data)
{
	struct thread *it = data;

	WRITE_ONCE(it->first, childkernel_bench_time());
	complete(&it->began);
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ);
	return 0;
}

int childkernel_bench_thread(u64 *start, u64 *stop)
{
	u64 from = childkernel_bench_time();
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
	from = childkernel_bench_time();
	kthread_stop(task);
	*stop = childkernel_bench_time() - from;
	return 0;
}
