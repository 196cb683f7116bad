// SPDX-License-Identifier: GPL-2.0
/* What src/sync/seqcount.rs needs of C: see shim.h. */

#include <linux/export.h>

#include "../shim.h"

void childkernel_seqcount_spinlock_init(seqcount_spinlock_t *s,
					spinlock_t *lock, const char *name,
					struct lock_class_key *key)
{
	seqcount_spinlock_init(s, lock);
	__seqcount_init(&s->seqcount, name, key);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_spinlock_init);

unsigned int childkernel_seqcount_spinlock_read_begin(const seqcount_spinlock_t *s)
{
	return read_seqcount_begin(s);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_spinlock_read_begin);

/*
 * Asks the plain count inside. On PREEMPT_RT the whole one would take the lock of
 * a writer that it meets, and who only tries waits for nobody.
 */
bool childkernel_seqcount_spinlock_try_begin(const seqcount_spinlock_t *s,
					     unsigned int *seq)
{
	return raw_seqcount_try_begin(&s->seqcount, *seq);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_spinlock_try_begin);

bool childkernel_seqcount_spinlock_retry(const seqcount_spinlock_t *s,
					 unsigned int seq)
{
	return read_seqcount_retry(s, seq);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_spinlock_retry);

void childkernel_seqcount_spinlock_write_begin(seqcount_spinlock_t *s)
{
	write_seqcount_begin(s);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_spinlock_write_begin);

void childkernel_seqcount_spinlock_write_end(seqcount_spinlock_t *s)
{
	write_seqcount_end(s);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_spinlock_write_end);

void childkernel_seqcount_raw_spinlock_init(seqcount_raw_spinlock_t *s,
					    raw_spinlock_t *lock,
					    const char *name,
					    struct lock_class_key *key)
{
	seqcount_raw_spinlock_init(s, lock);
	__seqcount_init(&s->seqcount, name, key);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_raw_spinlock_init);

unsigned int childkernel_seqcount_raw_spinlock_read_begin(const seqcount_raw_spinlock_t *s)
{
	return read_seqcount_begin(s);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_raw_spinlock_read_begin);

bool childkernel_seqcount_raw_spinlock_try_begin(const seqcount_raw_spinlock_t *s,
						 unsigned int *seq)
{
	return raw_seqcount_try_begin(&s->seqcount, *seq);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_raw_spinlock_try_begin);

bool childkernel_seqcount_raw_spinlock_retry(const seqcount_raw_spinlock_t *s,
					     unsigned int seq)
{
	return read_seqcount_retry(s, seq);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_raw_spinlock_retry);

void childkernel_seqcount_raw_spinlock_write_begin(seqcount_raw_spinlock_t *s)
{
	write_seqcount_begin(s);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_raw_spinlock_write_begin);

void childkernel_seqcount_raw_spinlock_write_end(seqcount_raw_spinlock_t *s)
{
	write_seqcount_end(s);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_raw_spinlock_write_end);

void childkernel_seqcount_rwlock_init(seqcount_rwlock_t *s, rwlock_t *lock,
				      const char *name,
				      struct lock_class_key *key)
{
	seqcount_rwlock_init(s, lock);
	__seqcount_init(&s->seqcount, name, key);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_rwlock_init);

unsigned int childkernel_seqcount_rwlock_read_begin(const seqcount_rwlock_t *s)
{
	return read_seqcount_begin(s);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_rwlock_read_begin);

bool childkernel_seqcount_rwlock_try_begin(const seqcount_rwlock_t *s,
					   unsigned int *seq)
{
	return raw_seqcount_try_begin(&s->seqcount, *seq);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_rwlock_try_begin);

bool childkernel_seqcount_rwlock_retry(const seqcount_rwlock_t *s,
				       unsigned int seq)
{
	return read_seqcount_retry(s, seq);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_rwlock_retry);

void childkernel_seqcount_rwlock_write_begin(seqcount_rwlock_t *s)
{
	write_seqcount_begin(s);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_rwlock_write_begin);

void childkernel_seqcount_rwlock_write_end(seqcount_rwlock_t *s)
{
	write_seqcount_end(s);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_rwlock_write_end);

void childkernel_seqcount_mutex_init(seqcount_mutex_t *s, struct mutex *lock,
				     const char *name,
				     struct lock_class_key *key)
{
	seqcount_mutex_init(s, lock);
	__seqcount_init(&s->seqcount, name, key);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_mutex_init);

unsigned int childkernel_seqcount_mutex_read_begin(const seqcount_mutex_t *s)
{
	return read_seqcount_begin(s);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_mutex_read_begin);

bool childkernel_seqcount_mutex_try_begin(const seqcount_mutex_t *s,
					  unsigned int *seq)
{
	return raw_seqcount_try_begin(&s->seqcount, *seq);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_mutex_try_begin);

bool childkernel_seqcount_mutex_retry(const seqcount_mutex_t *s,
				      unsigned int seq)
{
	return read_seqcount_retry(s, seq);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_mutex_retry);

void childkernel_seqcount_mutex_write_begin(seqcount_mutex_t *s)
{
	write_seqcount_begin(s);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_mutex_write_begin);

void childkernel_seqcount_mutex_write_end(seqcount_mutex_t *s)
{
	write_seqcount_end(s);
}
EXPORT_SYMBOL_GPL(childkernel_seqcount_mutex_write_end);
