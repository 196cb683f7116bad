#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds a variant of this tree, and then the selftests' outsider as other
# people's modules are built: outside of this tree, with nothing but its own
# files, against the library as it was installed.
#
#   build-outsider.sh LANE VARIANT
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_root "$@"
[ $# -eq 2 ] || die "wants a lane and a variant: see the first lines of this script"
lane_load "$1"
variant=$2
build=$CK_TOP/build/$LANE
inline=
[ "${variant%-inline}" = "$variant" ] || inline=1

"$CK_SCRIPTS/build.sh" --lane "$LANE" "$variant"
lane_release

outside=$(mktemp -d "$LAB/outside.XXXXXX")
# shellcheck disable=SC2034 # removed when this script ends (lib.sh)
CLEANUP=$outside

# shellcheck disable=SC2317 # called by step
build_outsider() {
	cp -r "$CK_TOP/selftests/childkernel/outsider/." "$outside"
	in_lab -C "$CK_TOP" -- make modules_install ARCH=x86 KDIR="$KDIR" \
		MO="$build/$variant" INSTALL_MOD_PATH="$outside/installed" INSTALL_MOD_STRIP=1
	in_lab -C "$outside" -- make -C "$KDIR" ARCH=x86 M="$outside" \
		CHILDKERNEL="$outside/installed/lib/modules/$KVER/childkernel" \
		${inline:+INLINE=1} modules
	[ -z "$inline" ] || in_lab -- "$CK_SCRIPTS/check-inline.sh" "$build/$variant" "$outside"
	mkdir -p "$build/extern/$variant/outsider"
	cp "$outside/outsider.ko" "$build/extern/$variant/outsider/"
}

# shellcheck disable=SC2034 # for step (lib.sh)
STEP_TOTAL=1
# shellcheck disable=SC2034 # the same
STEP_AS=outsider-$variant
step "build outsider for $LANE ($variant)" "$outside" build_outsider
