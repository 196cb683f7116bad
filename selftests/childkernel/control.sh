#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The file control: each command, what is refused, many writers at once, and
# random lines against a model of what should be there. The children are those
# of the library's loads, and of the entry points that child_test has.
# shellcheck disable=SC2119,SC2317,SC2329 # parameters are optional, tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CONTROL=$DEBUGFS/control
# Where each takes several times as long, fewer.
COUNT=$((1000 / ${CK_SLOW:-1}))

cases child_test
[ -e "$FILE" ] || {
	ktap_print_header
	skip_all "CK_EXTERN_DIR has no child_test/child_test.ko"
}

come() {
	load
	insert "$FILE" || fail "insmod child_test: $ERROR"
}

# driver TEST [ARG...]: what control.py finds.
driver() {
	python3 -I -S "$HERE/control.py" "$DEBUGFS" "$@" >"$TMP/said" 2>&1 || fail "$(<"$TMP/said")"
	[ ! -s "$TMP/said" ] || diag "$(<"$TMP/said")"
}

# does TEST: beside a child that is not of this file.
does() {
	come
	insert "$HELLO" || fail "insmod hello_child: $ERROR"
	driver "$1"
	unload hello_child
}

most() {
	come
	driver most
}

# Unload ends what nobody has removed. Apart from the above, as the log has no
# room for both.
most_go() {
	unload child_test
	check_logged '^childkernel: module child_test goes without child [0-9]+ ' 1024
}

# The seed of the day, or the one that is to be tried again.
at_random() {
	local seed=${CK_SEED:-$((RANDOM * 32768 + RANDOM))}
	diag "seed $seed: again with CK_SEED=$seed"
	come
	insert "$HELLO" || fail "insmod hello_child: $ERROR"
	driver random "$seed" "$COUNT"
	unload hello_child
}

# say LINE [ERROR]: writes it; ERROR is a word of what the shell says then.
say() {
	local said
	if said=$({ echo "$1" >"$CONTROL"; } 2>&1); then
		[ -z "${2:-}" ] || fail "$1: is taken"
	else
		[[ -n ${2:-} && $said == *"$2"* ]] || fail "$1: $said"
	fi
}

# By a module that goes: its children are joined, its points are taken back,
# those too that it has forgotten, and what is left of the file's are its own.
owner_goes() {
	come
	echo forget >"$DIR/entries" || fail "forget: it fails"
	say "spawn theirs entry=idle threads=2"
	say "spawn late entry=forgotten"
	say "spawn ours workload=counter nice=19"
	json 'child("theirs")["owner"] == "child_test"' 'child("late")["state"] == "running"'
	unload child_test
	check_logged '^childkernel: entry point forgotten goes with its module$' 1
	check_logged '^childkernel: entry point ' 1
	check_logged '^childkernel: module child_test goes without child [0-9]+ \((theirs|late)\)' 2
	json '[c["name"] for c in children] == ["ours"]'
	say "stop 1" "No such process"
	say "spawn more entry=idle" "No such file"
	check_logged '^childkernel: entry=idle: valid are those that modules register, and now there is none$' 1
	# It comes again, and so do its points.
	insert "$FILE" || fail "insmod child_test: $ERROR"
	say "spawn again entry=idle"
	json 'child("again")["state"] == "running"'
}

# Children are spawned from a module that comes and goes meanwhile.
comes_and_goes() {
	local n spawned=0 refused=0 pid
	come
	(
		# shellcheck disable=SC2030 # as it says
		trap - EXIT
		for n in {1..4}; do
			rmmod child_test 2>/dev/null && insmod "$FILE"
		done
		touch "$TMP/stop"
	) &
	pid=$!
	while [ ! -e "$TMP/stop" ]; do
		if { echo "spawn x entry=idle" >"$CONTROL"; } 2>"$TMP/error"; then
			spawned=$((spawned + 1))
		else
			grep -qE 'No such (file|device)' "$TMP/error" || fail "$(<"$TMP/error")"
			refused=$((refused + 1))
		fi
		sleep 0.02
	done
	wait $pid
	diag "$spawned spawned, $refused refused"
	[ "$spawned" -gt 0 ] || fail "none was spawned"
}

# Nobody but root, nothing but to be written, and an open file keeps the module.
the_file() {
	local fd
	load
	[ "$(stat -c %a "$CONTROL")" = 200 ] || fail "its mode is $(stat -c %a "$CONTROL")"
	exec {fd}>"$CONTROL"
	[ "$(cat /sys/module/childkernel/refcnt)" = 1 ] || fail "nobody uses it"
	! rmmod childkernel 2>/dev/null || fail "rmmod took it away"
	# Any number of lines one after the other.
	echo "spawn a workload=counter nice=19" >&"$fd" || fail "the first line fails"
	echo "spawn b workload=record threads=2 nice=19" >&"$fd" || fail "the second line fails"
	exec {fd}>&-
	json '[c["name"] for c in children] == ["a", "b"]' \
		'[c["threads"] for c in children] == [1, 2]'
	unload childkernel
	check_logged '^childkernel: counter/spinlock: end: a, 1 threads, .*: SUCCESS$' 1
	check_logged '^childkernel: record/seqlock: end: b, 2 threads, .*: SUCCESS$' 1
}

begin 12
try "the file" the_file
try "each command" does commands
try "refusals change nothing" does refusals
try "each load in one child" does loads
try "loads that are stopped at once" does early
try "many writers" does parallel
try "a child that takes long to stop" does slow
try_keep "as many as there may be" most
try "all of them go with their module" most_go
try "entry points go with their module" owner_goes
try "a module that comes and goes" comes_and_goes
try "$COUNT random lines" at_random
finish
