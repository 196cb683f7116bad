#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kv_service when its child dies of a record: needs modules that were built with
# FAULTS=1, and a machine of its own, as it is tainted afterwards.
# shellcheck disable=SC2119,SC2317,SC2329 # the tests are called by name; kv_load takes what it gets

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=kv_lib.sh
. "$HERE/kv_lib.sh"

EIO="Input/output error"
# What an oops says. All else that a log must not have is as bad here as elsewhere.
OOPS='panicked at|kernel BUG at|Oops: |cut here|Call Trace|end trace'

# try_oops NAME FUNCTION: as try does it; but there are CRASHES panics in the
# log, and nothing worse.
try_oops() {
	FAULTS=0 CRASHES=0
	# What results.py is to excuse in the log.
	echo "childkernel-selftest: expect-begin Comm: ckv" >/dev/kmsg
	mark
	"${@:2}"
	unload_all
	check_nothing_left
	echo "childkernel-selftest: expect-end" >/dev/kmsg
	check_logged 'panicked at' "$CRASHES"
	# The first line of a panic says where, and the second what.
	[ "$(log | grep -cE 'panicked at samples/kv_service/kv_service.rs')" -eq "$CRASHES" ] ||
		fail "a panic of something else"
	local found
	found=$(log | grep -E "$SPLAT" | grep -vE "$OOPS")
	[ -z "$found" ] || fail "in the log: $found"
	result "$1"
}

# crash RECORD: one that the child dies of.
crash() {
	refused "$EIO" "$1"
	CRASHES=$((CRASHES + 1))
}

once() {
	local verb
	kv_load
	put "SET a before"
	for verb in GET SET DEL; do
		crash $verb
		# Waits for the next generation.
		put "SET $verb after"
		has a before
		has $verb after
	done
	kv_child '["crashes"] == 3' '["restarts"] == 3' '["generation"] == 4' '["state"] == "running"'
	unload kv_service
	check_logged '^kv_service: child [0-9]+: [0-9]+ records, 3 crashes$' 1
}

# Only who has written the record gets an error: 8 clients get all their answers meanwhile.
others() {
	local _ pid
	kv_load
	clients 8 60 &
	pid=$!
	for _ in {1..6}; do
		crash GET
		sleep 0.2
	done
	# What it found is in a file, as it is another process.
	wait $pid
	[ ! -s "$TMP/clients" ] || fail "clients: $(<"$TMP/clients")"
	clients_done 8
	kv_child '["crashes"] == 6' '["restarts"] == 6'
}

# What a dead thread leaves is little, and the table is whole.
many() {
	local n
	kv_load
	for ((n = 0; n < 128; n++)); do
		put "SET key$n value $n"
	done
	for ((n = 0; n < 4; n++)); do
		crash SET
	done
	remember_memory
	for ((n = 0; n < 10; n++)); do
		crash SET
	done
	put "SET key0 0"
	check_memory
	for ((n = 1; n < 128; n += 7)); do
		has "key$n" "value $n"
	done
	kv_child '["crashes"] == 14'
}

# A file that is open all the while, and an end in the midst of it.
open_file() {
	local fd
	kv_load
	put "SET a b"
	exec {fd}<>"$DEV"
	echo "GET a" >&"$fd" || fail "GET a"
	! (echo GET >&"$fd") 2>/dev/null || fail "taken: GET"
	CRASHES=1
	[ "$(cat <&"$fd")" = b ] || fail "its answer is gone"
	! rmmod kv_service 2>/dev/null || fail "rmmod took it away"
	echo "GET a" >&"$fd" || fail "GET a, after"
	[ "$(cat <&"$fd")" = b ] || fail "it is another"
	exec {fd}<&-
	crash DEL
	# No generation may run just now.
	unload kv_service
	check_logged '^kv_service: child [0-9]+: [0-9]+ records, 2 crashes$' 1
}

# No more oopses than the machine is to take.
used_up() {
	kv_load oops_budget=2
	put "SET a b"
	crash GET
	has a b
	crash GET
	refused "$EIO" "GET a"
	refused "$EIO" "SET a c"
	kv_child '["state"] == "failed"' '["crashes"] == 2' '["restarts"] == 1'
}

names=("an error for the writer, and the table stays" "other writers see nothing of it"
	"ten times, with memory flat" "an open file, and an unload right after" "restarts used up")
begin ${#names[@]}
[ -e "$KV" ] || {
	for name in "${names[@]}"; do
		try_skip "$name" "no kv_service.ko"
	done
	finish
}
try_oops "${names[0]}" once
try_oops "${names[1]}" others
try_oops "${names[2]}" many
try_oops "${names[3]}" open_file
try_oops "${names[4]}" used_up
finish
