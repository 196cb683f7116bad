// SPDX-License-Identifier: GPL-2.0
/* What src/sync/rcu_list.rs needs of C: see shim.h. */

#include <linux/export.h>

#include "../shim.h"

void childkernel_init_list_head_rcu(struct list_head *head)
{
	INIT_LIST_HEAD_RCU(head);
}
EXPORT_SYMBOL_GPL(childkernel_init_list_head_rcu);

void childkernel_list_add_rcu(struct list_head *new, struct list_head *head)
{
	list_add_rcu(new, head);
}
EXPORT_SYMBOL_GPL(childkernel_list_add_rcu);

void childkernel_list_add_tail_rcu(struct list_head *new, struct list_head *head)
{
	list_add_tail_rcu(new, head);
}
EXPORT_SYMBOL_GPL(childkernel_list_add_tail_rcu);

void childkernel_list_del_rcu(struct list_head *entry)
{
	list_del_rcu(entry);
}
EXPORT_SYMBOL_GPL(childkernel_list_del_rcu);

void childkernel_list_replace_rcu(struct list_head *new, struct list_head *old)
{
	list_replace_rcu(old, new);
}
EXPORT_SYMBOL_GPL(childkernel_list_replace_rcu);

struct list_head *childkernel_list_next_rcu(const struct list_head *entry)
{
	return rcu_dereference(list_next_rcu(entry));
}
EXPORT_SYMBOL_GPL(childkernel_list_next_rcu);
