// SPDX-License-Identifier: GPL-2.0
/* What src/sync/atomic.rs needs of C: see shim.h. */

#include <linux/bitops.h>
#include <linux/export.h>

#include "../shim.h"

void childkernel_change_bit(unsigned long nr, unsigned long *addr)
{
	change_bit(nr, addr);
}
EXPORT_SYMBOL_GPL(childkernel_change_bit);

bool childkernel_test_and_set_bit(unsigned long nr, unsigned long *addr)
{
	return test_and_set_bit(nr, addr);
}
EXPORT_SYMBOL_GPL(childkernel_test_and_set_bit);

bool childkernel_test_and_clear_bit(unsigned long nr, unsigned long *addr)
{
	return test_and_clear_bit(nr, addr);
}
EXPORT_SYMBOL_GPL(childkernel_test_and_clear_bit);

bool childkernel_test_and_change_bit(unsigned long nr, unsigned long *addr)
{
	return test_and_change_bit(nr, addr);
}
EXPORT_SYMBOL_GPL(childkernel_test_and_change_bit);

bool childkernel_test_bit(unsigned long nr, const unsigned long *addr)
{
	return test_bit(nr, addr);
}
EXPORT_SYMBOL_GPL(childkernel_test_bit);

bool childkernel_test_bit_acquire(unsigned long nr, const unsigned long *addr)
{
	return test_bit_acquire(nr, addr);
}
EXPORT_SYMBOL_GPL(childkernel_test_bit_acquire);

bool childkernel_test_and_set_bit_lock(unsigned long nr, unsigned long *addr)
{
	return test_and_set_bit_lock(nr, addr);
}
EXPORT_SYMBOL_GPL(childkernel_test_and_set_bit_lock);

void childkernel_clear_bit_unlock(unsigned long nr, unsigned long *addr)
{
	clear_bit_unlock(nr, addr);
}
EXPORT_SYMBOL_GPL(childkernel_clear_bit_unlock);

void childkernel___change_bit(unsigned long nr, unsigned long *addr)
{
	__change_bit(nr, addr);
}
EXPORT_SYMBOL_GPL(childkernel___change_bit);

bool childkernel___test_and_set_bit(unsigned long nr, unsigned long *addr)
{
	return __test_and_set_bit(nr, addr);
}
EXPORT_SYMBOL_GPL(childkernel___test_and_set_bit);

bool childkernel___test_and_clear_bit(unsigned long nr, unsigned long *addr)
{
	return __test_and_clear_bit(nr, addr);
}
EXPORT_SYMBOL_GPL(childkernel___test_and_clear_bit);

bool childkernel___test_and_change_bit(unsigned long nr, unsigned long *addr)
{
	return __test_and_change_bit(nr, addr);
}
EXPORT_SYMBOL_GPL(childkernel___test_and_change_bit);
