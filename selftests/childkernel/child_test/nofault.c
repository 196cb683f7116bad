// SPDX-License-Identifier: GPL-2.0
/* Tries a store that may fault. No kernel function that does so is exported. */

#include <linux/types.h>
#include <linux/uaccess.h>

#include "nofault.h"

bool child_test_store_faults(unsigned long *at, unsigned long value)
{
	pagefault_disable();
	__put_kernel_nofault(at, &value, unsigned long, faulted);
	pagefault_enable();
	return false;
faulted:
	pagefault_enable();
	return true;
}
