/* SPDX-License-Identifier: GPL-2.0 */
#ifndef CHILD_TEST_NOFAULT_H
#define CHILD_TEST_NOFAULT_H

bool child_test_store_faults(unsigned long *at, unsigned long value);

#endif
