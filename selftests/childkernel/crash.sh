#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Children that die, with each thing that they may hold: what is contained. It
# taints the kernel and fills its log with oopses, so it is for a machine that is
# thrown away, and not among what run.sh runs by itself: run.sh --crash.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=crash_lib.sh
. "$HERE/crash_lib.sh"

# expected_oopses CASE: how many threads die in it.
expected_oopses() {
	case $1 in
	crash_error_* | restarts_limit | restarts_backoff) echo 0 ;;
	crash_*_threads | crash_*_waited_for | crash_null_read_only_write) echo 1 ;;
	crash_null_in_*hook) echo 1 ;;
	crash_*_told) echo 3 ;;
	restarts_policy) echo 6 ;;
	*) echo 2 ;;
	esac
}

# kind_of CASE: in what way. Any, if the case says nothing of it.
kind_of() {
	case $1 in
	crash_panic_* | crash_never_restarted | cycles_crash) echo panic ;;
	crash_bug_* | restarts_policy) echo bug ;;
	crash_null_read_only_write) echo fault ;;
	crash_null_*) echo null ;;
	*) echo any ;;
	esac
}

# crash CASE: runs it, and looks at the log.
crash() {
	run_case "$1"
	[ -n "${WHY:-}" ] || check_logged_oopses "$(expected_oopses "$1")" "$(kind_of "$1")"
	[[ $1 != crash_null_in_*hook ]] ||
		check_logged 'code of crash_test has crashed at the end of child' 1
}

# try_crash CASE: one test.
try_crash() {
	FAULTS=0 WHY=
	expect_oopses
	mark
	crash "$1"
	expect_no_more
	if [ -n "$WHY" ] && [ "$FAULTS" -eq 0 ]; then
		try_skip "$1" "$WHY"
	else
		result "$1"
	fi
}

# try_dead NAME FUNCTION [ARG...]: as try does it, but with oopses that the
# function looks at.
try_dead() {
	FAULTS=0 WHY=
	expect_oopses
	mark
	"${@:2}"
	unload_all
	check_nothing_left
	expect_no_more
	result "$1"
}

# come [PARAMETER...]: both modules, with a supervisor that looks often.
come() {
	load watchdog_ms=10 "$@"
	insert "$FILE" || fail "insmod $MODULE: $ERROR"
}

# The whole log of what runs meanwhile, which may be more than the kernel keeps.
follow() {
	dmesg --follow-new --notime >"$TMP/follow" &
	FOLLOWER=$!
	sleep 0.5
	"$@"
	sleep 0.5
	kill "$FOLLOWER"
	wait "$FOLLOWER"
}

# again CASE N KIND: what the machine has is the same after the case as before,
# once what the kernel keeps for the next time is there. Of each thread that died
# its task_struct stays (see thread.rs), but not its stack.
again() {
	local field
	for field in Kernel SUnreclaim; do
		MEM_NOISE[$field]=$((MEM_NOISE[$field] + $2 * TASK_KIB))
	done
	come oops_budget=10000
	run_case "$1"
	remember_memory
	follow run_case "$1"
	check_memory
	check_oopses "$2" "$3" <"$TMP/follow"
	cases_go
	for field in Kernel SUnreclaim; do
		MEM_NOISE[$field]=$((MEM_NOISE[$field] - $2 * TASK_KIB))
	done
}

# Three oopses may be followed by a restart, if at all: two of them were. An
# error may at any time, and a start by hand.
budget() {
	come oops_budget=3
	run_case cycles_budget
	check_logged_oopses 5 any
	check_logged 'is not started again' 3
	cases_go
}

# Children that died, and that their owner has forgotten, go with it.
forgotten() {
	come
	run_case cycles_forgotten
	json 'sorted(c["state"] for c in children) == ["backoff", "crashed", "failed", "running"]' \
		'sorted(c["crashes"] for c in children) == [0, 1, 1, 1]'
	cases_go
	check_logged_oopses 3 any
	check_logged 'goes without child [0-9]+ .*: joining it$' 4
}

# A load that has lost a child is not checked: what that one has done was not added
# up, and what it held nobody gives back.
at_work() {
	local id
	load watchdog_ms=10 workload=counter primitive=spinlock children=2
	snapshot
	id=$(value 'children[0]["id"]')
	echo "crash $id panic" >"$DEBUGFS/control" || fail "crash: it fails"
	wait_logged "child $id .* ended: crashed" 20
	unload childkernel
	check_logged_oopses 1 panic count-spin
	check_logged 'counter/spinlock: end: 2 children, not checked: 1 died at work$' 1
	check_logged ': (SUCCESS|FAILURE)$' 0
}

# The library is as good as before, and what is tainted is what must be.
sound_again() {
	local taint
	load workload=all seconds="$LASTS"
	wait_ended
	check_success "${LABELS[@]}"
	check_log
	read -r taint </proc/sys/kernel/tainted
	! grep -q ' __might_resched$' /proc/kallsyms || taint=$((taint & ~TAINT_WARN))
	[ $((taint & ~TAINT_OURS)) -eq $TAINT_DIE ] || fail "tainted: $taint"
}

# It can not be undone.
lockdown() {
	come workload=counter
	lock_down "$DIR/run" "$DEBUGFS/control"
	check_log
	cases_go
}

cases crash_test
begin $((9 + ${#CASES[@]}))
[ -e "$FILE" ] || skip_all "CK_EXTERN_DIR has no crash_test/crash_test.ko"
try_keep "the cases are there" come oops_budget=10000
for case in "${CASES[@]}"; do
	try_crash "$case"
done
try "all cases leave nothing behind" cases_go
try_dead "200 errors leave what there was" again cycles_error 0 any
try_dead "30 crashes leave what there was" again cycles_crash 30 panic
try_dead "the oops budget ends restarts" budget
try_dead "dead children go with their owner" forgotten
try_dead "a load that lost a child is not checked" at_work
try "the library is sound after that" sound_again
if [ -w /sys/kernel/security/lockdown ]; then
	try "lockdown: reading works, writing does not" lockdown
else
	try_skip "lockdown: reading works, writing does not" "no lockdown in this kernel"
fi
finish
