// SPDX-License-Identifier: GPL-2.0
/* The C twin of table.rs: a hash table of one lock or several. See bench.h. */

#include <linux/list.h>
#include <linux/slab.h>

#include "batch.h"

/* As in table.rs. */
#define BENCH_BUCKETS 256
#define BENCH_KEYS 1024

struct table_entry {
	u64 key;
	u64 value;
	struct hlist_node node;
};

/* A bucket belongs to the lock at the rest of its number. */
struct bench_shard {
	spinlock_t lock;	/* of its buckets */
} ____cacheline_aligned;

struct childkernel_bench_table {
	u32 locks;
	struct hlist_head buckets[BENCH_BUCKETS];
	struct table_entry entries[BENCH_KEYS];
	struct bench_shard shards[] __counted_by(locks);
};

static u32 bench_bucket_of(u64 key)
{
	key *= 0x9e3779b97f4a7c15ULL;
	return (key >> 32) % BENCH_BUCKETS;
}

struct childkernel_bench_table *childkernel_bench_table_alloc(u32 locks)
{
	struct childkernel_bench_table *table;

	if (!locks || locks > BENCH_BUCKETS)
		return NULL;
	table = kvzalloc(struct_size(table, shards, locks), GFP_KERNEL);
	if (!table)
		return NULL;
	table->locks = locks;
	for (u32 i = 0; i < locks; i++)
		spin_lock_init(&table->shards[i].lock);
	for (u32 i = 0; i < BENCH_KEYS; i++) {
		table->entries[i].key = i;
		hlist_add_head(&table->entries[i].node, &table->buckets[bench_bucket_of(i)]);
	}
	return table;
}

void childkernel_bench_table_free(struct childkernel_bench_table *table)
{
	kvfree(table);
}

static __always_inline u64 bench_key(struct childkernel_bench_batch *batch)
{
	/* Marsaglia's xorshift. */
	batch->random ^= batch->random << 13;
	batch->random ^= batch->random >> 7;
	batch->random ^= batch->random << 17;
	return batch->random % BENCH_KEYS;
}

void childkernel_bench_table(struct childkernel_bench_table *table,
			     struct childkernel_bench_batch *batch)
{
	for (u32 i = 0; i < batch->n && !bench_over(batch); i++) {
		u64 key = bench_key(batch);
		u32 bucket = bench_bucket_of(key);
		struct bench_shard *shard = &table->shards[bucket % table->locks];
		bool reads = bench_begins(batch, !i);
		struct table_entry *entry;
		u64 seen = 0;

		spin_lock(&shard->lock);
		hlist_for_each_entry(entry, &table->buckets[bucket], node) {
			if (entry->key != key)
				continue;
			if (!reads)
				entry->value++;
			seen = entry->value;
			break;
		}
		barrier_data(&seen);
		bench_inside(batch, !i);
		spin_unlock(&shard->lock);
		bench_ends(batch, !i);
	}
}
