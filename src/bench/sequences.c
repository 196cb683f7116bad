// SPDX-License-Identifier: GPL-2.0
/* C twins: sequence locks and RCU. See bench.h. */

#include <linux/rculist.h>

#include "subject.h"

CHILDKERNEL_BENCH_TWIN(seqlock_read)
{
	u64 sum = 0;

	do {
		unsigned int seq;
		u64 n;

		do {
			seq = read_seqbegin(&b->seq.lock);
			n = READ_ONCE(b->seq.n);
		} while (read_seqretry(&b->seq.lock, seq));
		sum += n;
	} while (again(&n));
	return sum;
}

/* Word by word, as the memory model asks of both. */
static void record_load(struct bench_record *to, const struct bench_record *from)
{
	for (size_t i = 0; i < ARRAY_SIZE(to->words); i++)
		to->words[i] = READ_ONCE(from->words[i]);
}

static void record_store(struct bench_record *to, const struct bench_record *from)
{
	for (size_t i = 0; i < ARRAY_SIZE(to->words); i++)
		WRITE_ONCE(to->words[i], from->words[i]);
}

CHILDKERNEL_BENCH_TWIN(seqlock_read_record)
{
	struct bench_record copy;
	u64 sum = 0;

	do {
		unsigned int seq;

		do {
			seq = read_seqbegin(&b->seq_record.lock);
			record_load(&copy, &b->seq_record.record);
		} while (read_seqretry(&b->seq_record.lock, seq));
		for (size_t i = 0; i < ARRAY_SIZE(copy.words); i++)
			sum += copy.words[i];
	} while (again(&n));
	return sum;
}

CHILDKERNEL_BENCH_TWIN(seqlock_write)
{
	do {
		write_seqlock(&b->seq.lock);
		WRITE_ONCE(b->seq.n, b->seq.n + 1);
		write_sequnlock(&b->seq.lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(seqlock_write_record)
{
	do {
		struct bench_record value;

		write_seqlock(&b->seq_record.lock);
		for (size_t i = 0; i < ARRAY_SIZE(value.words); i++)
			value.words[i] = n;
		record_store(&b->seq_record.record, &value);
		write_sequnlock(&b->seq_record.lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(seqlock_bh_write)
{
	do {
		write_seqlock_bh(&b->seq.lock);
		WRITE_ONCE(b->seq.n, b->seq.n + 1);
		write_sequnlock_bh(&b->seq.lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(seqlock_irq_write)
{
	do {
		spin_lock_irq_disable(&b->seq.lock.lock);
		write_seqcount_begin(&b->seq.lock.seqcount);
		WRITE_ONCE(b->seq.n, b->seq.n + 1);
		write_seqcount_end(&b->seq.lock.seqcount);
		spin_unlock_irq_enable(&b->seq.lock.lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(seqcount_read)
{
	u64 sum = 0;

	do {
		unsigned int seq;
		u64 n;

		do {
			seq = read_seqcount_begin(&b->seqcount.count);
			n = READ_ONCE(b->seqcount.n);
		} while (read_seqcount_retry(&b->seqcount.count, seq));
		sum += n;
	} while (again(&n));
	return sum;
}

CHILDKERNEL_BENCH_TWIN(seqcount_write)
{
	do {
		spin_lock(&b->seqcount.lock);
		write_seqcount_begin(&b->seqcount.count);
		WRITE_ONCE(b->seqcount.n, b->seqcount.n + 1);
		write_seqcount_end(&b->seqcount.count);
		spin_unlock(&b->seqcount.lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(seqcount_mutex_write)
{
	do {
		mutex_lock(&b->seqcount_mutex.lock);
		write_seqcount_begin(&b->seqcount_mutex.count);
		WRITE_ONCE(b->seqcount_mutex.n, b->seqcount_mutex.n + 1);
		write_seqcount_end(&b->seqcount_mutex.count);
		mutex_unlock(&b->seqcount_mutex.lock);
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(rcu_read)
{
	do {
		rcu_read_lock();
		rcu_read_unlock();
	} while (again(&n));
	return 0;
}

CHILDKERNEL_BENCH_TWIN(rcu_pointer)
{
	u64 sum = 0;
	const u64 *p;

	do {
		rcu_read_lock();
		p = rcu_dereference(b->pointer);
		if (p)
			sum += READ_ONCE(*p);
		rcu_read_unlock();
	} while (again(&n));
	return sum;
}

static const struct bench_node *list_find(struct list_head *list, u64 key)
{
	const struct bench_node *node;

	list_for_each_entry_rcu(node, list, node) {
		if (node->key == key)
			return node;
	}
	return NULL;
}

CHILDKERNEL_BENCH_TWIN(rcu_list_lookup)
{
	u64 sum = 0;

	do {
		const struct bench_node *node;

		rcu_read_lock();
		node = list_find(&b->list, BENCH_LIST_LENGTH - 1);
		if (node)
			sum += node->key;
		rcu_read_unlock();
	} while (again(&n));
	return sum;
}

/* At most three attempts, then the lock. */
CHILDKERNEL_BENCH_TWIN(seqlock_read_or_lock)
{
	u64 sum = 0;

	do {
		unsigned int seq, tries;
		u64 value;

		for (tries = 3; tries; tries--) {
			seq = raw_read_seqcount(&b->seq.lock.seqcount.seqcount);
			if (!(seq & 1)) {
				value = READ_ONCE(b->seq.n);
				if (!read_seqretry(&b->seq.lock, seq))
					break;
			}
			cpu_relax();
		}
		if (!tries) {
			read_seqlock_excl(&b->seq.lock);
			value = READ_ONCE(b->seq.n);
			read_sequnlock_excl(&b->seq.lock);
		}
		sum += value;
	} while (--n);
	return sum;
}

CHILDKERNEL_BENCH_TWIN(seqlock_read_locked)
{
	u64 sum = 0;

	do {
		read_seqlock_excl(&b->seq.lock);
		sum += READ_ONCE(b->seq.n);
		read_sequnlock_excl(&b->seq.lock);
	} while (--n);
	return sum;
}

CHILDKERNEL_BENCH_TWIN(seqcount_raw_write)
{
	do {
		raw_spin_lock(&b->seqcount_raw.lock);
		write_seqcount_begin(&b->seqcount_raw.count);
		WRITE_ONCE(b->seqcount_raw.n, b->seqcount_raw.n + 1);
		write_seqcount_end(&b->seqcount_raw.count);
		raw_spin_unlock(&b->seqcount_raw.lock);
	} while (--n);
	return 0;
}

CHILDKERNEL_BENCH_TWIN(seqcount_rwlock_write)
{
	do {
		write_lock(&b->seqcount_rw.lock);
		write_seqcount_begin(&b->seqcount_rw.count);
		WRITE_ONCE(b->seqcount_rw.n, b->seqcount_rw.n + 1);
		write_seqcount_end(&b->seqcount_rw.count);
		write_unlock(&b->seqcount_rw.lock);
	} while (--n);
	return 0;
}

CHILDKERNEL_BENCH_TWIN(seqcount_mutex_read)
{
	u64 sum = 0;

	do {
		unsigned int seq;
		u64 value;

		do {
			seq = read_seqcount_begin(&b->seqcount_mutex.count);
			value = READ_ONCE(b->seqcount_mutex.n);
		} while (read_seqcount_retry(&b->seqcount_mutex.count, seq));
		sum += value;
	} while (--n);
	return sum;
}
