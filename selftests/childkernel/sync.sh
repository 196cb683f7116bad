#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The synchronization primitives: what each promises, case by case in a module
# made for it, and each in all loads that can use it.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

RUN=$DEBUGFS/../childkernel_sync_test/run

# run_case NAME: what the module checks, in the task that writes. WHY is set if
# the log says that it can not be tried here.
run_case() {
	{ echo "$1" >"$RUN"; } 2>"$TMP/error" || {
		WHY=$(log | sed -n "s/^.*skip $1: //p")
		[ -n "$WHY" ] || fail "it is not so: $(<"$TMP/error")"
	}
}

# try_case NAME: one test, as try_keep does it, but it may be skipped.
try_case() {
	FAULTS=0 WHY=
	mark
	run_case "$1"
	check_log
	if [ -n "$WHY" ] && [ "$FAULTS" -eq 0 ]; then
		try_skip "$1" "$WHY"
	else
		result "$1"
	fi
}

# with_all LOAD N: it runs with each of its N primitives, all at once, and each
# holds what it must.
with_all() {
	load workload="$1" primitive=all seconds=3 hold_ns=1000
	wait_ended
	unload childkernel
	judge "len({c['workload'] for c in children}) == $2" \
		'all(c["ops"] > 0 for c in children)' 'all(c["violations"] == 0 for c in children)'
	check_logged "^childkernel: $1/.* end: .*: SUCCESS\$" "$2"
}

CASES=()
[ ! -e "$SYNC_TEST" ] || mapfile -t CASES < <(modinfo -F case "$SYNC_TEST")
begin $((6 + ${#CASES[@]}))
if [ -e "$SYNC_TEST" ]; then
	try_keep "an unknown case is refused" sync_test "$RUN"
	for case in "${CASES[@]}"; do
		try_case "$case"
	done
	try "all cases leave nothing behind" sync_test_goes
else
	try_skip "the cases" "CK_EXTERN_DIR has no sync_test/sync_test.ko"
	try_skip "they leave nothing behind" "nor have they run"
fi
try "counter with every primitive" with_all counter 23
try "record with every primitive" with_all record 12
try "list with every primitive" with_all list 2
try "handshake with every primitive" with_all handshake 4
finish
