# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2154
#
# What the topic scripts ask the statistics, as a part of lib.sh.

# True of every lock once nobody uses it any more. One acquisition in 64 is
# timed, beginning with the first, on each CPU.
SUMS='all(l["contended"] <= l["acquisitions"] and
	sum(s["contended"] for s in l["sites"]) == l["contended"] and
	l["wait_ns"]["count"] == l["hold_ns"]["count"] for l in locks)'
SAMPLED='all(l["acquisitions"] / 64 <= l["hold_ns"]["count"] <= l["acquisitions"] / 64 + cpus
	for l in locks)'

# One interpreter judges for the whole topic: starting one takes longer than most
# of what it is asked.
start_judge() {
	rm -f "$TMP"/{asked,answers}
	mkfifo "$TMP"/{asked,answers}
	exec {ASKED}<>"$TMP/asked" {ANSWERS}<>"$TMP/answers"
	python3 -I -S "$HERE/stats.py" serve "$TMP/asked" "$TMP/answers" >"$TMP/judge" 2>&1 &
	JUDGE=$!
	disown "$JUDGE"
}

# ask COMMAND [ARG...]: see stats.py. What it says is in ANSWER.
ask() {
	local asker=$EPOCHREALTIME to='' verdict field
	printf '%s\0' "$asker" $# "$@" >&"$ASKED"
	# Before it there may be what came too late for who has asked.
	while [ "$to" != "$asker" ]; do
		for field in to verdict ANSWER; do
			IFS= read -r -d '' -t "$PATIENCE" -u "$ANSWERS" "$field" && continue
			ANSWER="no answer: $(<"$TMP/judge")"
			return 1
		done
	done
	[ "$verdict" = true ]
}

# snapshot: keeps stats.json for judge and value. Runs no program either.
snapshot() {
	local text
	[ -n "${JUDGE:-}" ] || start_judge
	if text=$(<"$STATS"); then
		printf '%s\n' "$text" >"$TMP/stats.json"
	else
		fail "can not read $STATS"
	fi
}

# judge [EXPRESSION...]: the snapshot has the schema, and these are true. Python
# expressions; see stats.py for the names in them.
judge() {
	ask check "$TMP/stats.json" "$@" || fail "stats.json: $ANSWER"
}

# json [EXPRESSION...]: takes a snapshot and judges it.
json() {
	snapshot
	judge "$@"
}

# wait_so EXPRESSION...: takes snapshots until these are true, and judges the last.
wait_so() {
	local limit=$((SECONDS + PATIENCE))
	while snapshot && ! ask check "$TMP/stats.json" "$@" && [ "$SECONDS" -lt "$limit" ]; do
		sleep 0.2
	done
	judge "$@"
}

# value EXPRESSION: its value in the snapshot.
value() {
	if ask value "$TMP/stats.json" "$1"; then
		printf '%s\n' "$ANSWER"
	else
		diag "$1: $ANSWER" >&2
	fi
}

# totals: for each load its label, its children and their operations, in the
# snapshot.
totals() {
	value '"\n".join("%s %d %d" % (w, sum(c["workload"] == w for c in children),
		sum(c["ops"] for c in children if c["workload"] == w))
		for w in sorted({c["workload"] for c in children} - {"", "report"}))'
}

# wait_ended: waits until all children have ended by themselves, and takes a
# snapshot.
wait_ended() {
	local limit=$((SECONDS + PATIENCE))
	while grep -qE '"state":"(spawning|running|stopping|stuck|backoff)"' "$STATS"; do
		if [ "$SECONDS" -ge "$limit" ]; then
			snapshot
			fail "children still run after $PATIENCE s: $(<"$TMP/stats.json")"
			return 1
		fi
		sleep 0.1
	done
	snapshot
}
