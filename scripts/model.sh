#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make model: sources of the module, as they are, in user space. All interleavings
# of what threads share, within bounds, and each of its orderings weakened; the
# supervisor by random events; the litmus tests of the documentation, where there
# is a herd7. The last line says "N passed, N failed, N skipped".
#
#   model.sh [--write] [--cases N]     --write: the list of orderings in the tree
#                                      is made anew; --cases: so many sequences of
#                                      events for the supervisor
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/lab-up.sh
. "$CK_SCRIPTS/lab-up.sh"
# shellcheck source=scripts/lab-cargo.sh
. "$CK_SCRIPTS/lab-cargo.sh"

# It may be where only the user who calls has it.
: "${HERD7:=$(command -v herd7 || true)}"
export HERD7

need_root "$@"
cases=5000 write=
while [ $# -gt 0 ]; do
	case $1 in
	--write) write=--write; shift ;;
	--cases) cases=${2:?--cases needs a number}; shift 2 ;;
	*) die "unknown argument '$1': see the first lines of this script" ;;
	esac
done
[[ $cases =~ ^[1-9][0-9]{0,7}$ ]] || die "CASES=$cases: a number from 1 to 99999999"

lab_up stock
crate=$CK_TOP/selftests/model
results=$CK_TOP/build/test/model
cargo_up "$crate"

# Apart, or the features of what both depend on would be those of both.
# shellcheck disable=SC2317 # called by step
build_models() {
	in_crate "$crate" build --package interleave
	in_crate "$crate" build --package supervisor
}

# What herd7 says of each test is kept beside it.
run_herd7() {
	local test
	for test in "$results"/litmus/*.litmus; do
		(cd "$LANE_DIR/source/tools/memory-model" &&
			timeout 60 "$HERD7" -conf linux-kernel.cfg "$test") >"${test%.litmus}.out" 2>&1 || true
	done
}

models() {
	in_lab -C "$CK_TOP" -- python3 -B scripts/model/main.py "$CK_TOP" "$results" "$@"
}

rm -rf --one-file-system "$results"
mkdir -p "$results"
STEP_N=0 STEP_TOTAL=1
step "build models" "$CK_TOP/build/model" build_models
models litmus
[ -z "$HERD7" ] || run_herd7
# Not the last command of the lab's own shell: its status is this script's.
status=0
models run "$CK_TOP/build/model/debug" "$cases" $write || status=$?
exit "$status"
