#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The statistics in debugfs: their form, and that they say what happened.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

files() {
	local file
	load
	[ "$(find "$DEBUGFS" -mindepth 1 | sort | xargs -n 1 basename | xargs)" = \
		"children control locks stats.json summary" ] ||
		fail "files: $(ls "$DEBUGFS")"
	for file in "$STATS" "$SUMMARY"; do
		[ "$(stat -c '%a %u %F' "$file")" = "400 0 regular empty file" ] ||
			fail "$file: $(stat -c '%a %u %F' "$file")"
		! echo x 2>/dev/null >"$file" || fail "$file can be written"
	done
	json 'children == []' 'locks == []'
	[ "$(cat "$STATS")" = "$(cat "$STATS")" ] || fail "two reads differ"
}

# Every acquisition of a lock is one operation of one child, and counted.
ZERO='{"count": 0, "p50": 0, "p99": 0, "max": 0}'
acquisitions() {
	load workload=counter primitive=spinlock,mutex,atomic seconds="$LASTS" stats="$1"
	wait_ended
	judge 'len(locks) == 2' "$SUMS" \
		'all(l["kind"] == l["name"].split("/")[1] for l in locks)' \
		'all(l["acquisitions"] == sum(c["ops"] for c in children if c["workload"] == l["name"])
		for l in locks)' "$2"
}

# The log, and each lock, say the same as the children.
all_loads() {
	local label ops line
	load workload=all seconds="$LASTS"
	wait_ended
	check_success "${LABELS[@]}"
	while read -r label _ ops; do
		line=${END[$label]}
		[[ $line == *" $ops ops, "* ]] || fail "$label: $ops in stats.json, but: $line"
	done < <(totals)
	# Writers of a record take its lock once a write, writers of a list to
	# insert and to remove.
	judge "$SUMS" "$SAMPLED" 'len(locks) == 4' \
		'{l["kind"] for l in locks} == {"spinlock", "mutex", "seqlock", "rculist"}' \
		"lock('record/seqlock')['acquisitions'] == $(number_after writes "${END[record/seqlock]}")" \
		"lock('list/rculist')['acquisitions'] > $(number_after inserted "${END[list/rculist]}")"
	summary
}

# The table for people has the same numbers.
summary() {
	local text name ops
	text=$(<"$SUMMARY")
	[[ $text == "childkernel on $(uname -r): "* ]] || fail "first line: ${text%%$'\n'*}"
	while read -r name ops; do
		[[ $text =~ $'\n'[0-9]+\ +$name\ +childkernel\ +stopped\ [^$'\n']*\ $ops\ +0$'\n' ]] ||
			fail "no line of $name with $ops operations: $text"
	done < <(value '"\n".join("%s %s" % (c["name"], c["ops"]) for c in children)')
	while read -r name ops; do
		[[ $text$'\n' =~ $'\n'$name\ +[a-z]+\ +$ops\  ]] ||
			fail "no line of lock $name with $ops acquisitions: $text"
	done < <(value '"\n".join("%s %s" % (l["name"], l["acquisitions"]) for l in locks)')
}

off() {
	load workload=all seconds="$LASTS" stats=off
	wait_ended
	judge 'ops > 0' 'len(locks) == 4' 'all(c["ops"] > 0 for c in children)' \
		'all(l["acquisitions"] == l["contended"] == 0 for l in locks)' \
		'all(l["wait_ns"] == l["hold_ns"] == {"count": 0, "p50": 0, "p99": 0, "max": 0} for l in locks)' \
		'all(l["sites"] == [] for l in locks)'
}

# Two children that hold a lock most of the time get into each other's way, at
# the one place where the load takes it. On one CPU only a holder that can be
# preempted is met.
contention() {
	local kind=spinlock
	[ "$(nproc)" -gt 1 ] || kind=mutex
	load workload=counter primitive=$kind hold_ns=20000 seconds="$LASTS" children=2
	wait_ended
	judge "lock('counter/$kind')['contended'] > 0" "$SUMS" \
		"len(lock('counter/$kind')['sites']) == 1" \
		"__import__('re').search(r'(^|/)src/workload/counter\.rs:[1-9][0-9]*\$', lock('counter/$kind')['sites'][0]['at'])" \
		"lock('counter/$kind')['wait_ns']['max'] > 0"
}

# One child alone has nobody to wait for.
no_contention() {
	load workload=counter primitive=spinlock,mutex,atomic children=1 seconds="$LASTS"
	wait_ended
	judge 'all(l["contended"] == 0 and l["sites"] == [] for l in locks)' "$SAMPLED"
}

# Reads both files without a pause until told to stop.
start_readers() {
	rm -f "$TMP/stop"
	python3 -I -S "$HERE/stats.py" watch "$STATS" "$TMP/stop" >"$TMP/watched" 2>&1 &
	READERS=$!
	(
		until [ -e "$TMP/stop" ]; do
			cat "$SUMMARY" 2>/dev/null
		done
	) >/dev/null &
}

stop_readers() {
	: >"$TMP/stop"
	wait "$READERS" || fail "reading: $(cat "$TMP/watched")"
	wait
	diag "$(tail -n 1 "$TMP/watched")"
}

# Children and locks of another module come and go while they are shown.
reading_while_they_come_and_go() {
	local n end
	load workload=all cpus=0
	start_readers
	for n in {1..4}; do
		insert "$HELLO" || fail "insmod hello_child: $ERROR"
		sleep 0.1
		# A busy machine may take long to read once.
		end=$((SECONDS + 20))
		while [ "$n" -eq 4 ] && [ "$SECONDS" -lt "$end" ] &&
			! grep -q '^saw hello/position$' "$TMP/watched"; do
			sleep 0.1
		done
		unload hello_child
	done
	stop_readers
	grep -qE '^reads=[1-9][0-9]* .*hello_child.*hello/position' "$TMP/watched" ||
		fail "hello_child was never seen"
	json 'all(c["owner"] == "childkernel" for c in children)' 'len(locks) == 4'
}

# The files themselves come and go. One that is open at the wrong moment keeps
# the module, so rmmod may have to try again.
reading_while_the_files_come_and_go() {
	local n tries
	start_readers
	for n in {1..4}; do
		load workload=all cpus=0
		tries=0
		until ERROR=$(rmmod childkernel 2>&1); do
			[[ $ERROR == *"in use"* || $ERROR == *"temporarily unavailable"* ]] ||
				fail "rmmod $n: $ERROR"
			tries=$((tries + 1))
			if [ "$tries" -gt 500 ]; then
				fail "rmmod $n: never: $ERROR"
				break
			fi
		done
	done
	stop_readers
	grep -qE '^reads=[1-9][0-9]* ' "$TMP/watched" || fail "nothing was read"
	check_logged ': SUCCESS$' 24
}

begin 9
try "two files, for root to read" files
try "acquisitions are operations, stats=times" acquisitions times \
	"$SAMPLED and all(l['hold_ns']['max'] > 0 for l in locks)"
try "acquisitions are operations, stats=contended" acquisitions contended \
	"all(l['wait_ns'] == l['hold_ns'] == $ZERO for l in locks)"
try "log, children, locks and summary agree" all_loads
try "stats=off counts nothing" off
try "contention is counted where it happens" contention
try "no contention without others" no_contention
try "reading while children come and go" reading_while_they_come_and_go
try "reading while the files come and go" reading_while_the_files_come_and_go
finish
