// SPDX-License-Identifier: GPL-2.0
/* What src/sync/seqlock.rs needs of C: see shim.h. */

#include <linux/export.h>

#include "../shim.h"

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
