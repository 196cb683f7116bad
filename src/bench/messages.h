/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Mailboxes as one would make them in C, for one receiver and a few senders:
 * the rivals of ours. A message is a number, the size of a pointer, and is never
 * 0; no side allocates anything on the way.
 */
#ifndef CHILDKERNEL_BENCH_MESSAGES_H
#define CHILDKERNEL_BENCH_MESSAGES_H

#include <linux/cache.h>
#include <linux/completion.h>
#include <linux/kfifo.h>
#include <linux/llist.h>
#include <linux/ptr_ring.h>
#include <linux/spinlock.h>

#include "bench.h"

/* As many as the Rust side has: DEPTH, SENDERS and BATCH in messages.rs. */
#define BENCH_DEPTH 256
#define BENCH_SENDERS 4
#define BENCH_BATCH 64

struct bench_message {
	struct llist_node node;
	u64 value;
	u32 sender;
};

struct childkernel_bench_mail {
	struct ptr_ring ring;
	/* Senders only: there is one receiver. */
	spinlock_t fifo_lock ____cacheline_aligned;
	DECLARE_KFIFO(fifo, u64, BENCH_DEPTH) ____cacheline_aligned;
	struct llist_head list ____cacheline_aligned;
	/* Each sender's own messages: those that the receiver gave back, ... */
	struct {
		struct llist_head head;
	} ____cacheline_aligned back[BENCH_SENDERS];
	/* ... and those that the sender has at hand. */
	struct {
		struct llist_node *first;
	} ____cacheline_aligned own[BENCH_SENDERS];
	/* Two threads that take turns. */
	u64 turn ____cacheline_aligned;
	struct completion done[2] ____cacheline_aligned;
	struct bench_message messages[BENCH_DEPTH] ____cacheline_aligned;
};

#endif
