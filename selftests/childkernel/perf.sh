#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What perf says of contended locks: for a mutex, the load's own function. Where it
# may be blind, at spinlocks, the library's counters say.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CONTROL=$DEBUGFS/control
# As the symbol table has it, of which perf prints the first 128 characters:
# <childkernel::workload::counter::Counter<...> as ...>::work.
FUNCTION='^_RNv[A-Za-z0-9_]*11childkernel8workload7counter[A-Z].*7Counter'

# Two children that are stopped before anything is made of what was seen: they
# would leave perf no CPU.
contend() {
	load stats=contended
	echo "spawn w1 workload=counter primitive=$1 threads=2" >"$CONTROL" || fail "spawn: it fails"
	shift
	"$@" || fail "$1 fails: $(<"$TMP/said")"
	echo "stop 1" >"$CONTROL" || fail "stop: it fails"
	snapshot
}

record() {
	perf lock record -a -B -N -o "$TMP/perf.data" sleep 0.3 >"$TMP/said" 2>&1
}

# callers [ARG...]: CALLERS becomes the lines of mutexes, the most contended first.
# The frames of lock functions are skipped by where they lie, none by number: perf's
# default of four counts some that only its programs in the kernel have.
callers() {
	perf lock contention -i "$TMP/perf.data" -Y mutex -k contended -x ';' "$@" \
		>"$TMP/callers" 2>"$TMP/said" || fail "perf lock contention: $(<"$TMP/said")"
	mapfile -t CALLERS < <(grep -v '^#' "$TMP/callers" | sed -n 's/; */;/gp')
}

names_the_load() {
	local name
	contend mutex record
	callers --stack-skip "${CK_PERF_SKIP:-0}"
	if [ ${#CALLERS[@]} -eq 0 ]; then
		fail "perf sees no contention: $(<"$TMP/said")"
		return
	fi
	diag "perf: ${CALLERS[0]}"
	name=${CALLERS[0]##*;}
	[[ $name =~ $FUNCTION ]] || fail "perf names $name, not the load's function"
	# Of the same lock: what perf has seen in a part of the time, it has counted.
	json "lock('counter/mutex')['contended'] >= ${CALLERS[0]%%;*}"
}

a_while() {
	sleep 1
}

# Whether perf sees a waiter for a spinlock depends on the machine; the library does.
spinlock_is_counted() {
	local contended
	contend spinlock a_while
	contended=$(<"$DEBUGFS/locks/counter!spinlock/contended")
	diag "contended: $contended"
	[ "$contended" -gt 0 ] || fail "no contention is counted"
	json "lock('counter/spinlock')['contended'] == $contended" \
		"[s['contended'] for s in lock('counter/spinlock')['sites']] == [$contended]"
}

begin 2
if ! command -v perf >/dev/null; then
	try_skip "perf names the function of a load that waits" "there is no perf"
elif [ ! -e /sys/kernel/tracing/events/lock/contention_begin ] &&
	! mount -t tracefs none /sys/kernel/tracing 2>/dev/null; then
	try_skip "perf names the function of a load that waits" "the kernel has no lock tracepoints"
else
	try "perf names the function of a load that waits" names_the_load
fi
if [ "$(nproc)" -gt 1 ]; then
	try "contention for a spinlock is counted without perf" spinlock_is_counted
else
	try_skip "contention for a spinlock is counted without perf" "needs two CPUs"
fi
finish
