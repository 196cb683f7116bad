#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Child kernels as they are seen from outside: names, ids, states, threads.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# On one CPU, which leaves the other to those who look.
names_of_threads() {
	local name
	load workload=all children=4 cpus=0
	find_threads
	snapshot
	unload childkernel
	judge 'len(children) == 24' 'all(c["threads"] == 1 for c in children)' \
		'all(c["state"] == "running" for c in children)' \
		'{c["name"].split("/")[0] for c in children} ==
		{"count-spin", "count-mutex", "count-atomic", "record", "list", "handshake"}' \
		'sorted({c["name"].split("/")[1] for c in children}) == ["0", "1", "2", "3"]' \
		'all(c["owner"] == "childkernel" for c in children)'
	while read -r name; do
		[[ ${PID[$name]:-} =~ ^[0-9]+$ ]] || fail "threads called $name: ${PID[$name]:-none}"
	done < <(value '"\n".join(c["name"] for c in children)')
	# These and no others, but the worker that any load of the module has.
	unset 'PID[kworker/R-childkernel_reclaim]'
	[ ${#PID[@]} -eq 24 ] || fail "threads: ${!PID[*]}"
}

states() {
	load workload=counter primitive=spinlock,mutex,atomic seconds="$LASTS"
	json 'all(c["generation"] == 1 and c["error"] == 0 for c in children)' \
		'all(c["state"] in ("running", "stopped") for c in children)'
	wait_ended
	judge 'all(c["state"] == "stopped" for c in children)'
	# What has stopped keeps its record, but no thread.
	find_threads
	[ -z "${PID[count-spin/0]:-}" ] || fail "a thread of a stopped child is there"
	json "ops == $(value ops)"
}

running_until_unload() {
	load workload=all
	sleep 0.5
	snapshot
	cp "$TMP/stats.json" "$TMP/before.json"
	sleep 0.5
	snapshot
	unload childkernel
	judge 'all(c["state"] == "running" for c in children)' \
		"all(c['ops'] > b['ops'] for c, b in zip(children,
		__import__('json').load(open('$TMP/before.json'))['children'], strict=True))"
}

ids() {
	local last=0 first _
	load workload=all cpus=0
	json '[c["id"] for c in children] == list(range(1, len(children) + 1))'
	last=$(value 'children[-1]["id"]')
	for _ in 1 2 3; do
		insert "$HELLO" || fail "insmod hello_child: $ERROR"
		snapshot
		unload hello_child
		read -r first last < <(value "\"%s %s\" % (
			min(c['id'] for c in children if c['owner'] == 'hello_child') > $last,
			children[-1]['id'])")
		[ "$first" = True ] || fail "an id was used again"
	done
}

# What a tracer sees of the two children of hello_child.
traced() {
	local event=/sys/kernel/tracing/events/childkernel/child_state/enable
	mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing ||
		fail "no tracefs"
	load
	[ -e "$event" ] || {
		fail "no tracepoint childkernel:child_state"
		return
	}
	: >/sys/kernel/tracing/trace
	echo 1 >"$event"
	insert "$HELLO" || fail "insmod hello_child: $ERROR"
	unload hello_child
	echo 0 >"$event"
	local name seen
	for name in hello-writer hello-reader; do
		seen=$(sed -n "s/.*child_state: id=[0-9]* generation=\([0-9]*\) name=$name from=\([a-z]*\) to=\([a-z]*\) error=0\$/\1:\2-\3/p" \
			/sys/kernel/tracing/trace | paste -sd ' ')
		[ "$seen" = "1:spawning-running 1:running-stopping 1:stopping-stopped" ] ||
			fail "$name: seen: $seen"
	done
}

# ran_on CPU: the child's thread is there, sooner or later, and gets on.
ran_on() {
	local _ before
	for _ in {1..40}; do
		find_threads
		[ "${RAN_ON[count-spin/0]:-}" != "$1" ] || break
		sleep 0.1
	done
	[ "${RAN_ON[count-spin/0]:-}" = "$1" ] ||
		fail "not on CPU $1 but ${RAN_ON[count-spin/0]:-nowhere}"
	snapshot
	before=$(value ops)
	sleep 0.3
	json "ops > $before"
}

# A child whose CPU goes offline runs elsewhere, and comes back with it.
cpu_offline() {
	local online=/sys/devices/system/cpu/cpu1/online
	load workload=counter children=1 cpus=1
	ran_on 1
	echo 0 >"$online" || fail "CPU 1 stays online"
	ran_on 0
	echo 1 >"$online" || fail "CPU 1 stays offline"
	ran_on 1
	unload childkernel
	check_success counter/spinlock
}

begin 6
try "threads are called as their children" names_of_threads
try "states of a load that ends" states
try "children run until unload" running_until_unload
try "changes of state are traced" traced
if [ -w /sys/devices/system/cpu/cpu1/online ]; then
	try "a child outlives its CPU" cpu_offline
else
	try_skip "a child outlives its CPU" "no second CPU that could go"
fi
try "ids are never used again" ids
finish
