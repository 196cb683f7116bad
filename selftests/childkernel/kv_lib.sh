# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# What the topics about kv_service share, after lib.sh.

DEV=/dev/ckv

kv_load() {
	load "$@"
	insert "$KV" || fail "insmod kv_service: $ERROR"
	local _
	for _ in {1..50}; do
		[ -c "$DEV" ] && return
		sleep 0.1
	done
	fail "no $DEV"
}

# put RECORD: writes one record, which must be taken.
put() {
	{ printf '%s\n' "$1" >"$DEV"; } 2>"$TMP/error" || fail "$1: $(<"$TMP/error")"
}

# refused WHY RECORD: it must not be, for that reason. Written by a process that
# has no children: the end of one would interrupt the write, and the kernel would
# begin it again, which counts if it is a crash.
refused() {
	if (printf '%s\n' "$2" >"$DEV") 2>"$TMP/error"; then
		fail "taken: $2"
	else
		read -r ERROR <"$TMP/error"
		[ "${ERROR##*: }" = "$1" ] || fail "$2: ${ERROR##*: }, not $1"
	fi
}

# has KEY VALUE: asked by one file, read by another.
has() {
	local text
	put "GET $1"
	text=$(<"$DEV")
	[ "$text" = "$2" ] || fail "$1 is '$text', not '$2'"
}

lacks() {
	refused "No such file or directory" "GET $1"
}

# kv_child EXPRESSION...: these are true of the worker.
kv_child() {
	json "${@/#/child(\"ckv\")}"
}

# clients N ROUNDS: leaves in WRITTEN how many records they have written.
clients() {
	WRITTEN=$(python3 -I -S "$HERE/kv.py" "$1" "$2" 2>"$TMP/clients") ||
		fail "clients: $(<"$TMP/clients")"
}

# clients_done N: what they have written last is there.
clients_done() {
	local n
	for ((n = 0; n < $1; n++)); do
		has "c$n" "done $n"
	done
}
