# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# What the topics about faults share, after lib.sh.
#
# Environment, all of it optional:
#   CK_SEED        what all that is random begins with: else it is another each time
#   CK_ROUNDS      how many loads are interrupted
#   CK_WRITES      how often is written to the file control

CONTROL=$DEBUGFS/control
SEED=${CK_SEED:-$((RANDOM * 32768 + RANDOM))}
READERS=4
cases child_test

come() {
	load "$@"
	[ ! -e "$FILE" ] || insert "$FILE" || fail "insmod child_test: $ERROR"
}

# driver SCRIPT ARG...: what it finds.
driver() {
	CK_SPLAT=$SPLAT python3 -I -S "$HERE/$1" "${@:2}" >"$TMP/said" 2>&1 || fail "$(tail -c 3000 "$TMP/said")"
	[ ! -s "$TMP/said" ] || diag "$(tail -c 3000 "$TMP/said")"
}

# A console prints each line before the next can be written: so many are only kept.
quiet() {
	local ignore=/sys/module/printk/parameters/ignore_loglevel
	read -r LOUD _ </proc/sys/kernel/printk
	LOUD_TOO=
	[ ! -w $ignore ] || { LOUD_TOO=$(<$ignore) && echo N >$ignore; }
	echo 1 >/proc/sys/kernel/printk
}

loud() {
	echo "$LOUD" >/proc/sys/kernel/printk
	[ -z "$LOUD_TOO" ] || echo "$LOUD_TOO" >/sys/module/printk/parameters/ignore_loglevel
}

# Whether it takes so long that readers have to get at all files.
READ_MUCH=1

# begin_reading: all files, in several processes, in all ways, until end_reading.
# They leave the CPUs to others who want them.
begin_reading() {
	local n
	READING=()
	rm -f "$TMP/stop"
	for ((n = 0; n < READERS; n++)); do
		nice -n 19 python3 -I -S "$HERE/reading.py" "$DEBUGFS" "$SEED/$n" "$TMP/stop" \
			>"$TMP/reads.$n" 2>&1 &
		READING+=($!)
	done
}

# They have read, in each way.
end_reading() {
	local n ways
	: >"$TMP/stop"
	for ((n = 0; n < READERS; n++)); do
		wait "${READING[n]}" || fail "reader $n: $(tail -c 2000 "$TMP/reads.$n")"
	done
	ways=$(sed 's/ /\n/g' "$TMP"/reads.* | awk -F = '{ n[$1] += $2 } END { for (w in n) print w "=" n[w] }' | sort | xargs)
	diag "$READERS readers: $ways"
	[ -z "$READ_MUCH" ] || ! grep -qE '(again|anywhere|beyond|byte_by_byte|in_pieces)=0( |$)' <<<"$ways" ||
		fail "not read in each way: $ways"
}

# while_reading FUNCTION [ARG...]
while_reading() {
	diag "seed $SEED: again with SEED=$SEED"
	begin_reading
	"$@"
	end_reading
}
