#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make test LANE=uml: the kernel with this tree built in, and what can be tested
# where there is no module: all loads, and the KUnit suites again and again, at
# this machine's own speed. The last line says "N passed, N failed, N skipped".
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_root "$@"
results=$CK_TOP/build/test/uml
"$CK_SCRIPTS/build.sh" --lane uml
rm -rf --one-file-system "$results"
mkdir -p "$results"
: >"$results/out"
# The console is full of the kernel's own lines; the report has a file.
# shellcheck disable=SC2016 # expands in there
setpriv --pdeathsig TERM "$CK_SCRIPTS/uml.sh" --timeout "${TIMEOUT:-1200}" --results "$results" -- \
	sh -c 'selftests/childkernel/run.sh --builtin >"$CK_RESULTS/out" 2>&1' \
	>/dev/null &
machine=$!
CHILDREN=("$machine")
status=0
tail -s 0.2 -n +1 -f --pid="$machine" "$results/out" |
	in_lab -b "$results" -- python3 "$CK_SCRIPTS/results.py" "$results" || status=$?
wait "$machine" || true
exit "$status"
