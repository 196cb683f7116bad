#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# One thing that costs a machine, or what looks after it: runs a case of a module
# when these files below /proc/sys or /sys have these values. If it comes back, it
# says what is left.
#
#   lost.sh MODULE CASE [FILE=VALUE...]
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

cases "$1"
shift
TMP=$(mktemp -d) || exit "$KSFT_FAIL"
FAULTS=0
mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug
mark
load watchdog_ms=10
insert "$FILE" || fail "insmod $MODULE: $ERROR"
for setting in "${@:2}"; do
	echo "${setting#*=}" >"${setting%%=*}" || fail "$setting"
done
[ "$FAULTS" -eq 0 ] || exit "$KSFT_FAIL"
run_case "$1"
diag "$1 has come back"
rmmod "$MODULE" 2>"$TMP/rmmod" &
goes=$!
for _ in {1..100}; do
	kill -0 $goes 2>/dev/null || break
	sleep 0.2
done
if kill -0 $goes 2>/dev/null; then
	echo "lost.sh: $MODULE is waited for" >/dev/kmsg
elif wait $goes; then
	diag "and all of it has gone"
else
	cat "$TMP/rmmod" >/dev/kmsg
fi
exit "$((FAULTS > 0))"
