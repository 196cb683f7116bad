// SPDX-License-Identifier: GPL-2.0
/* What src/child/region.rs needs of C: see shim.h. */

#include <linux/export.h>
#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "../shim.h"

void *childkernel_region_map(struct page **pages, unsigned int count,
			     bool read_only)
{
	return vmap(pages, count, VM_MAP,
		    read_only ? PAGE_KERNEL_RO : PAGE_KERNEL);
}
EXPORT_SYMBOL_GPL(childkernel_region_map);

void childkernel_region_unmap(const void *addr)
{
	vunmap(addr);
	/* That left the TLBs for later. The pages may go back right now. */
	vm_unmap_aliases();
}
EXPORT_SYMBOL_GPL(childkernel_region_unmap);

void childkernel_region_keep(const void *mapping)
{
	kmemleak_not_leak(mapping);
}
EXPORT_SYMBOL_GPL(childkernel_region_keep);

bool childkernel_region_ro_is_enforced(void)
{
	/* An architecture without the one gets the other in its place. */
	return pgprot_val(PAGE_KERNEL_RO) != pgprot_val(PAGE_KERNEL);
}
EXPORT_SYMBOL_GPL(childkernel_region_ro_is_enforced);
