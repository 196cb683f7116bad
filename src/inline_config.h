/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The kernel's configuration as clang has to see it where gcc compiles the
 * kernel: what Kconfig found out about gcc is not so for clang. Included before
 * anything else (Kbuild), ahead of the kernel's own headers.
 */
#ifndef CHILDKERNEL_INLINE_CONFIG_H
#define CHILDKERNEL_INLINE_CONFIG_H

#include <linux/kconfig.h>

#ifndef CONFIG_CC_IS_CLANG
#undef CONFIG_CC_IS_GCC
#undef CONFIG_GCC_VERSION
#define CONFIG_GCC_VERSION 0
#define CONFIG_CC_IS_CLANG 1
#undef CONFIG_CLANG_VERSION
#define CONFIG_CLANG_VERSION \
	(__clang_major__ * 10000 + __clang_minor__ * 100 + __clang_patchlevel__)

/* Inline assembly forgets the segment of such an operand: another CPU's data, or nobody's. */
#undef CONFIG_CC_HAS_NAMED_AS
#undef CONFIG_USE_X86_SEG_SUPPORT

/* As in init/Kconfig. */
#undef CONFIG_CC_HAS_COUNTED_BY
#undef CONFIG_CC_HAS_COUNTED_BY_PTR
#undef CONFIG_CC_HAS_BROKEN_COUNTED_BY_REF
#if CONFIG_CLANG_VERSION >= 200100
#define CONFIG_CC_HAS_COUNTED_BY 1
#endif
#if CONFIG_CLANG_VERSION >= 220100
#define CONFIG_CC_HAS_COUNTED_BY_PTR 1
#else
#define CONFIG_CC_HAS_BROKEN_COUNTED_BY_REF 1
#endif
#undef CONFIG_CC_HAS_MULTIDIMENSIONAL_NONSTRING
#endif

#endif
