#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# sync_tour: each primitive used once, as documentation. It loads only if what
# it says of them is so.
# shellcheck disable=SC2119,SC2317,SC2329 # the tests are called by name; load takes what it gets

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

tour() {
	local stops
	load
	insert "$TOUR" || fail "insmod sync_tour: $ERROR"
	stops=$(log | grep -cE '^sync_tour: [a-z_]+$')
	[ "$stops" -gt 0 ] || fail "no stop in the log"
	check_logged "^sync_tour: all $stops stops\$" 1
	unload sync_tour
}

# What it has made goes with it, each time.
again() {
	local _
	load
	insert "$TOUR" || fail "insmod sync_tour: $ERROR"
	unload sync_tour
	remember_memory
	for _ in {1..5}; do
		insert "$TOUR" || fail "insmod sync_tour: $ERROR"
		unload sync_tour
	done
	check_memory
}

begin 2
if [ -e "$TOUR" ]; then
	try "all stops" tour
	try "five tours leave no memory behind" again
else
	try_skip "all stops" "no sync_tour.ko"
	try_skip "five tours leave no memory behind" "no sync_tour.ko"
fi
finish
