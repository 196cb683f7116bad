#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make test: builds everything, boots one guest of the lane, runs the selftests
# in it and judges their results and the kernel log. The last line says
# "N passed, N failed, N skipped".
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
for variant in module test; do
	"$CK_SCRIPTS/build.sh" --lane "$LANE" "$variant"
	# Outsiders that the tests load: against the build under test, and
	# against the other one, which makes them stale.
	for kbuild in "$tests"/*/Kbuild; do
		[ -e "$kbuild" ] || continue
		"$CK_SCRIPTS/build.sh" --lane "$LANE" --dir "${kbuild%/*}" "$variant"
	done
done

rm -rf --one-file-system "$results"
mkdir -p "$results"
status=0
"$CK_SCRIPTS/vm.sh" --lane "$LANE" --timeout "${TIMEOUT:-900}" --results "$results" -- \
	env CK_MODULE_DIR="$build/test" CK_PLAIN_DIR="$build/module" \
	CK_EXTERN_DIR="$build/extern/test" CK_STALE_DIR="$build/extern/module" \
	"$tests/run.sh" |
	in_lab -b "$results" -- python3 "$CK_SCRIPTS/results.py" "$results" || status=$?
exit "$status"
