#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# hello_child: a module that uses the library.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

hello() {
	insert "$HELLO" || fail "insmod hello_child: $ERROR"
}

depends() {
	[ "$(modinfo -F depends "$HELLO")" = childkernel ] ||
		fail "depends: $(modinfo -F depends "$HELLO")"
	[ "$(modinfo -F license "$HELLO")" = GPL ] || fail "license: $(modinfo -F license "$HELLO")"
	! insert "$HELLO" || fail "it loads without the library"
	[[ $ERROR == *"Unknown symbol"* ]] || fail "insmod says: $ERROR"
}

keeps_the_library() {
	load
	hello
	[ "$(cat /sys/module/childkernel/holders/hello_child/initstate 2>/dev/null)" = live ] ||
		fail "it is no holder of the library"
	! ERROR=$(rmmod childkernel 2>&1) || fail "the library went first"
	[[ $ERROR == *"in use by: hello_child"* ]] || fail "rmmod says: $ERROR"
	is_loaded childkernel || fail "the library is gone"
	json 'len(children) == 2'
}

shown() {
	local _
	load
	hello
	# Each has done something, or the test has waited long enough.
	for _ in $(seq "$PATIENCE"); do
		sleep 0.5
		! grep -q '"ops":0,' "$STATS" || continue
		break
	done
	snapshot
	judge 'len(children) == 2' 'all(c["owner"] == "hello_child" for c in children)' \
		'all(c["state"] == "running" and c["ops"] > 0 for c in children)' \
		'all(c["violations"] == 0 and c["cpu"] is None for c in children)' \
		'len(locks) == 1' 'lock("hello/position")["kind"] == "seqlock"' \
		'0 <= lock("hello/position")["acquisitions"] - child("hello-writer")["ops"] <= 1000'
	check_logged "^hello_child: children $(value 'children[0]["id"]') and $(value 'children[1]["id"]') run\$" 1
	unload hello_child
	says
	json 'children == []' 'locks == []'
}

# What it prints when it goes.
says() {
	local line
	line=$(log | grep '^hello_child: .* torn')
	[[ $line =~ ([0-9]+)\ writes,\ ([0-9]+)\ reads,\ 0\ torn,\ at\ ([0-9]+)\ after\ ([0-9]+)\ steps$ ]] || {
		fail "says: ${line:-nothing}"
		return
	}
	local writes=${BASH_REMATCH[1]} reads=${BASH_REMATCH[2]} at=${BASH_REMATCH[3]} steps=${BASH_REMATCH[4]}
	[[ $writes -gt 0 && $reads -gt 0 ]] || fail "nothing done: $line"
	[[ $steps -eq $writes && $at -eq $((steps * (steps - 1) / 2)) ]] || fail "sums: $line"
}

beside_a_load() {
	load workload=all cpus=0
	hello
	sleep 0.5
	json '{c["owner"] for c in children} == {"childkernel", "hello_child"}' 'len(locks) == 5'
	unload hello_child
	says
	json '{c["owner"] for c in children} == {"childkernel"}' \
		'all(c["state"] == "running" for c in children)'
	unload childkernel
	check_success "${LABELS[@]}"
}

begin 4
try "depends on the library" depends
try "keeps the library" keeps_the_library
try "two children and a lock" shown
try "beside running loads" beside_a_load
finish
