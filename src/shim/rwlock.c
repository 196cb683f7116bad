// SPDX-License-Identifier: GPL-2.0
/* What src/sync/rwlock.rs needs of C: see shim.h. */

#include <linux/export.h>
#include <linux/interrupt.h>

#include "../shim.h"
#include "bh.h"

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

/* Around an unlock: who is to run is let in when interrupts are back, not missed. */
static void rw_resched_disable(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_disable();
}

static void rw_resched_enable(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		preempt_enable();
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
	rw_resched_disable();
	read_unlock(lock);
	rw_irq_enable();
	rw_resched_enable();
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
	rw_resched_disable();
	write_unlock(lock);
	rw_irq_enable();
	rw_resched_enable();
}
EXPORT_SYMBOL_GPL(childkernel_write_unlock_irq);

void childkernel_read_lock_bh(rwlock_t *lock)
{
	read_lock_bh(lock);
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
	if (bh_must_wait()) {
		read_unlock(lock);
		_local_bh_enable();
	} else {
		read_unlock_bh(lock);
	}
}
EXPORT_SYMBOL_GPL(childkernel_read_unlock_bh);

void childkernel_write_lock_bh(rwlock_t *lock)
{
	write_lock_bh(lock);
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
	if (bh_must_wait()) {
		write_unlock(lock);
		_local_bh_enable();
	} else {
		write_unlock_bh(lock);
	}
}
EXPORT_SYMBOL_GPL(childkernel_write_unlock_bh);
