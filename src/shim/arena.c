// SPDX-License-Identifier: GPL-2.0
/* What src/child/arena.rs needs of C: see shim.h. */

#include <linux/export.h>
#include <linux/list.h>

#include "../shim.h"

void childkernel_hlist_add_head(struct hlist_node *node, struct hlist_head *head)
{
	hlist_add_head(node, head);
}
EXPORT_SYMBOL_GPL(childkernel_hlist_add_head);

void childkernel_hlist_del(struct hlist_node *node)
{
	hlist_del(node);
}
EXPORT_SYMBOL_GPL(childkernel_hlist_del);
