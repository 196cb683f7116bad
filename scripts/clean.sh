#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# clean.sh KDIR: removes build/, and what a build for KDIR left in the tree.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

if find "$CK_TOP" -path "$CK_TOP/build" -prune -o \( -name '*.o' -o -name modules.order \) \
	-print -quit | grep -q . && [ -e "$1/Makefile" ]; then
	make -C "$1" M="$CK_TOP" clean
fi
rm -rf --one-file-system "$CK_TOP/build"
