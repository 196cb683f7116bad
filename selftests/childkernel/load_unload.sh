#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Loading and unloading, again and again, costs nothing that stays.
# shellcheck disable=SC2119,SC2317,SC2329 # the tests are called by name; load takes what it gets

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Says nothing but that it is there, which the kernel says once.
check_quiet() {
	local lines
	lines=$(log | grep '^childkernel: ' | grep -v taint)
	[ -z "$lines" ] || fail "says: $lines"
}

loading_starts_nothing() {
	load
	json 'children == []' 'locks == []'
	# It has one worker, which rescues its queue, and no other thread.
	find_threads
	[[ ${!PID[*]} == "kworker/R-childkernel_reclaim" || -z ${!PID[*]} ]] || fail "threads: ${!PID[*]}"
	check_quiet
	lsmod | grep -qE '^childkernel +[0-9]+ +0 *$' || fail "lsmod: $(lsmod | grep childkernel)"
	unload childkernel
	check_quiet
}

fifty_times() {
	local n
	for n in {1..50}; do
		load
		[ -e "$STATS" ] || fail "load $n: no $STATS"
		unload childkernel
		[ ! -e "$DEBUGFS" ] || fail "load $n: $DEBUGFS is left"
		# The first few fill the kernel's own caches.
		[ "$n" -ne 10 ] || remember_memory
		[ "$FAULTS" -eq 0 ] || return
	done
	check_quiet
	check_memory
}

eight_times_with_hello() {
	local n
	for n in {1..8}; do
		load
		insert "$HELLO" || fail "insmod hello_child: $ERROR"
		unload hello_child
		unload childkernel
		[ "$n" -ne 3 ] || remember_memory
		[ "$FAULTS" -eq 0 ] || return
	done
	check_logged '^hello_child: .* torn' 8
	check_memory
}

taints_nothing_else() {
	load
	local taint
	taint=$(cat /sys/module/childkernel/taint)
	[[ $taint =~ ^O?E?$ ]] || fail "the module taints the kernel: $taint"
	[ "$(cat /sys/module/childkernel/refcnt)" = 0 ] || fail "somebody uses it"
}

begin 4
try "loading it starts nothing" loading_starts_nothing
try "50 loads, memory flat" fifty_times
try "8 loads with a dependant, memory flat" eight_times_with_hello
try "no taint but being out of tree" taints_nothing_else
finish
