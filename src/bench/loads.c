// SPDX-License-Identifier: GPL-2.0
/* C twins: what the loads do again and again. See bench.h. */

#include <linux/completion.h>
#include <linux/kthread.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "subject.h"

struct element {
	u64 key;
	struct list_head node;
	struct rcu_head rcu;
};

struct work_element {
	u64 key;
	struct list_head node;
	struct rcu_work rwork;
};

/* The first of a key, under the lock of the writers. */
#define find(list, type, wanted) ({					\
	type *at, *found = NULL;					\
									\
	list_for_each_entry(at, list, node) {				\
		if (at->key == (wanted)) {				\
			found = at;					\
			break;						\
		}							\
	}								\
	found;								\
})

CHILDKERNEL_BENCH_TWIN(list_kfree_rcu)
{
	do {
		struct element *it = kmalloc(sizeof(*it), GFP_ATOMIC);

		if (!it)
			break;
		it->key = n;
		spin_lock(&b->changing.lock);
		list_add_rcu(&it->node, &b->changing.list);
		spin_unlock(&b->changing.lock);

		spin_lock(&b->changing.lock);
		it = find(&b->changing.list, struct element, n);
		if (it)
			list_del_rcu(&it->node);
		spin_unlock(&b->changing.lock);
		if (it)
			kfree_rcu(it, rcu);
	} while (--n);
	return 0;
}

static void free_element(struct work_struct *work)
{
	kfree(container_of(to_rcu_work(work), struct work_element, rwork));
}

CHILDKERNEL_BENCH_TWIN(list_rcu_work)
{
	do {
		struct work_element *it = kmalloc(sizeof(*it), GFP_ATOMIC);

		if (!it)
			break;
		it->key = n;
		spin_lock(&b->changing.lock);
		list_add_rcu(&it->node, &b->changing.list);
		spin_unlock(&b->changing.lock);

		spin_lock(&b->changing.lock);
		it = find(&b->changing.list, struct work_element, n);
		if (it)
			list_del_rcu(&it->node);
		spin_unlock(&b->changing.lock);
		if (it) {
			INIT_RCU_WORK(&it->rwork, free_element);
			queue_rcu_work(b->reclaim, &it->rwork);
		}
	} while (--n);
	return 0;
}

static u64 mix(u64 word)
{
	word *= 0x9e3779b97f4a7c15ULL;
	return word ^ (word >> 29);
}

/* The first entry of a key, and how many there are of it. */
static struct bench_entry *table_find(struct childkernel_bench *b, u64 key, u64 *times)
{
	struct bench_entry *first = NULL;

	*times = 0;
	for (size_t i = 0; i < ARRAY_SIZE(b->table.places); i++) {
		struct bench_entry *at = &b->table.places[i];

		if (!at->there || at->key != key)
			continue;
		if (!first)
			first = at;
		(*times)++;
	}
	return first;
}

CHILDKERNEL_BENCH_TWIN(table_lookup)
{
	u64 sum = 0;

	do {
		const struct bench_entry *it;
		u64 times;

		spin_lock(&b->table.lock);
		it = table_find(b, BENCH_TABLE_KEY, &times);
		if (it && times == 1)
			sum += it->value;
		spin_unlock(&b->table.lock);
	} while (--n);
	return sum;
}

CHILDKERNEL_BENCH_TWIN(table_change)
{
	u64 sum = 0;

	do {
		struct bench_entry *it;
		u64 times;

		spin_lock(&b->table.lock);
		table_find(b, n, &times);
		for (size_t i = 0; !times && i < ARRAY_SIZE(b->table.places); i++) {
			it = &b->table.places[i];
			if (it->there)
				continue;
			it->there = true;
			it->key = n;
			it->value = n;
			it->check = mix(n) ^ rol64(n, 17);
			break;
		}
		spin_unlock(&b->table.lock);

		spin_lock(&b->table.lock);
		for (size_t i = 0; i < ARRAY_SIZE(b->table.places); i++) {
			it = &b->table.places[i];
			if (!it->there || it->key != n)
				continue;
			it->there = false;
			sum += it->value;
			break;
		}
		spin_unlock(&b->table.lock);
	} while (--n);
	return sum;
}

struct handshake {
	struct completion ping, pong;
};

static int answer(void *data)
{
	struct handshake *it = data;

	while (!kthread_should_stop()) {
		if (!wait_for_completion_interruptible(&it->ping))
			complete(&it->pong);
	}
	return 0;
}

CHILDKERNEL_BENCH_TWIN(handshake)
{
	struct task_struct *task;
	struct handshake it;

	init_completion(&it.ping);
	init_completion(&it.pong);
	task = kthread_run(answer, &it, "bench/handshake");
	if (IS_ERR(task))
		return 0;
	do {
		complete(&it.ping);
		wait_for_completion(&it.pong);
	} while (--n);
	kthread_stop(task);
	return 0;
}
