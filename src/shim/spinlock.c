// SPDX-License-Identifier: GPL-2.0
/* What src/sync/spinlock.rs needs of C: see shim.h. */

#include <linux/export.h>

#include "../shim.h"
#include "bh.h"

/* Elsewhere they exclude nobody: two guards would be two exclusive references. */
static_assert(IS_ENABLED(CONFIG_SMP));

void childkernel_spin_lock_bh(spinlock_t *lock)
{
	spin_lock_bh(lock);
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
	if (bh_must_wait()) {
		spin_unlock(lock);
		_local_bh_enable();
	} else {
		spin_unlock_bh(lock);
	}
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
