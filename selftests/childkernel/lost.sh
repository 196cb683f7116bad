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
if ERROR=$(rmmod "$MODULE" 2>&1); then
	diag "and all of it has gone"
else
	echo "$ERROR" >/dev/kmsg
fi
exit "$((FAULTS > 0))"
