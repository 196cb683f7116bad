// SPDX-License-Identifier: GPL-2.0
/* Rivals of the mailbox, and two threads that take turns. See messages.h. */

#include <linux/sched.h>
#include <linux/slab.h>

#include "messages.h"

/* So often a thread looks again before it lets another have the CPU. */
#define TRIES 64

/*
 * What every side does when there is no room, or no message. Where threads
 * share a CPU, the one that is waited for has to come by.
 */
noinline u64 childkernel_bench_wait(u64 tries)
{
	if (++tries % TRIES == 0)
		yield();
	else
		cpu_relax();
	return tries;
}

static void init_messages(struct childkernel_bench_mail *m, u32 senders)
{
	init_llist_head(&m->list);
	for (u32 i = 0; i < BENCH_SENDERS; i++) {
		init_llist_head(&m->back[i].head);
		m->own[i].first = NULL;
	}
	for (u32 i = 0; i < BENCH_DEPTH; i++) {
		/* Each sender has the same share of the depth, in one piece. */
		u32 sender = i / DIV_ROUND_UP(BENCH_DEPTH, senders);
		struct bench_message *message = &m->messages[i];

		message->sender = sender;
		message->node.next = m->own[sender].first;
		m->own[sender].first = &message->node;
	}
}

struct childkernel_bench_mail *childkernel_bench_mail_alloc(u32 senders)
{
	struct childkernel_bench_mail *m;

	if (!senders || senders > BENCH_SENDERS)
		return NULL;
	m = kzalloc_obj(*m);
	if (!m)
		return NULL;
	if (ptr_ring_init(&m->ring, BENCH_DEPTH, GFP_KERNEL)) {
		kfree(m);
		return NULL;
	}
	spin_lock_init(&m->fifo_lock);
	INIT_KFIFO(m->fifo);
	init_messages(m, senders);
	init_completion(&m->done[0]);
	init_completion(&m->done[1]);
	return m;
}

void childkernel_bench_mail_free(struct childkernel_bench_mail *m)
{
	ptr_ring_cleanup(&m->ring, NULL);
	kfree(m);
}

/*
 * ptr_ring: senders take the lock of producers, once for a batch. The only
 * receiver needs none. Room is given back in the ring's own batches.
 */

static void ring_send_one(struct childkernel_bench_mail *m, u64 value)
{
	u64 tries = 0;

	while (ptr_ring_produce(&m->ring, (void *)value))
		tries = childkernel_bench_wait(tries);
}

static void ring_send_batch(struct childkernel_bench_mail *m, const u64 *values,
			    u32 count)
{
	u64 tries = 0;
	u32 sent = 0;

	while (true) {
		spin_lock(&m->ring.producer_lock);
		while (sent < count &&
		       !__ptr_ring_produce(&m->ring, (void *)values[sent]))
			sent++;
		spin_unlock(&m->ring.producer_lock);
		if (sent == count)
			return;
		tries = childkernel_bench_wait(tries);
	}
}

CHILDKERNEL_BENCH_SEND(ptr_ring)
{
	u64 values[BENCH_BATCH];

	if (batch == 1) {
		for (u64 i = 1; i <= n; i++)
			ring_send_one(m, i);
		return;
	}
	for (u64 i = 1; i <= n; i += batch) {
		for (u32 j = 0; j < batch; j++)
			values[j] = i + j;
		ring_send_batch(m, values, batch);
	}
}

CHILDKERNEL_BENCH_RECV(ptr_ring)
{
	void *values[BENCH_BATCH];
	u64 sum = 0, tries = 0;

	if (batch == 1) {
		while (n) {
			u64 value = (u64)__ptr_ring_consume(&m->ring);

			if (value) {
				sum += value;
				n--;
				tries = 0;
			} else {
				tries = childkernel_bench_wait(tries);
			}
		}
		return sum;
	}
	while (n) {
		u32 count = __ptr_ring_consume_batched(&m->ring, values, batch);

		for (u32 i = 0; i < count; i++)
			sum += (u64)values[i];
		n -= count;
		tries = count ? 0 : childkernel_bench_wait(tries);
	}
	return sum;
}

/* kfifo: a lock for the senders, none for the only receiver. */

CHILDKERNEL_BENCH_SEND(kfifo)
{
	u64 values[BENCH_BATCH];

	for (u64 i = 1; i <= n; i += batch) {
		u64 tries = 0;
		u32 sent = 0;

		if (batch == 1) {
			while (true) {
				spin_lock(&m->fifo_lock);
				sent = kfifo_put(&m->fifo, i);
				spin_unlock(&m->fifo_lock);
				if (sent)
					break;
				tries = childkernel_bench_wait(tries);
			}
			continue;
		}
		for (u32 j = 0; j < batch; j++)
			values[j] = i + j;
		while (true) {
			sent += kfifo_in_spinlocked_noirqsave(&m->fifo, values + sent,
							      batch - sent, &m->fifo_lock);
			if (sent == batch)
				break;
			tries = childkernel_bench_wait(tries);
		}
	}
}

CHILDKERNEL_BENCH_RECV(kfifo)
{
	u64 values[BENCH_BATCH];
	u64 sum = 0, tries = 0;

	while (n) {
		u32 count;

		if (batch == 1)
			count = kfifo_get(&m->fifo, values);
		else
			count = kfifo_out(&m->fifo, values, batch);
		for (u32 i = 0; i < count; i++)
			sum += values[i];
		n -= count;
		tries = count ? 0 : childkernel_bench_wait(tries);
	}
	return sum;
}

/*
 * llist: a sender hooks in a chain of its messages at once; the receiver takes
 * all there is, turns it round, and gives a batch's messages back at once to
 * each sender. So there is room for BENCH_DEPTH here too.
 */

static struct bench_message *own_message(struct childkernel_bench_mail *m, u32 sender)
{
	struct llist_node *node = m->own[sender].first;

	if (!node) {
		node = llist_del_all(&m->back[sender].head);
		if (!node)
			return NULL;
	}
	m->own[sender].first = node->next;
	return llist_entry(node, struct bench_message, node);
}

CHILDKERNEL_BENCH_SEND(llist)
{
	u64 i = 1, tries = 0;

	while (i <= n) {
		struct bench_message *last = own_message(m, sender), *first = last;

		if (!last) {
			tries = childkernel_bench_wait(tries);
			continue;
		}
		tries = 0;
		last->value = i++;
		/* The newest comes first. */
		for (u32 j = 1; j < batch; j++) {
			struct bench_message *next = own_message(m, sender);

			if (!next)
				break;
			next->value = i++;
			next->node.next = &first->node;
			first = next;
		}
		llist_add_batch(&first->node, &last->node, &m->list);
	}
}

struct given_back {
	struct llist_node *first, *last;
};

static void give_back(struct childkernel_bench_mail *m, struct given_back *given)
{
	for (u32 i = 0; i < BENCH_SENDERS; i++) {
		if (given[i].first)
			llist_add_batch(given[i].first, given[i].last, &m->back[i].head);
		given[i].first = NULL;
	}
}

CHILDKERNEL_BENCH_RECV(llist)
{
	struct given_back given[BENCH_SENDERS] = {};
	u64 sum = 0, tries = 0;
	u32 have = 0;

	while (n) {
		struct llist_node *node = llist_del_all(&m->list);

		if (!node) {
			tries = childkernel_bench_wait(tries);
			continue;
		}
		tries = 0;
		node = llist_reverse_order(node);
		while (node) {
			struct bench_message *message;
			struct given_back *back;

			message = llist_entry(node, struct bench_message, node);
			node = node->next;
			sum += message->value;
			n--;
			if (batch == 1) {
				llist_add(&message->node, &m->back[message->sender].head);
				continue;
			}
			back = &given[message->sender];
			if (!back->first)
				back->last = &message->node;
			message->node.next = back->first;
			back->first = &message->node;
			if (++have == batch) {
				give_back(m, given);
				have = 0;
			}
		}
		give_back(m, given);
		have = 0;
	}
	return sum;
}

/*
 * One cache line goes to and fro: the least that a message between two CPUs can
 * cost.
 */
void childkernel_bench_ping_pong(struct childkernel_bench_mail *m, u32 side, u64 n)
{
	for (u64 i = 0; i < n; i++) {
		u64 tries = 0;

		while (READ_ONCE(m->turn) != 2 * i + side)
			tries = childkernel_bench_wait(tries);
		/* Nothing is published with it: no barrier, as this is the floor. */
		WRITE_ONCE(m->turn, 2 * i + side + 1);
	}
	if (!side) {
		u64 tries = 0;

		while (READ_ONCE(m->turn) != 2 * n)
			tries = childkernel_bench_wait(tries);
		WRITE_ONCE(m->turn, 0);
	}
}

void childkernel_bench_completions(struct childkernel_bench_mail *m, u32 side, u64 n)
{
	for (u64 i = 0; i < n; i++) {
		if (side)
			wait_for_completion(&m->done[1]);
		complete(&m->done[!side]);
		if (!side)
			wait_for_completion(&m->done[0]);
	}
}

/* Alone: each message is taken out again by who has put it in. */

CHILDKERNEL_BENCH_ALONE(ptr_ring)
{
	u64 sum = 0;

	do {
		ptr_ring_produce(&m->ring, (void *)n);
		sum += (u64)ptr_ring_consume(&m->ring);
	} while (--n);
	return sum;
}

CHILDKERNEL_BENCH_ALONE(ptr_ring_single)
{
	u64 sum = 0;

	do {
		ptr_ring_produce(&m->ring, (void *)n);
		sum += (u64)__ptr_ring_consume(&m->ring);
	} while (--n);
	return sum;
}

CHILDKERNEL_BENCH_ALONE(kfifo)
{
	u64 sum = 0, value = 0;

	do {
		value = n;
		kfifo_in_spinlocked_noirqsave(&m->fifo, &value, 1, &m->fifo_lock);
		if (kfifo_out(&m->fifo, &value, 1))
			sum += value;
	} while (--n);
	return sum;
}

CHILDKERNEL_BENCH_ALONE(kfifo_put)
{
	u64 sum = 0, value = 0;

	do {
		spin_lock(&m->fifo_lock);
		kfifo_put(&m->fifo, n);
		spin_unlock(&m->fifo_lock);
		if (kfifo_get(&m->fifo, &value))
			sum += value;
	} while (--n);
	return sum;
}

CHILDKERNEL_BENCH_ALONE(llist)
{
	u64 sum = 0;

	do {
		struct bench_message *message = own_message(m, 0);

		message->value = n;
		llist_add(&message->node, &m->list);
		message = llist_entry(llist_del_all(&m->list), struct bench_message, node);
		sum += message->value;
		llist_add(&message->node, &m->back[0].head);
	} while (--n);
	return sum;
}

/* So many in one go; n counts these. */
#define BATCH 16

CHILDKERNEL_BENCH_ALONE(ptr_ring_batch)
{
	u64 values[BATCH], sum = 0;
	void *taken[BATCH];

	do {
		u32 count;

		for (u32 i = 0; i < BATCH; i++)
			values[i] = n + i;
		ring_send_batch(m, values, BATCH);
		count = __ptr_ring_consume_batched(&m->ring, taken, BATCH);
		for (u32 i = 0; i < count; i++)
			sum += (u64)taken[i];
	} while (--n);
	return sum;
}

CHILDKERNEL_BENCH_ALONE(kfifo_batch)
{
	u64 values[BATCH], sum = 0;

	do {
		u32 count;

		for (u32 i = 0; i < BATCH; i++)
			values[i] = n + i;
		kfifo_in_spinlocked_noirqsave(&m->fifo, values, BATCH, &m->fifo_lock);
		count = kfifo_out(&m->fifo, values, BATCH);
		for (u32 i = 0; i < count; i++)
			sum += values[i];
	} while (--n);
	return sum;
}

CHILDKERNEL_BENCH_ALONE(llist_batch)
{
	struct given_back given[BENCH_SENDERS] = {};
	u64 sum = 0;

	do {
		struct bench_message *last = own_message(m, 0), *first = last;
		struct llist_node *node;

		last->value = n;
		for (u32 i = 1; i < BATCH; i++) {
			struct bench_message *next = own_message(m, 0);

			next->value = n + i;
			next->node.next = &first->node;
			first = next;
		}
		llist_add_batch(&first->node, &last->node, &m->list);
		node = llist_reverse_order(llist_del_all(&m->list));
		given[0].last = node;
		while (node) {
			struct bench_message *message;

			message = llist_entry(node, struct bench_message, node);
			node = node->next;
			sum += message->value;
			message->node.next = given[0].first;
			given[0].first = &message->node;
		}
		give_back(m, given);
	} while (--n);
	return sum;
}
