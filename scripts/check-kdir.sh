#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# check-kdir.sh KDIR: can a Rust module be built against it?

hint="give KDIR=, or try 'make demo', which brings its own kernel"
if [ ! -e "$1/Makefile" ]; then
	echo "KDIR $1 is no kernel build directory: $hint" >&2
	exit 1
fi
if ! grep -qs '^CONFIG_RUST=y' "$1/include/config/auto.conf"; then
	echo "the kernel of KDIR $1 is built without CONFIG_RUST: $hint" >&2
	exit 1
fi
if [ ! -e "$1/rust/libkernel.rmeta" ]; then
	echo "KDIR $1 has no Rust metadata (rust/libkernel.rmeta): $hint" >&2
	exit 1
fi
