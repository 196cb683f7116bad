// SPDX-License-Identifier: GPL-2.0
/* C twins: locks that sleep, and what is waited for, when nobody has to wait. See bench.h. */

#include "subject.h"

CHILDKERNEL_BENCH_TWIN(mutex)
{
	do {
		mutex_lock(&b->mutex.lock);
		b->mutex.n++;
		mutex_unlock(&b->mutex.lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(mutex_try)
{
	do {
		if (mutex_trylock(&b->mutex.lock)) {
			b->mutex.n++;
			mutex_unlock(&b->mutex.lock);
		}
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(mutex_interruptible)
{
	do {
		if (!mutex_lock_interruptible(&b->mutex.lock)) {
			b->mutex.n++;
			mutex_unlock(&b->mutex.lock);
		}
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(semaphore)
{
	do {
		down(&b->sem.lock);
		up(&b->sem.lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(semaphore_try)
{
	do {
		if (!down_trylock(&b->sem.lock))
			up(&b->sem.lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(rwsem_read)
{
	u64 sum = 0;

	do {
		down_read(&b->rwsem.lock);
		sum += READ_ONCE(b->rwsem.n);
		up_read(&b->rwsem.lock);
	} while (again(&n));
	return sum;
}

CHILDKERNEL_BENCH_TWIN(rwsem_write)
{
	do {
		down_write(&b->rwsem.lock);
		b->rwsem.n++;
		up_write(&b->rwsem.lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(rwsem_downgrade)
{
	do {
		down_write(&b->rwsem.lock);
		b->rwsem.n++;
		downgrade_write(&b->rwsem.lock);
		up_read(&b->rwsem.lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(percpu_rwsem_read)
{
	u64 sum = 0;

	do {
		percpu_down_read(&b->percpu_rwsem.lock);
		sum += READ_ONCE(b->percpu_rwsem.n);
		percpu_up_read(&b->percpu_rwsem.lock);
	} while (again(&n));
	return sum;
}

CHILDKERNEL_BENCH_TWIN(completion)
{
	u64 sum = 0;

	do {
		complete(&b->done);
		sum += try_wait_for_completion(&b->done);
	} while (again(&n));
	return sum;
}

CHILDKERNEL_BENCH_TWIN(wake_nobody)
{
	do {
		wake_up(&b->wait);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(srcu_read)
{
	do {
		int idx = srcu_read_lock(&b->srcu);

		srcu_read_unlock(&b->srcu, idx);
	} while (again(&n));
	return 0;
}
