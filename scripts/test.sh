#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make test: builds everything, boots a guest of the lane and runs the selftests
# in it, and another for those in which children die; judges their results and
# the kernel logs. The last line says "N passed, N failed, N skipped".
#
#   test.sh [LANE]
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_root "$@"
lane_load "${1:-stock}"
build=$CK_TOP/build/$LANE
results=$CK_TOP/build/test/$LANE
tests=$CK_TOP/selftests/childkernel
[ -x "$tests/run.sh" ] || die "no $tests/run.sh: is the checkout complete?"

"$CK_SCRIPTS/lab.sh" up "$LANE"
lane_release
for variant in module test; do
	"$CK_SCRIPTS/build.sh" --lane "$LANE" "$variant"
done

# The outsider is built as other people's modules are: outside of this tree,
# with nothing but its own files, against the library as it was installed. Once
# for the build under test, and once for the other one, which makes it stale.
# shellcheck disable=SC2317 # called by step
build_outsider() {
	local variant=$1 at=$outside/$1
	cp -r "$tests/outsider" "$at"
	in_lab -C "$CK_TOP" -- make modules_install ARCH=x86 KDIR="$KDIR" \
		MO="$build/$variant" INSTALL_MOD_PATH="$at/installed"
	in_lab -C "$at" -- make -C "$KDIR" ARCH=x86 M="$at" \
		CHILDKERNEL="$at/installed/lib/modules/$KVER/childkernel" modules
	mkdir -p "$build/extern/$variant/outsider"
	cp "$at/outsider.ko" "$build/extern/$variant/outsider/"
}

outside=$(mktemp -d "$LAB/outside.XXXXXX")
# shellcheck disable=SC2034 # removed when this script ends (lib.sh)
CLEANUP=$outside
STEP_TOTAL=2
for variant in module test; do
	step "build outsider for $LANE ($variant)" "$outside/$variant" build_outsider "$variant"
done

# What else the tests load is built like any external module.
for module in sync_test child_test crash_test; do
	"$CK_SCRIPTS/build.sh" --lane "$LANE" --dir "$tests/$module" test
done

rm -rf --one-file-system "$results"
mkdir -p "$results/crash"
status=0
# How a guest ended is judged with all else.
{
	"$CK_SCRIPTS/compile-fail.sh" "$LANE"
	"$CK_SCRIPTS/vm.sh" --lane "$LANE" --timeout "${TIMEOUT:-900}" --results "$results" -- \
		env CK_MODULE_DIR="$build/test" CK_PLAIN_DIR="$build/module" \
		CK_EXTERN_DIR="$build/extern/test" CK_STALE_DIR="$build/extern/module" \
		"$tests/run.sh" || true
	"$CK_SCRIPTS/vm.sh" --lane "$LANE" --timeout "${TIMEOUT:-300}" \
		--results "$results/crash" -- \
		env CK_MODULE_DIR="$build/test" CK_EXTERN_DIR="$build/extern/test" \
		"$tests/run.sh" --crash || true
} |
	in_lab -b "$results" -- python3 "$CK_SCRIPTS/results.py" "$results" "$results/crash" ||
	status=$?
exit "$status"
