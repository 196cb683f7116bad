#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Every load with every primitive: each child does something, and no check of
# the load finds anything wrong.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# One child for each CPU is what the loads have by themselves, and on one CPU
# there would be nobody to read what is written.
ENOUGH=()
[ "$(nproc)" -gt 1 ] || ENOUGH=(children=2)

# sound LABELS [EXPRESSION...]: what must hold of these loads once they have
# ended, whatever they are: that all did something, found nothing, and say so.
sound() {
	local labels label n ops
	read -ra labels <<<"$1"
	shift
	judge "{c['workload'] for c in children} == set('${labels[*]}'.split())" \
		'all(c["state"] == "stopped" and c["error"] == 0 for c in children)' \
		'all(c["ops"] > 0 for c in children)' \
		'all(c["violations"] == 0 for c in children)' \
		"$SUMS" "$SAMPLED" "$@"
	check_success "${labels[@]}"
	while read -r label n ops; do
		[[ ${END[$label]:-} == *" end: $n children, $ops ops, "* ]] ||
			fail "$label: $n children, $ops ops in stats.json, but: ${END[$label]:-}"
	done < <(totals)
	said "${labels[@]}"
}

# said LABEL...: what their end lines must say. Counts on check_success.
said() {
	local label
	for label; do
		said_"${label%/*}" "${END[$label]:-}"
	done
}

said_counter() {
	[[ $1 =~ \ ([0-9]+)\ ops,.*\ value\ ([0-9]+)\ of\ ([0-9]+): &&
		${BASH_REMATCH[1]} -eq ${BASH_REMATCH[2]} &&
		${BASH_REMATCH[2]} -eq ${BASH_REMATCH[3]} ]] || fail "sums: $1"
}

said_record() {
	[ "$(number_after writes "$1")" -gt 0 ] || fail "no writes: $1"
	[ "$(number_after reads "$1")" -gt 0 ] || fail "no reads: $1"
}

said_list() {
	local inserted removed freed word
	inserted=$(number_after inserted "$1")
	removed=$(number_after removed "$1")
	freed=$(number_after freed "$1")
	[ "$inserted" -gt 0 ] || fail "nothing inserted: $1"
	[[ $inserted -eq $removed && $removed -eq $freed ]] || fail "not all is freed: $1"
	for word in lookups softirq hardirq; do
		[ "$(number_after "$word" "$1")" -gt 0 ] || fail "no $word: $1"
	done
}

said_handshake() {
	[ "$(number_after 'round trips' "$1")" -gt 0 ] || fail "no round trips: $1"
	[ "$(number_after timeouts "$1")" -eq 0 ] || fail "timeouts: $1"
}

said_pipeline() {
	local made
	made=$(number_after made "$1")
	[ "$made" -gt 0 ] || fail "no messages: $1"
	[ $(($(number_after delivered "$1") + $(number_after 'given up' "$1"))) -eq "$made" ] ||
		fail "lost messages: $1"
	[ "$(number_after dropped "$1")" -eq "$made" ] || fail "not all are dropped: $1"
}

said_table() {
	local word
	for word in inserted removed found missed; do
		[ "$(number_after "$word" "$1")" -gt 0 ] || fail "no $word: $1"
	done
}

said_memory() {
	local word
	for word in taken refused fills; do
		[ "$(number_after "$word" "$1")" -gt 0 ] || fail "no $word: $1"
	done
	[ "$(number_after taken "$1")" -eq "$(number_after 'given back' "$1")" ] ||
		fail "not all is given back: $1"
}

said_requests() {
	[ "$(number_after answered "$1")" -gt 0 ] || fail "no answers: $1"
	[ $(($(number_after answered "$1") + $(number_after failed "$1"))) -eq \
		"$(number_after asked "$1")" ] || fail "calls that did not end: $1"
}

# for_seconds LABEL PARAMETER...: runs until it ends by itself.
for_seconds() {
	local label=$1
	shift
	load seconds="$LASTS" "${ENOUGH[@]}" "$@"
	wait_ended
	check_logged "^childkernel: $label: .*, $LASTS s\$" 1
	sound "$label" 'len(children) in (cpus, cpus + 1)' \
		'{c["cpu"] for c in children} == set(range(cpus))' \
		"'$label' not in ('counter/spinlock', 'counter/mutex') or lock('$label')['acquisitions'] == ops"
}

# A child's thread may run on no other CPU than the one that is shown. Looks
# while they run, without starting any program.
declare -A ALLOWED
look() {
	local name text
	snapshot
	find_threads
	ALLOWED=()
	for name in "${!PID[@]}"; do
		[[ ${PID[$name]} =~ ^[0-9]+$ ]] || continue
		# At once: line by line it would change in between.
		text=$(<"/proc/${PID[$name]}/status")
		[[ ! $text =~ Cpus_allowed_list:[[:space:]]+([0-9,-]+) ]] ||
			ALLOWED[$name]=${BASH_REMATCH[1]}
	done
}

bound() {
	local name cpu
	while read -r name cpu; do
		[ "${ALLOWED[$name]:-}" = "$cpu" ] || fail "$name may run on ${ALLOWED[$name]:-}, not on $cpu"
		[ "${RAN_ON[$name]:-}" = "$cpu" ] || fail "$name runs on ${RAN_ON[$name]:-}, not on $cpu"
	done < <(value '"\n".join("%s %s" % (c["name"], c["cpu"]) for c in children if c["cpu"] is not None)')
}

# Everything together, until unload, with a line in the log each second.
all_until_unload() {
	local label line text _
	load workload=all stat_interval=1 hold_ns=2000 think_ns=1000 "${ENOUGH[@]}"
	# Two lines of each load, or the test has waited long enough.
	for _ in {1..15}; do
		sleep 2.5
		[ "$(log | grep -cE '^childkernel: handshake/completion: [0-9]+ ops, 0 viol')" -lt 2 ] || break
	done
	look
	unload childkernel
	text=$(log)
	for label in "${LABELS[@]}"; do
		[[ $text =~ "childkernel: $label: "[0-9]+\ children,\ hold\ 2000\ ns,\ think\ 1000\ ns,\ until\ unload ]] ||
			fail "$label: no line at the beginning"
		line="childkernel: $label: [0-9]+ ops, 0 violations"
		[[ $text =~ $line.*$line ]] || fail "$label: no two lines at the interval"
	done
	bound
	judge "{c['workload'] for c in children} == set('${LABELS[*]} report'.split())" \
		'all(c["state"] == "running" for c in children)' \
		'all(c["ops"] > 0 and c["violations"] == 0 for c in children)' \
		'child("report")["cpu"] is None'
	check_success "${LABELS[@]}"
	said "${LABELS[@]}"
}

# More children than CPUs, all loads at once.
many_children() {
	load workload=all children=6 seconds="$LASTS"
	wait_ended
	sound "${LABELS[*]}" 'len(children) == 36' '{c["cpu"] for c in children} == set(range(cpus))'
}

# All on one CPU, where a child that waits for another must let it run.
one_cpu() {
	load workload=all children=2 cpus="$1"
	wait_so 'all(c["ops"] > 0 for c in children)'
	look
	unload childkernel
	bound
	judge 'len(children) == 12' "all(c['cpu'] == $1 and c['violations'] == 0 for c in children)"
	check_success "${LABELS[@]}"
	said "${LABELS[@]}"
}

# What these loads run by themselves.
alone() {
	local load primitive
	for load in pipeline table memory requests; do
		mark
		load workload=$load
		snapshot
		unload childkernel
		case $load in
		pipeline) primitive=mailbox ;;
		table) primitive=spinlock ;;
		memory) primitive=arena ;;
		requests) primitive=call ;;
		esac
		judge 'len(children) >= cpus' \
			"{c['workload'] for c in children} == {'$load/$primitive'}"
		check_success "$load/$primitive"
	done
}

# Loads that end by themselves leave nothing on its way.
messages() {
	local label labels=(pipeline/mailbox pipeline/mailbox_guarded memory/arena requests/call)
	load workload=all primitive=mailbox,mailbox_guarded,arena,call children=6 seconds="$LASTS"
	wait_ended
	sound "${labels[*]}" 'locks == []'
	for label in pipeline/mailbox pipeline/mailbox_guarded; do
		[ "$(number_after 'given up' "${END[$label]}")" -eq 0 ] || fail "given up: ${END[$label]}"
	done
	[ "$(number_after failed "${END[requests/call]}")" -eq 0 ] ||
		fail "failed: ${END[requests/call]}"
}

# All locks of one table have one name in the statistics.
table() {
	local label
	load workload=table primitive=all children=3 seconds="$LASTS" granularity="$1"
	wait_ended
	sound "table/spinlock table/mutex table/rwlock" 'len(locks) == 3' \
		'all(l["name"] == "table/" + l["kind"] and l["acquisitions"] > 0 for l in locks)' \
		"lock('table/spinlock')['acquisitions'] == sum(c['ops'] for c in children
			if c['workload'] == 'table/spinlock')"
	for label in "${!END[@]}"; do
		[ "$(number_after locks "${END[$label]}")" -eq "$2" ] || fail "locks: ${END[$label]}"
	done
}

# split READERS WRITERS PARAMETER...: the first children are writers.
split() {
	local writers=$2 n=$(($1 + $2)) record list of_record of_list
	shift 2
	load workload=all seconds="$LASTS" "$@"
	wait_ended
	judge "all(c['ops'] > 0 and c['violations'] == 0 for c in children)"
	check_success "${LABELS[@]}"
	record=${END[record/seqlock]:-} list=${END[list/rculist]:-}
	[[ $record == *" end: $n children, "* && $list == *" end: $n children, "* ]] ||
		fail "not $n children: $record; $list"
	# What the writers did, then what the readers did.
	read -r -a of_record < <(value "'%d %d' % (lambda o: (sum(o[:$writers]), sum(o[$writers:])))([
		c['ops'] for c in children if c['workload'] == 'record/seqlock'])")
	read -r -a of_list < <(value "'%d %d' % (lambda o: (sum(o[:$writers]), sum(o[$writers:])))([
		c['ops'] for c in children if c['workload'] == 'list/rculist'])")
	[[ $record == *" writes ${of_record[0]} reads ${of_record[1]} "* ]] ||
		fail "${of_record[*]} writes and reads, but: $record"
	[[ $list == *" inserted ${of_list[0]} "*" lookups ${of_list[1]} "* ]] ||
		fail "${of_list[*]} insertions and lookups, but: $list"
}

# The time inside the critical section is really spent there.
hold() {
	load workload=counter hold_ns=200000 children=1 seconds="$LASTS"
	wait_ended
	# In a histogram whose buckets double; the delay loop may be a little short.
	judge 'lock("counter/spinlock")["hold_ns"]["p50"] >= 131072'
	check_success counter/spinlock
}

begin 17
try "counter, spinlock" for_seconds counter/spinlock workload=counter primitive=spinlock
try "counter, mutex" for_seconds counter/mutex workload=counter primitive=mutex
try "counter, atomic" for_seconds counter/atomic workload=counter primitive=atomic
try "record" for_seconds record/seqlock workload=record
try "list" for_seconds list/rculist workload=list
try "handshake" for_seconds handshake/completion workload=handshake
try "all loads until unload" all_until_unload
try "more children than CPUs" many_children
try "all loads on one CPU" one_cpu "$(($(nproc) - 1))"
try "loads that only run when asked for" alone
try "messages, memory and calls" messages
try "table, one lock" table coarse 1
try "table, a lock for each bucket" table fine 64
try "3 readers, 1 writer" split 3 1 readers=3 writers=1
try "no readers" split 0 2 writers=2 children=2
try "no writers" split 2 0 writers=0 children=2
try "hold_ns is spent under the lock" hold
finish
