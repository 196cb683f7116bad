#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What perf says of contended locks: for a mutex, the load's own function. Where it
# may be blind, at spinlocks, the library's counters say.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Names are those of the symbol table, of which perf prints the first 128 characters;
# the load's loop is <childkernel::workload::counter::Counter<...> as ...>::work.
FUNCTION='^_RI?Nv[MXY]?(s[0-9A-Za-z]*_)?(Nt)*Cs[0-9A-Za-z]+_11childkernel8workload7counter'

# contend PRIMITIVE COMMAND...: runs it beside four children that want one lock, most of
# the time. They are gone before anything is made of what was seen, as they would
# leave perf no CPU.
contend() {
	load workload=counter primitive="$1" children=4 hold_ns=20000 stats=contended
	"${@:2}"
	snapshot
	unload childkernel
}

record() {
	nice -n -15 perf lock record -a -B -N -o "$TMP/perf.data" sleep 0.3 >"$TMP/said" 2>&1 ||
		fail "perf lock record: $(<"$TMP/said")"
	# The names go with the module.
	cp /proc/kallsyms "$TMP/kallsyms"
}

# The frames of lock functions are skipped by where they lie, none by number: perf's
# default of four counts some that only its programs in the kernel have, and hides the
# load (CK_PERF_SKIP=4 shows that). Fills ROWS, the most contended first: count, caller.
read_perf() {
	perf lock contention -i "$TMP/perf.data" --kallsyms "$TMP/kallsyms" \
		--stack-skip "${CK_PERF_SKIP:-0}" -Y mutex -k contended -F contended -x ';' \
		--output "$TMP/rows" >"$TMP/said" 2>&1 ||
		fail "perf lock contention: $(<"$TMP/said")"
	mapfile -t ROWS < <(sed -n 's/^\([1-9][0-9]*\); *mutex; */\1 /p' "$TMP/rows")
}

names_the_load() {
	local count name
	contend mutex record
	read_perf
	if [ ${#ROWS[@]} -eq 0 ]; then
		fail "perf sees no contention: $(<"$TMP/rows")"
		return
	fi
	read -r count name <<<"${ROWS[0]}"
	diag "perf: $count by $name"
	[[ $name =~ $FUNCTION ]] || fail "perf names $name, not the load's function"
	# The library has counted for longer. It does not count who is late by less
	# than it takes to try.
	judge "lock('counter/mutex')['contended'] > 0"
}

# perf names a wait by its caller, and passes over what lies in the kernel's sections
# for locks and scheduling. The mutex of PREEMPT_RT waits in a function that lies
# elsewhere: the beginning and the end of a wait have two callers, and perf shows
# neither.
perf_can_tell() {
	! is_realtime || awk '$3 ~ /^__(sched|lock)_text_(start|end)$/ { at[$3] = $1 }
		$3 ~ /^__rt_mutex_slowlock_locked([.]|$)/ { waits[$1] }
		END {
			if (!("__sched_text_start" in at))
				exit 0
			for (w in waits)
				if (!(w >= at["__sched_text_start"] && w < at["__sched_text_end"]) &&
				    !(w >= at["__lock_text_start"] && w < at["__lock_text_end"]))
					exit 1
		}' /proc/kallsyms
}

a_while() {
	sleep 0.5
	COUNTED=$(<"$DEBUGFS/locks/counter!spinlock/contended")
}

# Whether perf sees a waiter for a spinlock depends on the machine; the library does.
spinlock_is_counted() {
	COUNTED=0
	contend spinlock a_while
	diag "contended: $COUNTED"
	judge "0 < $COUNTED <= lock('counter/spinlock')['contended']" \
		"len(lock('counter/spinlock')['sites']) == 1"
}

begin 2
if ! command -v perf >/dev/null; then
	try_skip "perf names the function of a load that waits" "there is no perf"
elif [ ! -e /sys/kernel/tracing/events/lock/contention_begin ] &&
	! mount -t tracefs none /sys/kernel/tracing 2>/dev/null; then
	try_skip "perf names the function of a load that waits" "the kernel has no lock tracepoints"
elif [ -e /sys/kernel/tracing/events/lock/lock_acquire ]; then
	try_skip "perf names the function of a load that waits" \
		"where there is lockdep perf records its events, and no contention"
elif ! perf_can_tell; then
	try_skip "perf names the function of a load that waits" \
		"a mutex of this kernel waits where perf does not look for locks"
else
	try "perf names the function of a load that waits" names_the_load
fi
if [ "$(nproc)" -gt 1 ]; then
	try "contention for a spinlock is counted without perf" spinlock_is_counted
else
	try_skip "contention for a spinlock is counted without perf" "needs two CPUs"
fi
finish
