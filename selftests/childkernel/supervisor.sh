#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What the supervisor of child kernels does, as it is seen from outside: events,
# threads, and modules that can not go.
# shellcheck disable=SC2119,SC2317,SC2329 # the tests are called by name; load takes what it gets

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# events CASE: fills EVENTS with the words of the uevents of a case.
events() {
	local _ listener
	python3 -I -S "$HERE/uevents.py" "$TMP/uevents" &
	listener=$!
	for _ in {1..100}; do
		[ ! -e "$TMP/uevents" ] || break
		sleep 0.1
	done
	run_case "$1"
	sleep 0.5
	kill $listener
	wait $listener 2>/dev/null
	mapfile -t EVENTS <"$TMP/uevents"
	rm "$TMP/uevents"
}

# is_event N NAME GENERATION STATE END CODE: the event with this number.
is_event() {
	local event=" ${EVENTS[$1]:-none} " word
	for word in ACTION=change SUBSYSTEM=module DEVPATH=/module/childkernel CHILD_NAME="$2" \
		CHILD_GENERATION="$3" CHILD_STATE="$4" CHILD_END="$5" CHILD_CODE="$6"; do
		[[ $event == *" $word "* ]] || fail "event $1: no $word in$event"
	done
	[[ $event =~ " CHILD_ID="[0-9]+" " ]] || fail "event $1: no id in$event"
}

# Each end is one event.
uevents() {
	local n
	cases_come "$DIR/run"
	events supervise_limit
	[ ${#EVENTS[@]} -eq 5 ] || fail "${#EVENTS[@]} events, not 5"
	for n in 0 1 2 3 4; do
		is_event $n limit $((n + 1)) stopped failed -5
	done
	events heartbeat_lost
	mapfile -t EVENTS < <(printf '%s\n' "${EVENTS[@]}" | grep ' CHILD_NAME=silent ')
	[ ${#EVENTS[@]} -eq 2 ] || fail "${#EVENTS[@]} events, not 2"
	is_event 0 silent 1 quarantined stuck 0
	is_event 1 silent 2 stopped returned 0
	events exit_told_before_the_next
	[ ${#EVENTS[@]} -eq 8 ] || fail "${#EVENTS[@]} events, not 8"
	is_event 0 in-turn 1 stopped returned 0
	is_event 7 in-turn 8 stopped returned 0
}

# trace_case CASE NAME: fills SEEN with the transitions of the child.
trace_case() {
	local tracing=/sys/kernel/tracing
	mountpoint -q $tracing || mount -t tracefs none $tracing || fail "no tracefs"
	: >$tracing/trace
	echo 1 >$tracing/events/childkernel/child_state/enable
	run_case "$1"
	echo 0 >$tracing/events/childkernel/child_state/enable
	SEEN=$(sed -n "s/.*child_state: .* generation=\([0-9]*\) name=$2 from=\([a-z]*\) to=\([a-z]*\) error=\(.*\)\$/\1:\2-\3:\4/p" \
		$tracing/trace | paste -sd ' ')
	: >$tracing/trace
}

traced() {
	local again='stopped-backoff:-5 1:backoff-spawning:-5 2:spawning-running:0 2:running-stopping:0 2:stopping-stopped:0'
	cases_come "$DIR/run"
	trace_case supervise_stale_after_restart stale
	[ "$SEEN" = "1:spawning-running:0 1:running-stopped:-5 1:$again" ] || fail "stale: $SEEN"
	trace_case heartbeat_replaced replaced
	again='2:spawning-running:0 2:running-stopping:0 2:stopping-stopped:0'
	again="1:quarantined-backoff:0 1:backoff-spawning:0 $again"
	[ "$SEEN" = "1:spawning-running:0 1:running-stuck:0 1:stuck-quarantined:0 $again" ] ||
		fail "replaced: $SEEN"
	trace_case heartbeat_stop_when_stuck stopped-stuck
	again='1:stuck-stopping:0 1:stopping-quarantined:0 1:quarantined-stopped:0'
	[ "$SEEN" = "1:spawning-running:0 1:running-stuck:0 $again" ] || fail "stopped: $SEEN"
}

# policies NAME...: POLICIES becomes policy and priority of these threads, as the
# scheduler's own numbers.
policies() {
	local name fields
	find_threads
	POLICIES=
	for name; do
		fields=()
		{ read -ra fields <"/proc/${PID[$name]:-none}/stat"; } 2>/dev/null
		POLICIES+="$name ${fields[40]:-} ${fields[39]:-}, "
	done
}

scheduling() {
	local wanted="as-batch 3 0, as-idle 5 0, as-fifo 1 7, " runs
	cases_come "$DIR/run"
	run_case scheduling_is_kept &
	runs=$!
	# The first generation may just be going.
	until policies as-batch as-idle as-fifo && [ "$POLICIES" = "$wanted" ]; do
		if ! kill -0 $runs 2>/dev/null; then
			fail "policy and priority: $POLICIES"
			break
		fi
		sleep 0.05
	done
	wait
}

# A child that nobody has any more keeps its module, and is shown, until it ends.
keeps_its_module() {
	local refs
	cases_come "$DIR/run"
	[ "$(</sys/module/child_test/refcnt)" -eq 0 ] || fail "it is in use before"
	run_case heartbeat_left_behind
	refs=$(</sys/module/child_test/refcnt)
	[ "$refs" -gt 0 ] || fail "its module could go"
	! rmmod child_test 2>/dev/null || fail "its module goes"
	json 'child("left-behind")["state"] == "quarantined"' \
		'child("left-behind")["end"] == "stuck"' \
		'child("left-behind")["heartbeat_ms"] == 150'
	grep -qE '^[0-9]+ +left-behind +child_test +quarantined .* stuck$' "$SUMMARY" ||
		fail "the summary does not say so"
	find_threads
	[ -n "${PID[left-behind]:-}" ] || fail "its thread is not there"
	check_logged '^childkernel: child [0-9]+ \(left-behind\) does not end: in quarantine, and module child_test stays$' 1
	# Others come and go beside it.
	insert "$HELLO" || fail "insmod hello_child: $ERROR"
	unload hello_child
	run_case heartbeat_let_go
	json 'children == []'
	check_logged '^childkernel: child [0-9]+ \(left-behind\): generation 1 has left quarantine$' 1
	[ "$(</sys/module/child_test/refcnt)" -eq 0 ] || fail "its module stays in use"
	unload child_test
}

# What a generation in quarantine gives back is not taken for the next one's.
memory_of_two() {
	local id ops
	load
	echo 'spawn pair workload=memory memory=1048576 heartbeat=300' >"$DEBUGFS/control" || {
		fail "no child"
		return
	}
	wait_so 'child("pair")["ops"] > 1000'
	id=$(value 'child("pair")["id"]')
	echo "crash $id spin" >"$DEBUGFS/control"
	wait_so 'child("pair")["state"] == "quarantined"'
	echo "restart $id" >"$DEBUGFS/control" || fail "it can not be replaced"
	echo "crash $id none" >"$DEBUGFS/control"
	ops=$(value 'child("pair")["ops"]')
	wait_so "child('pair')['ops'] > $ops + 1000"
	wait_logged '^childkernel: child [0-9]+ \(pair\): generation 1 has left quarantine$' 20
	json 'child("pair")["violations"] == 0' 'child("pair")["generation"] == 2'
	echo "stop $id" >"$DEBUGFS/control"
	grep -qx 'current 0' "$DEBUGFS/children/$id/memory" || fail "something is left"
	echo "remove $id" >"$DEBUGFS/control"
}

# One that gets stuck when its module goes already has to be waited for.
is_waited_for() {
	cases_come "$DIR/run"
	run_case heartbeat_forgotten
	mark
	unload child_test
	check_logged '^childkernel: module child_test goes without child [0-9]+ \(forgotten\): joining it$' 1
	check_logged '^childkernel: module child_test waits for child [0-9]+ \(forgotten\), which does not end$' 1
	! log | grep -q 'in quarantine' || fail "it was given up"
	json 'children == []'
}

# One CASE again and again leaves the kernel as it was.
flat() {
	cases_come "$DIR/run"
	run_case supervise_many_restarts
	run_case heartbeat_dropped_in_quarantine
	remember_memory
	run_case supervise_many_restarts
	run_case heartbeat_dropped_in_quarantine
	check_memory
}

TESTS=(
	"each end is an event:uevents"
	"all ways of a child are traced:traced"
	"threads are scheduled as they should be:scheduling"
	"a child in quarantine keeps its module:keeps_its_module"
	"memory of one in quarantine and of the next:memory_of_two"
	"a module waits for a child that it forgot:is_waited_for"
	"200 restarts and a quarantine leave nothing:flat"
)
cases child_test
begin ${#TESTS[@]}
for test in "${TESTS[@]}"; do
	if [ -e "$FILE" ]; then
		try "${test%:*}" "${test#*:}"
	else
		try_skip "${test%:*}" "no $FILE"
	fi
done
finish
