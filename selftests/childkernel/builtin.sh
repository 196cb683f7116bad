#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The library as a part of the kernel (=y): all loads with all primitives, by the
# file control, since there is no module that could come with parameters; and the
# KUnit suites, again and again. For User Mode Linux, at its machine's own speed.
#
#   CK_ROUNDS   how often the suites run (default 2)
#   CK_SECONDS  how long each load runs (default 1)
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

CONTROL=$DEBUGFS/control
SUITES=/sys/kernel/debug/kunit
ROUNDS=${CK_ROUNDS:-2}
LASTS=${CK_SECONDS:-1}

ktap_builtin() {
	ktap_print_header
	[ -e "$CONTROL" ] || skip_all "the library is not built in"
	[ ! -e /sys/module/childkernel/initstate ] || skip_all "the library is a module"
	command -v python3 >/dev/null || skip_all "needs python3"
	TMP=$(mktemp -d) || exit "$KSFT_FAIL"
	trap leave EXIT
	open_log
}

# valid LINE: the words that the log names when this line is refused.
valid() {
	mark
	! echo "$1" 2>/dev/null >"$CONTROL" || fail "$1: is taken"
	read_log
	logged 'valid are ' | sed 's/.*valid are //; s/, / /g'
}

say() {
	local said
	said=$({ echo "$1" >"$CONTROL"; } 2>&1) || fail "$1: $said"
}

# by_control LOAD PRIMITIVE: four threads of it, more than there may be processors.
by_control() {
	local id threads=4 more=''
	# This one is about its arena, which one thread has.
	[ "$1" != memory ] || threads=1 more=' memory=64k'
	say "spawn all workload=$1 primitive=$2 threads=$threads$more"
	snapshot
	id=$(value 'child("all")["id"]')
	sleep "$LASTS"
	say "stop $id"
	json 'child("all")["state"] == "stopped"' 'child("all")["ops"] > 0' \
		'child("all")["violations"] == 0'
	check_logged "^childkernel: $1/$2: end: all, $threads threads*, .*: SUCCESS\$" 1
	say "remove $id"
	json 'children == []' 'locks == []'
}

# suite NAME: all its cases, so often; RESULTS says which have failed.
suite() {
	local round line
	for ((round = 1; round <= ROUNDS; round++)); do
		echo run >"$SUITES/$1/run" || fail "round $round: it can not be run"
		while read -r line; do
			[[ $line != not\ ok\ * ]] || fail "round $round: $line"
			[[ $line != *"# SKIP"* ]] || diag "round $round: $line"
		done <"$SUITES/$1/results"
		grep -qE "^ *ok 1 $1\$" "$SUITES/$1/results" || fail "round $round: no result"
		[ "$FAULTS" -eq 0 ] || return
	done
}

ktap_builtin
LOADS=()
for load in $(valid "spawn x workload=none"); do
	for primitive in $(valid "spawn x workload=$load primitive=none"); do
		LOADS+=("$load $primitive")
	done
done
NAMES=()
for name in "$SUITES"/{sync,child}_*; do
	[ ! -e "$name/run" ] || NAMES+=("${name##*/}")
done
ktap_set_plan $((${#LOADS[@]} + ${#NAMES[@]} + 2))
for load in "${LOADS[@]}"; do
	read -r -a words <<<"$load"
	try_keep "${words[0]}/${words[1]}" by_control "${words[@]}"
done
for name in "${NAMES[@]}"; do
	try_keep "$name, $ROUNDS times" suite "$name"
done
FAULTS=0
[ ${#LOADS[@]} -ge 40 ] || fail "only ${#LOADS[@]} loads"
result "no load is missing"
FAULTS=0
[ ${#NAMES[@]} -ge 30 ] || fail "only ${#NAMES[@]} suites"
result "no suite is missing"
finish
