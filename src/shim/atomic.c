// SPDX-License-Identifier: GPL-2.0
/* What src/sync/atomic.rs needs of C: see shim.h. */

#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/export.h>

#include "../shim.h"

/*
 * As asm-generic/bitops/atomic.h has these. x86 has two ways of its own, one for
 * numbers that the compiler knows; but what it knows of a function that is inlined
 * into Rust it is asked too early, so all would be the other, which is slower.
 */
void childkernel_set_bit(unsigned long nr, unsigned long *addr)
{
	atomic_long_or(BIT_MASK(nr), (atomic_long_t *)addr + BIT_WORD(nr));
}
EXPORT_SYMBOL_GPL(childkernel_set_bit);

void childkernel_clear_bit(unsigned long nr, unsigned long *addr)
{
	atomic_long_andnot(BIT_MASK(nr), (atomic_long_t *)addr + BIT_WORD(nr));
}
EXPORT_SYMBOL_GPL(childkernel_clear_bit);

void childkernel_change_bit(unsigned long nr, unsigned long *addr)
{
	atomic_long_xor(BIT_MASK(nr), (atomic_long_t *)addr + BIT_WORD(nr));
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
