// SPDX-License-Identifier: GPL-2.0
/*
 * See shim.h: what src/sync/ needs of C. All of it can be reached from inline
 * or generic Rust code of another module, so all of it is exported.
 */

#include <linux/bottom_half.h>
#include <linux/export.h>
#include <linux/interrupt.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <asm/rqspinlock.h>

#include "shim.h"

void childkernel_init_completion(struct completion *x, const char *name,
				 struct lock_class_key *key)
{
	init_completion(x);
	/* init_completion() has one class for all of Rust; ours have one each. */
	lockdep_set_class_and_name(&x->wait.lock, key, name);
}
EXPORT_SYMBOL_GPL(childkernel_init_completion);

void childkernel_reinit_completion(struct completion *x)
{
	unsigned long flags;

	/* Between the two steps of a waiter this would leave it done for ever. */
	raw_spin_lock_irqsave(&x->wait.lock, flags);
	reinit_completion(x);
	raw_spin_unlock_irqrestore(&x->wait.lock, flags);
}
EXPORT_SYMBOL_GPL(childkernel_reinit_completion);

void childkernel_seqlock_init(seqlock_t *sl, const char *name,
			      struct lock_class_key *lock_key,
			      struct lock_class_key *seq_key)
{
	seqlock_init(sl);
	lockdep_set_class_and_name(&sl->lock, lock_key, name);
	__seqcount_init(&sl->seqcount.seqcount, name, seq_key);
}
EXPORT_SYMBOL_GPL(childkernel_seqlock_init);

void childkernel_write_seqlock(seqlock_t *sl)
{
	write_seqlock(sl);
}
EXPORT_SYMBOL_GPL(childkernel_write_seqlock);

bool childkernel_write_tryseqlock(seqlock_t *sl)
{
	if (!spin_trylock(&sl->lock))
		return false;
	write_seqcount_begin(&sl->seqcount);
	return true;
}
EXPORT_SYMBOL_GPL(childkernel_write_tryseqlock);

void childkernel_write_sequnlock(seqlock_t *sl)
{
	write_sequnlock(sl);
}
EXPORT_SYMBOL_GPL(childkernel_write_sequnlock);

unsigned int childkernel_read_seqbegin(const seqlock_t *sl)
{
	return read_seqbegin(sl);
}
EXPORT_SYMBOL_GPL(childkernel_read_seqbegin);

bool childkernel_read_tryseqbegin(const seqlock_t *sl, unsigned int *seq)
{
	return raw_seqcount_try_begin(&sl->seqcount, *seq);
}
EXPORT_SYMBOL_GPL(childkernel_read_tryseqbegin);

bool childkernel_read_seqretry(const seqlock_t *sl, unsigned int seq)
{
	return read_seqretry(sl, seq);
}
EXPORT_SYMBOL_GPL(childkernel_read_seqretry);

void childkernel_preempt_disable(void)
{
	preempt_disable();
}
EXPORT_SYMBOL_GPL(childkernel_preempt_disable);

void childkernel_preempt_enable(void)
{
	preempt_enable();
}
EXPORT_SYMBOL_GPL(childkernel_preempt_enable);

void childkernel_bh_disable(void)
{
	local_bh_disable();
}
EXPORT_SYMBOL_GPL(childkernel_bh_disable);

/*
 * Guards may be dropped in any order, so also with interrupts off, where soft
 * interrupts cannot be run: they are at the next interrupt's end.
 */
void childkernel_bh_enable(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT) && irqs_disabled())
		_local_bh_enable();
	else
		local_bh_enable();
}
EXPORT_SYMBOL_GPL(childkernel_bh_enable);

bool childkernel_irqs_disabled(void)
{
	return irqs_disabled();
}
EXPORT_SYMBOL_GPL(childkernel_irqs_disabled);

bool childkernel_in_softirq_or_disabled(void)
{
	return in_softirq();
}
EXPORT_SYMBOL_GPL(childkernel_in_softirq_or_disabled);

u32 childkernel_preempt_count(void)
{
	return preempt_count();
}
EXPORT_SYMBOL_GPL(childkernel_preempt_count);

void childkernel_spin_lock_bh(spinlock_t *lock)
{
	childkernel_bh_disable();
	spin_lock(lock);
}
EXPORT_SYMBOL_GPL(childkernel_spin_lock_bh);

bool childkernel_spin_trylock_bh(spinlock_t *lock)
{
	childkernel_bh_disable();
	if (spin_trylock(lock))
		return true;
	childkernel_bh_enable();
	return false;
}
EXPORT_SYMBOL_GPL(childkernel_spin_trylock_bh);

void childkernel_spin_unlock_bh(spinlock_t *lock)
{
	spin_unlock(lock);
	childkernel_bh_enable();
}
EXPORT_SYMBOL_GPL(childkernel_spin_unlock_bh);

void childkernel_spin_assert_held(spinlock_t *lock)
{
	lockdep_assert_held(lock);
}
EXPORT_SYMBOL_GPL(childkernel_spin_assert_held);

void childkernel_raw_spin_lock_init(raw_spinlock_t *lock, const char *name,
				    struct lock_class_key *key)
{
	raw_spin_lock_init(lock);
	lockdep_set_class_and_name(lock, key, name);
}
EXPORT_SYMBOL_GPL(childkernel_raw_spin_lock_init);

void childkernel_raw_spin_lock(raw_spinlock_t *lock)
{
	raw_spin_lock(lock);
}
EXPORT_SYMBOL_GPL(childkernel_raw_spin_lock);

bool childkernel_raw_spin_trylock(raw_spinlock_t *lock)
{
	return raw_spin_trylock(lock);
}
EXPORT_SYMBOL_GPL(childkernel_raw_spin_trylock);

void childkernel_raw_spin_unlock(raw_spinlock_t *lock)
{
	raw_spin_unlock(lock);
}
EXPORT_SYMBOL_GPL(childkernel_raw_spin_unlock);

void childkernel_raw_spin_lock_irq_disable(raw_spinlock_t *lock)
{
	raw_spin_lock_irq_disable(lock);
}
EXPORT_SYMBOL_GPL(childkernel_raw_spin_lock_irq_disable);

bool childkernel_raw_spin_trylock_irq_disable(raw_spinlock_t *lock)
{
	local_interrupt_disable();
	if (raw_spin_trylock(lock))
		return true;
	local_interrupt_enable();
	return false;
}
EXPORT_SYMBOL_GPL(childkernel_raw_spin_trylock_irq_disable);

void childkernel_raw_spin_unlock_irq_enable(raw_spinlock_t *lock)
{
	raw_spin_unlock_irq_enable(lock);
}
EXPORT_SYMBOL_GPL(childkernel_raw_spin_unlock_irq_enable);

void childkernel_raw_spin_assert_held(raw_spinlock_t *lock)
{
	lockdep_assert_held(lock);
}
EXPORT_SYMBOL_GPL(childkernel_raw_spin_assert_held);

void childkernel_rwlock_init(rwlock_t *lock, const char *name,
			     struct lock_class_key *key)
{
	rwlock_init(lock);
	lockdep_set_class_and_name(lock, key, name);
}
EXPORT_SYMBOL_GPL(childkernel_rwlock_init);

void childkernel_read_lock(rwlock_t *lock)
{
	read_lock(lock);
}
EXPORT_SYMBOL_GPL(childkernel_read_lock);

bool childkernel_read_trylock(rwlock_t *lock)
{
	return read_trylock(lock);
}
EXPORT_SYMBOL_GPL(childkernel_read_trylock);

void childkernel_read_unlock(rwlock_t *lock)
{
	read_unlock(lock);
}
EXPORT_SYMBOL_GPL(childkernel_read_unlock);

void childkernel_write_lock(rwlock_t *lock)
{
	write_lock(lock);
}
EXPORT_SYMBOL_GPL(childkernel_write_lock);

bool childkernel_write_trylock(rwlock_t *lock)
{
	return write_trylock(lock);
}
EXPORT_SYMBOL_GPL(childkernel_write_trylock);

void childkernel_write_unlock(rwlock_t *lock)
{
	write_unlock(lock);
}
EXPORT_SYMBOL_GPL(childkernel_write_unlock);

/*
 * Counted, unlike read_lock_irqsave(), so that guards may be dropped in any
 * order. On PREEMPT_RT these locks sleep and leave interrupts alone.
 */
static void rw_irq_disable(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		local_interrupt_disable();
}

static void rw_irq_enable(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		local_interrupt_enable();
}

void childkernel_read_lock_irq(rwlock_t *lock)
{
	rw_irq_disable();
	read_lock(lock);
}
EXPORT_SYMBOL_GPL(childkernel_read_lock_irq);

bool childkernel_read_trylock_irq(rwlock_t *lock)
{
	rw_irq_disable();
	if (read_trylock(lock))
		return true;
	rw_irq_enable();
	return false;
}
EXPORT_SYMBOL_GPL(childkernel_read_trylock_irq);

void childkernel_read_unlock_irq(rwlock_t *lock)
{
	read_unlock(lock);
	rw_irq_enable();
}
EXPORT_SYMBOL_GPL(childkernel_read_unlock_irq);

void childkernel_write_lock_irq(rwlock_t *lock)
{
	rw_irq_disable();
	write_lock(lock);
}
EXPORT_SYMBOL_GPL(childkernel_write_lock_irq);

bool childkernel_write_trylock_irq(rwlock_t *lock)
{
	rw_irq_disable();
	if (write_trylock(lock))
		return true;
	rw_irq_enable();
	return false;
}
EXPORT_SYMBOL_GPL(childkernel_write_trylock_irq);

void childkernel_write_unlock_irq(rwlock_t *lock)
{
	write_unlock(lock);
	rw_irq_enable();
}
EXPORT_SYMBOL_GPL(childkernel_write_unlock_irq);

void childkernel_read_lock_bh(rwlock_t *lock)
{
	childkernel_bh_disable();
	read_lock(lock);
}
EXPORT_SYMBOL_GPL(childkernel_read_lock_bh);

bool childkernel_read_trylock_bh(rwlock_t *lock)
{
	childkernel_bh_disable();
	if (read_trylock(lock))
		return true;
	childkernel_bh_enable();
	return false;
}
EXPORT_SYMBOL_GPL(childkernel_read_trylock_bh);

void childkernel_read_unlock_bh(rwlock_t *lock)
{
	read_unlock(lock);
	childkernel_bh_enable();
}
EXPORT_SYMBOL_GPL(childkernel_read_unlock_bh);

void childkernel_write_lock_bh(rwlock_t *lock)
{
	childkernel_bh_disable();
	write_lock(lock);
}
EXPORT_SYMBOL_GPL(childkernel_write_lock_bh);

bool childkernel_write_trylock_bh(rwlock_t *lock)
{
	childkernel_bh_disable();
	if (write_trylock(lock))
		return true;
	childkernel_bh_enable();
	return false;
}
EXPORT_SYMBOL_GPL(childkernel_write_trylock_bh);

void childkernel_write_unlock_bh(rwlock_t *lock)
{
	write_unlock(lock);
	childkernel_bh_enable();
}
EXPORT_SYMBOL_GPL(childkernel_write_unlock_bh);

static_assert(sizeof(rqspinlock_t) == sizeof(u32));

void childkernel_res_spin_lock_init(u32 *lock)
{
	raw_res_spin_lock_init((rqspinlock_t *)lock);
}
EXPORT_SYMBOL_GPL(childkernel_res_spin_lock_init);

int childkernel_res_spin_lock(u32 *lock)
{
	return raw_res_spin_lock((rqspinlock_t *)lock);
}
EXPORT_SYMBOL_GPL(childkernel_res_spin_lock);

void childkernel_res_spin_unlock(u32 *lock)
{
	raw_res_spin_unlock((rqspinlock_t *)lock);
}
EXPORT_SYMBOL_GPL(childkernel_res_spin_unlock);

int childkernel_mutex_lock_interruptible(struct mutex *lock)
{
	return mutex_lock_interruptible(lock);
}
EXPORT_SYMBOL_GPL(childkernel_mutex_lock_interruptible);

int childkernel_mutex_lock_killable(struct mutex *lock)
{
	return mutex_lock_killable(lock);
}
EXPORT_SYMBOL_GPL(childkernel_mutex_lock_killable);

void childkernel_sema_init(struct semaphore *sem, unsigned int count,
			   const char *name, struct lock_class_key *key)
{
	sema_init(sem, count);
	lockdep_set_class_and_name(&sem->lock, key, name);
}
EXPORT_SYMBOL_GPL(childkernel_sema_init);

void childkernel_percpu_down_read(struct percpu_rw_semaphore *sem)
{
	percpu_down_read(sem);
}
EXPORT_SYMBOL_GPL(childkernel_percpu_down_read);

bool childkernel_percpu_down_read_trylock(struct percpu_rw_semaphore *sem)
{
	return percpu_down_read_trylock(sem);
}
EXPORT_SYMBOL_GPL(childkernel_percpu_down_read_trylock);

void childkernel_percpu_up_read(struct percpu_rw_semaphore *sem)
{
	percpu_up_read(sem);
}
EXPORT_SYMBOL_GPL(childkernel_percpu_up_read);

void childkernel_init_list_head_rcu(struct list_head *head)
{
	INIT_LIST_HEAD_RCU(head);
}
EXPORT_SYMBOL_GPL(childkernel_init_list_head_rcu);

void childkernel_list_add_rcu(struct list_head *new, struct list_head *head)
{
	list_add_rcu(new, head);
}
EXPORT_SYMBOL_GPL(childkernel_list_add_rcu);

void childkernel_list_add_tail_rcu(struct list_head *new, struct list_head *head)
{
	list_add_tail_rcu(new, head);
}
EXPORT_SYMBOL_GPL(childkernel_list_add_tail_rcu);

void childkernel_list_del_rcu(struct list_head *entry)
{
	list_del_rcu(entry);
}
EXPORT_SYMBOL_GPL(childkernel_list_del_rcu);

struct list_head *childkernel_list_next_rcu(const struct list_head *entry)
{
	return rcu_dereference(list_next_rcu(entry));
}
EXPORT_SYMBOL_GPL(childkernel_list_next_rcu);

/* Rust knows no address spaces: it keeps a per-CPU address as a plain pointer. */
static u64 __percpu *cell(const u64 *p)
{
	return (u64 __percpu *)(__force unsigned long)p;
}

u64 *childkernel_percpu_alloc(size_t count)
{
	size_t size;

	if (check_mul_overflow(count, sizeof(u64), &size))
		return NULL;
	return (u64 *)(__force unsigned long)__alloc_percpu(size, __alignof__(u64));
}
EXPORT_SYMBOL_GPL(childkernel_percpu_alloc);

void childkernel_percpu_free(u64 *p)
{
	free_percpu(cell(p));
}
EXPORT_SYMBOL_GPL(childkernel_percpu_free);

void childkernel_percpu_add(u64 *p, u64 n)
{
	this_cpu_add(*cell(p), n);
}
EXPORT_SYMBOL_GPL(childkernel_percpu_add);

u64 childkernel_percpu_add_return(u64 *p, u64 n)
{
	return this_cpu_add_return(*cell(p), n);
}
EXPORT_SYMBOL_GPL(childkernel_percpu_add_return);

u64 childkernel_percpu_sum(const u64 *p)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(*per_cpu_ptr(cell(p), cpu));
	return sum;
}
EXPORT_SYMBOL_GPL(childkernel_percpu_sum);
