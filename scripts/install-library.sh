#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Installs what other modules build against, beside the installed modules: the
# crate's metadata, the list of its symbols, the hash that ties both to this
# build, and the lines for a dependant's Kbuild; of a build with INLINE=1 also
# the bitcode that those lines link.
#
#   install-library.sh KDIR OBJECTS [INSTALL_MOD_PATH]
set -euo pipefail

release=$(cat "$1/include/config/kernel.release")
to=${3:-}/lib/modules/$release/childkernel
for file in libchildkernel.rmeta childkernel_abi.h childkernel.mk Module.symvers; do
	[ -e "$2/$file" ] || {
		echo "install-library.sh: no $2/$file: run 'make' with the same KDIR and MO first" >&2
		exit 1
	}
	install -D -m 644 -t "$to" "$2/$file"
done
# What an earlier build has left would be of another one.
rm -f "$to/libchildkernel_module.bc"
[ ! -e "$2/libchildkernel_module.bc" ] || install -m 644 -t "$to" "$2/libchildkernel_module.bc"
echo "  INSTALL $to"
