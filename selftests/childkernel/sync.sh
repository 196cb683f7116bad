#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The synchronization primitives: what each promises, case by case in a module
# made for it, and each in all loads that can use it.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# with_all LOAD N: it runs with each of its N primitives, all at once, and each
# holds what it must.
with_all() {
	load workload="$1" primitive=all seconds="$LASTS" hold_ns=1000
	wait_ended
	unload childkernel
	judge "len({c['workload'] for c in children}) == $2" \
		'all(c["ops"] > 0 for c in children)' 'all(c["violations"] == 0 for c in children)'
	check_logged "^childkernel: $1/.* end: .*: SUCCESS\$" "$2"
}

cases sync_test
begin $((6 + ${#CASES[@]}))
try_cases
try "counter with every primitive" with_all counter 23
try "record with every primitive" with_all record 12
try "list with every primitive" with_all list 2
try "handshake with every primitive" with_all handshake 4
finish
