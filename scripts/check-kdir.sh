#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# check-kdir.sh KDIR: can the module be built against it?

hint="give KDIR=, or try 'make demo', which brings its own kernel"
if [ ! -e "$1/Makefile" ]; then
	echo "KDIR $1 is no kernel build directory: $hint" >&2
	exit 1
fi
# What Kconfig asks for: a build of an external module does not read that.
wants=$(sed -n '/^config CHILDKERNEL$/,/^\thelp/ s/^\tdepends on //p' \
	"$(dirname "$0")/../Kconfig" | tr -d '&')
for option in ${wants:?}; do
	if ! grep -qs "^CONFIG_$option=y" "$1/include/config/auto.conf"; then
		echo "the kernel of KDIR $1 is built without CONFIG_$option: $hint" >&2
		exit 1
	fi
done
if [ ! -e "$1/rust/libkernel.rmeta" ]; then
	echo "KDIR $1 has no Rust metadata (rust/libkernel.rmeta): $hint" >&2
	exit 1
fi
