#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kv_service: a key-value store whose parser is a child kernel. What it does
# when that crashes is in kv_crash.sh.
# shellcheck disable=SC2119,SC2317,SC2329 # the tests are called by name; kv_load takes what it gets

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=kv_lib.sh
. "$HERE/kv_lib.sh"

INVALID="Invalid argument"
LONG="Message too long"

# of N: so many letters.
of() {
	printf 'x%.0s' $(seq "$1")
}

records() {
	kv_load
	[ -z "$(cat "$DEV")" ] || fail "there is an answer already"
	lacks colour
	put "SET colour blue"
	has colour blue
	# With spaces, and over what is there.
	put "SET colour dark blue  "
	put "SET shape round"
	has colour "dark blue  "
	has shape round
	# Without a newline.
	printf 'SET colour red' >"$DEV" || fail "a newline is needed"
	has colour red
	put "DEL colour"
	lacks colour
	[ -z "$(cat "$DEV")" ] || fail "the answer to an earlier question"
	refused "No such file or directory" "DEL colour"
	has shape round
	kv_child '["ops"] == 13' '["crashes"] == 0' '["state"] == "running"'
	unload kv_service
	check_logged '^kv_service: child [0-9]+: 13 records, 0 crashes$' 1
}

no_records() {
	local record
	kv_load
	for record in "" " " "x" "set a b" "SETa b" "SETS a b" "PUT a b" " SET a b" "SET a" "SET a " \
		"SET  b" "GET " "GET  a" "GET a b" "GET a " "DEL " "DEL a b" $'SET a\tb c' $'SET a b\r' \
		$'SET a \001' $'SET a \177'; do
		refused "$INVALID" "$record"
	done
	# The shell would write each line by itself.
	printf 'SET a b\nSET a c\n' >"$TMP/lines"
	! cat "$TMP/lines" >"$DEV" 2>"$TMP/error" || fail "two lines are taken"
	[[ $(<"$TMP/error") == *": $INVALID" ]] || fail "two lines: $(<"$TMP/error")"
	put "SET b c"
	has b c
	lacks a
	kv_child '["crashes"] == 0'
}

# In builds without faults the bug is not there.
malformed() {
	local CHILDKERNEL=$CK_PLAIN_DIR/childkernel.ko KV=$CK_PLAIN_DIR/kv_service.ko verb
	kv_load
	put "SET a b"
	for verb in SET GET DEL; do
		refused "$INVALID" "$verb"
	done
	has a b
	kv_child '["crashes"] == 0' '["generation"] == 1'
}

limits() {
	local n
	kv_load
	put "SET $(of 32) $(of 256)"
	has "$(of 32)" "$(of 256)"
	refused "$LONG" "SET $(of 33) b"
	refused "$LONG" "GET $(of 33)"
	refused "$LONG" "SET a $(of 257)"
	refused "$LONG" "SET $(of 32) $(of 258)"
	refused "$LONG" "SET a $(of 10000)"
	for ((n = 1; n < 128; n++)); do
		put "SET key$n value $n"
	done
	refused "No space left on device" "SET one more"
	put "SET key1 another"
	put "DEL key2"
	put "SET one more"
	refused "No space left on device" "SET two more"
	has key1 another
	has one more
	for ((n = 7; n < 128; n += 10)); do
		has "key$n" "value $n"
	done
}

# read_back FD TEXT
read_back() {
	local text
	text=$(cat <&"$1")
	[ "$text" = "$2" ] || fail "read '$text', not '$2'"
}

# Each file reads the answer to what it has asked itself.
answers() {
	local one two none
	kv_load
	put "SET a first"
	put "SET b second"
	put "GET b"
	exec {none}<"$DEV"
	exec {one}<>"$DEV"
	exec {two}<>"$DEV"
	echo "GET a" >&"$one" || fail "GET a"
	echo "GET b" >&"$two" || fail "GET b"
	put "SET b third"
	read_back "$one" first
	read_back "$two" second
	# To the end once, and from the start after the next question.
	read_back "$one" ""
	echo "GET b" >&"$one" || fail "GET b again"
	read_back "$one" third
	# Opened when the last answer of all was another.
	read_back "$none" second
	# Two more that a read of a few bytes at a time gets.
	echo "GET a" >&"$one" || fail "GET a again"
	[ "$(dd bs=2 count=2 <&"$one" 2>/dev/null)" = firs ] || fail "in pieces"
	read_back "$one" t
	exec {none}<&- {one}<&- {two}<&-
}

parallel() {
	kv_load
	clients 16 30
	clients_done 16
	kv_child "['ops'] == $WRITTEN + 16" '["crashes"] == 0' '["violations"] == 0'
}

# An open file keeps the module, and what it has asked.
held_open() {
	local fd
	kv_load
	put "SET a b"
	exec {fd}<>"$DEV"
	! ERROR=$(rmmod kv_service 2>&1) || fail "rmmod took it away"
	[[ $ERROR == *"in use"* || $ERROR == *busy* ]] || fail "rmmod says: $ERROR"
	echo "GET a" >&"$fd" || fail "it does not work any more"
	read_back "$fd" b
	exec {fd}<&-
	unload kv_service
	[ ! -e "$DEV" ] || fail "$DEV is left"
	kv_load_again
	lacks a
}

kv_load_again() {
	insert "$KV" || fail "insmod kv_service: $ERROR"
}

# A table that is full goes with the module.
memory_flat() {
	local n key value
	value=$(of 200)
	load
	for n in {1..6}; do
		kv_load_again
		for ((key = 0; key < 128; key++)); do
			put "SET key$key $value"
		done
		unload kv_service
		[ "$n" -ne 3 ] || remember_memory
	done
	check_memory
}

names=("records" "what is no record" "a verb and nothing else" "limits"
	"an answer belongs to its file" "clients in parallel" "an open file keeps the module"
	"a full table goes with it")
begin ${#names[@]}
if [ ! -e "$KV" ]; then
	for name in "${names[@]}"; do
		try_skip "$name" "no kv_service.ko"
	done
	finish
fi
try "${names[0]}" records
try "${names[1]}" no_records
if [ -e "${CK_PLAIN_DIR:-}/kv_service.ko" ]; then
	try "${names[2]}" malformed
else
	try_skip "${names[2]}" "CK_PLAIN_DIR has no kv_service.ko"
fi
try "${names[3]}" limits
try "${names[4]}" answers
try "${names[5]}" parallel
try "${names[6]}" held_open
try "${names[7]}" memory_flat
finish
