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

CHILDKERNEL_BENCH_TWIN(mutex_killable)
{
	do {
		if (!mutex_lock_killable(&b->mutex.lock)) {
			b->mutex.n++;
			mutex_unlock(&b->mutex.lock);
		}
	} while (--n);
	return 0;
}

CHILDKERNEL_BENCH_TWIN(mutex_two)
{
	do {
		struct mutex *first = &b->mutex.lock, *second = &b->other_mutex.lock;

		if (first > second)
			swap(first, second);
		mutex_lock(first);
		mutex_lock_nested(second, SINGLE_DEPTH_NESTING);
		b->mutex.n++;
		b->other_mutex.n++;
		mutex_unlock(second);
		mutex_unlock(first);
	} while (--n);
	return 0;
}

CHILDKERNEL_BENCH_TWIN(semaphore_interruptible)
{
	do {
		if (!down_interruptible(&b->sem.lock))
			up(&b->sem.lock);
	} while (--n);
	return 0;
}

CHILDKERNEL_BENCH_TWIN(semaphore_timeout)
{
	do {
		if (!down_timeout(&b->sem.lock, HZ))
			up(&b->sem.lock);
	} while (--n);
	return 0;
}

CHILDKERNEL_BENCH_TWIN(rwsem_read_killable)
{
	u64 sum = 0;

	do {
		if (!down_read_killable(&b->rwsem.lock)) {
			sum += READ_ONCE(b->rwsem.n);
			up_read(&b->rwsem.lock);
		}
	} while (--n);
	return sum;
}

CHILDKERNEL_BENCH_TWIN(rwsem_try_read)
{
	u64 sum = 0;

	do {
		if (down_read_trylock(&b->rwsem.lock)) {
			sum += READ_ONCE(b->rwsem.n);
			up_read(&b->rwsem.lock);
		}
	} while (--n);
	return sum;
}

CHILDKERNEL_BENCH_TWIN(rwsem_try_write)
{
	do {
		if (down_write_trylock(&b->rwsem.lock)) {
			b->rwsem.n++;
			up_write(&b->rwsem.lock);
		}
	} while (--n);
	return 0;
}

CHILDKERNEL_BENCH_TWIN(percpu_rwsem_try_read)
{
	u64 sum = 0;

	do {
		if (percpu_down_read_trylock(&b->percpu_rwsem.lock)) {
			sum += READ_ONCE(b->percpu_rwsem.n);
			percpu_up_read(&b->percpu_rwsem.lock);
		}
	} while (--n);
	return sum;
}

CHILDKERNEL_BENCH_TWIN(percpu_rwsem_write)
{
	do {
		percpu_down_write(&b->percpu_rwsem.lock);
		b->percpu_rwsem.n++;
		percpu_up_write(&b->percpu_rwsem.lock);
	} while (--n);
	return 0;
}

CHILDKERNEL_BENCH_TWIN(completion_wait)
{
	do {
		complete(&b->done);
		wait_for_completion(&b->done);
	} while (--n);
	return 0;
}

CHILDKERNEL_BENCH_TWIN(wake_all_nobody)
{
	do {
		wake_up_all(&b->wait);
	} while (--n);
	return 0;
}
