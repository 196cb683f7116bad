// SPDX-License-Identifier: GPL-2.0
/* C twins: memory that is taken and given back. See bench.h. */

#include <linux/mempool.h>
#include <linux/slab.h>

#include "subject.h"

/* Memory is written when it is taken, as an arena gives none that is not. */
static u64 fill(u64 *words, size_t size, u64 value)
{
	for (size_t i = 0; i < size / sizeof(*words); i++)
		WRITE_ONCE(words[i], value);
	return READ_ONCE(words[0]);
}

static __always_inline u64 with_kmalloc(size_t size, u64 n)
{
	u64 sum = 0;

	do {
		u64 *words = kmalloc(size, GFP_KERNEL);

		if (words)
			sum += fill(words, size, n);
		kfree(words);
	} while (--n);
	return sum;
}

CHILDKERNEL_BENCH_TWIN(kmalloc_64)
{
	return with_kmalloc(64, n);
}

CHILDKERNEL_BENCH_TWIN(kmalloc_1024)
{
	return with_kmalloc(1024, n);
}

static __always_inline u64 with_mempool(size_t size, u64 n)
{
	mempool_t *pool = mempool_create_kmalloc_pool(1, size);
	u64 sum = 0;

	if (!pool)
		return 0;
	do {
		u64 *words = mempool_alloc(pool, GFP_KERNEL);

		sum += fill(words, size, n);
		mempool_free(words, pool);
	} while (--n);
	mempool_destroy(pool);
	return sum;
}

CHILDKERNEL_BENCH_TWIN(mempool_64)
{
	return with_mempool(64, n);
}

CHILDKERNEL_BENCH_TWIN(mempool_1024)
{
	return with_mempool(1024, n);
}
