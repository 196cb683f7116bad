// SPDX-License-Identifier: GPL-2.0
/* What src/sync/seqlock.rs needs of C: see shim.h. */

#include <linux/export.h>

#include "../shim.h"
#include "bh.h"

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

void childkernel_write_seqlock_bh(seqlock_t *sl)
{
	write_seqlock_bh(sl);
}
EXPORT_SYMBOL_GPL(childkernel_write_seqlock_bh);

bool childkernel_write_tryseqlock_bh(seqlock_t *sl)
{
	childkernel_bh_disable();
	if (childkernel_write_tryseqlock(sl))
		return true;
	childkernel_bh_enable();
	return false;
}
EXPORT_SYMBOL_GPL(childkernel_write_tryseqlock_bh);

void childkernel_write_sequnlock_bh(seqlock_t *sl)
{
	if (bh_must_wait()) {
		write_sequnlock(sl);
		_local_bh_enable();
	} else {
		write_sequnlock_bh(sl);
	}
}
EXPORT_SYMBOL_GPL(childkernel_write_sequnlock_bh);

/*
 * Counted, unlike write_seqlock_irqsave(), so that guards may be dropped in any
 * order. On PREEMPT_RT these leave interrupts alone.
 */
void childkernel_write_seqlock_irq(seqlock_t *sl)
{
	spin_lock_irq_disable(&sl->lock);
	write_seqcount_begin(&sl->seqcount);
}
EXPORT_SYMBOL_GPL(childkernel_write_seqlock_irq);

bool childkernel_write_tryseqlock_irq(seqlock_t *sl)
{
	if (!spin_trylock_irq_disable(&sl->lock))
		return false;
	write_seqcount_begin(&sl->seqcount);
	return true;
}
EXPORT_SYMBOL_GPL(childkernel_write_tryseqlock_irq);

void childkernel_write_sequnlock_irq(seqlock_t *sl)
{
	write_seqcount_end(&sl->seqcount);
	spin_unlock_irq_enable(&sl->lock);
}
EXPORT_SYMBOL_GPL(childkernel_write_sequnlock_irq);

void childkernel_read_seqlock_excl(seqlock_t *sl)
{
	read_seqlock_excl(sl);
}
EXPORT_SYMBOL_GPL(childkernel_read_seqlock_excl);

void childkernel_read_sequnlock_excl(seqlock_t *sl)
{
	read_sequnlock_excl(sl);
}
EXPORT_SYMBOL_GPL(childkernel_read_sequnlock_excl);

void childkernel_read_seqlock_excl_bh(seqlock_t *sl)
{
	read_seqlock_excl_bh(sl);
}
EXPORT_SYMBOL_GPL(childkernel_read_seqlock_excl_bh);

void childkernel_read_sequnlock_excl_bh(seqlock_t *sl)
{
	if (bh_must_wait()) {
		read_sequnlock_excl(sl);
		_local_bh_enable();
	} else {
		read_sequnlock_excl_bh(sl);
	}
}
EXPORT_SYMBOL_GPL(childkernel_read_sequnlock_excl_bh);

void childkernel_read_seqlock_excl_irq(seqlock_t *sl)
{
	spin_lock_irq_disable(&sl->lock);
}
EXPORT_SYMBOL_GPL(childkernel_read_seqlock_excl_irq);

void childkernel_read_sequnlock_excl_irq(seqlock_t *sl)
{
	spin_unlock_irq_enable(&sl->lock);
}
EXPORT_SYMBOL_GPL(childkernel_read_sequnlock_excl_irq);

unsigned int childkernel_read_seqbegin(const seqlock_t *sl)
{
	return read_seqbegin(sl);
}
EXPORT_SYMBOL_GPL(childkernel_read_seqbegin);

/* Of the plain count: see childkernel_seqcount_spinlock_try_begin(). */
bool childkernel_read_tryseqbegin(const seqlock_t *sl, unsigned int *seq)
{
	return raw_seqcount_try_begin(&sl->seqcount.seqcount, *seq);
}
EXPORT_SYMBOL_GPL(childkernel_read_tryseqbegin);

bool childkernel_read_seqretry(const seqlock_t *sl, unsigned int seq)
{
	return read_seqretry(sl, seq);
}
EXPORT_SYMBOL_GPL(childkernel_read_seqretry);

#ifdef CONFIG_CHILDKERNEL_TWINS
/* To be called with the lock held, of which the sequence knows nothing. */
void childkernel_seqlock_leave_odd(seqlock_t *sl)
{
	raw_write_seqcount_begin(&sl->seqcount);
}
EXPORT_SYMBOL_GPL(childkernel_seqlock_leave_odd);
#endif
