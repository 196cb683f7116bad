#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The parts of child kernels: what each promises, case by case in a module made
# for it.
# shellcheck disable=SC2119,SC2317,SC2329 # the tests are called by name; load takes what it gets

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# logs CASE N: the log has N lines of children that have failed.
logs() {
	cases_come "$DIR/run"
	mark
	run_case "$1"
	check_logged '^childkernel: child [0-9]+ \([a-z]+\) ended: ' "$2"
	cases_go
}

# has_nice WHICH: a thread that was joined may be seen for a moment longer.
has_nice() {
	local pid fields _
	for _ in {1..20}; do
		find_threads
		pid=${PID[nice-7]:-}
		[[ $pid == *' '* ]] || break
		sleep 0.1
	done
	{ read -ra fields <"/proc/${pid:-none}/stat"; } 2>/dev/null
	[ "${fields[18]:-}" = 7 ] || fail "nice value, $1: ${fields[18]:-no thread}"
}

# The thread of a child has the nice value that it was given, and so has the next.
nice() {
	load
	echo "spawn nice-7 workload=counter nice=7" >"$DEBUGFS/control" || fail "spawn: it fails"
	has_nice first
	echo "restart 1" >"$DEBUGFS/control" || fail "restart: it fails"
	has_nice next
}

# 50 MiB of boxes that nobody gave back, in 200 arenas: the first round is for
# what the kernel keeps for the next time.
forgotten_boxes() {
	cases_come "$DIR/run"
	run_case arena_frees_forgotten
	remember_memory
	run_case arena_frees_forgotten
	check_memory
}

# 16,000 calls, answered or not: likewise.
calls_over() {
	cases_come "$DIR/run"
	run_case calls_leave_nothing
	remember_memory
	run_case calls_leave_nothing
	check_memory
}

cases child_test
begin $((7 + ${#CASES[@]}))
try_cases
if [ -e "$FILE" ]; then
	try "a child that fails is in the log" logs states_after_an_error 2
	try "one that was asked to stop is not" logs states_stop_ends_a_wait 0
	try "a nice value is that of the thread" nice
	try "what is left in an arena goes with it" forgotten_boxes
	try "a call that is over leaves nothing" calls_over
else
	for name in "a child that fails is in the log" "one that was asked to stop is not" \
		"a nice value is that of the thread" "what is left in an arena goes with it" \
		"a call that is over leaves nothing"; do
		try_skip "$name" "no $FILE"
	done
fi
finish
