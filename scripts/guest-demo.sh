#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The demo's part in the guest: guest-demo.sh MODULE.ko
#
# First, loads of six kinds contend for their locks. Then four children are spawned
# through the file control, and one of them is made to panic once a second. What
# is shown of it goes to $CK_RESULTS/crash.txt. Fails if another child stood still
# for a second, or if the one that panicked was not back after five.
set -euo pipefail

dir=/sys/kernel/debug/childkernel
tracing=/sys/kernel/tracing
seconds=10
# How long the four are watched before anything happens to them.
before=5
panics=10
# The first is the one that panics.
children=(w1 w2 w3 w4)
loads=("counter primitive=mutex cpus=0" "record cpus=1" "list cpus=0"
	"counter primitive=atomic cpus=1")
restarts="restart=on-crash limit=32 backoff=10 backoff-max=10"

# --- contention --------------------------------------------------------------

insmod "$1" workload=all seconds="$seconds"
sleep "$seconds"
for _ in $(seq 100); do
	grep -q '"state":"running"' "$dir/stats.json" || break
	sleep 0.2
done
cat "$dir/summary" >"$CK_RESULTS/summary.txt"
cat "$dir/stats.json" >"$CK_RESULTS/stats.json"
rmmod childkernel

# --- crashes -----------------------------------------------------------------

die() {
	echo "$*" >&2
	exit 1
}

# field NAME KEY: of a child, in the snapshot; without a program that takes time.
field() {
	local rest=${stats#*\"name\":\""$1"\"}
	rest=${rest#*\""$2"\":}
	rest=${rest%%[,\}]*}
	echo "${rest//\"/}"
}

# snapshot WHEN: the operations of all children, and the time in us.
declare -A ops at
snapshot() {
	local child
	stats=$(<"$dir/stats.json")
	at[$1]=${EPOCHREALTIME/./}
	for child in "${children[@]}"; do
		ops[$1 $child]=$(field "$child" ops)
	done
}

# rate CHILD FROM TO: operations a second.
rate() {
	echo $(((${ops[$3 $1]} - ${ops[$2 $1]}) * 1000000 / (${at[$3]} - ${at[$2]})))
}

# What the kernel holds that nobody can take from it, in KiB.
memory() {
	awk '/^(SUnreclaim|VmallocUsed|KernelStack|Percpu):/ { sum += $2 }
		END { print sum }' /proc/meminfo
}

# until_running GENERATION
until_running() {
	local _
	for _ in {1..50}; do
		stats=$(<"$dir/stats.json")
		[ "$(field w1 generation) $(field w1 state)" != "$1 running" ] || return 0
		sleep 0.1
	done
	die "w1 does not come back: generation $(field w1 generation) is $(field w1 state)"
}

insmod "$1"
mountpoint -q "$tracing" || mount -t tracefs none "$tracing"
# One of its own, as an oops turns off the one that all share.
mkdir "$tracing/instances/demo"
tracing+=/instances/demo
# The same clock as the log's.
echo global >"$tracing/trace_clock"
echo 1 >"$tracing/events/childkernel/child_state/enable"
for i in "${!children[@]}"; do
	# shellcheck disable=SC2086 # words
	echo spawn "${children[i]}" workload=${loads[i]} $restarts >"$dir/control"
done
stats=$(<"$dir/stats.json")
id=$(sed -n 's/.*"id":\([0-9]*\),"name":"w1".*/\1/p' <<<"$stats")
sleep 1
kib=$(memory)
snapshot start
sleep "$before"
snapshot 0
for ((n = 1; n <= panics; n++)); do
	next=$((at[0] + n * 1000000))
	echo "crash $id panic" >"$dir/control"
	until_running $((n + 1))
	left=$((next - ${EPOCHREALTIME/./}))
	[ "$left" -le 0 ] || sleep "$(printf '%d.%06d' $((left / 1000000)) $((left % 1000000)))"
	snapshot "$n"
	for child in "${children[@]}"; do
		[ "${ops[$n $child]}" -gt "${ops[$((n - 1)) $child]}" ] ||
			die "$child stood still during second $n"
		[ "$(field "$child" violations)" -eq 0 ] || die "$child has found violations"
	done
done
for child in "${children[@]:1}"; do
	[ "$(field "$child" generation) $(field "$child" state)" = "1 running" ] ||
		die "$child has not run through"
done
echo 0 >"$tracing/events/childkernel/child_state/enable"
now_kib=$(memory)

# From the first line of a panic to the next generation: both by the kernel's
# clock. In ms, sorted.
mapfile -t took < <(
	{
		dmesg | sed -n 's/^\[ *\([0-9.]*\)\] .*panicked at .*/\1 panic/p'
		sed -n 's/^.* \([0-9.]*\): child_state: .* name=w1 from=\([a-z]*\) to=\([a-z]*\) .*/\1 \2-\3/p' \
			"$tracing/trace"
	} | sort -n | awk '
		$2 == "panic" { since = $1 }
		$2 == "running-crashed" { seen = since }
		$2 == "spawning-running" && seen { printf "%d\n", ($1 - seen) * 1000 + 0.5; since = seen = 0 }' |
		sort -n
)
[ "${#took[@]} $(field w1 restarts)" = "$panics $panics" ] ||
	die "${#took[@]} recoveries in the trace, $(field w1 restarts) restarts, not $panics"

p50=${took[(panics - 1) / 2]} max=${took[panics - 1]}
oopses=$(dmesg | grep -c 'Oops: ')
{
	echo "Four children for $before s; then the first panics $panics times, once a second:"
	printf '%-6s %-17s %9s %14s %14s %11s\n' \
		CHILD WORKLOAD STATE "OPS/S BEFORE" MEANWHILE GENERATION
	for child in "${children[@]}"; do
		printf '%-6s %-17s %9s %14d %14d %11d\n' "$child" "$(field "$child" workload)" \
			"$(field "$child" state)" "$(rate "$child" start 0)" "$(rate "$child" 0 "$panics")" \
			"$(field "$child" generation)"
	done
	cat <<-END
		recovery  ${#took[@]} restarts, p50 $p50 ms, max $max ms: from the panic's first line in the log to running again
		          (the oops is printed, the supervisor sees it within 100 ms, back-off is 10 ms)
		memory    $kib KiB before the first panic, $now_kib KiB after the last (slab, stacks, vmalloc)
		log       $oopses oopses, all on purpose: such a kernel is tainted, and goes with its machine
	END
} >"$CK_RESULTS/crash.txt"
rmmod childkernel
# What they have to say in the end of what they have done: of w1, the last one.
[ "$(dmesg | grep -cE 'end: w[1-4], .* 0 violations, .*: SUCCESS$')" -eq ${#children[@]} ] ||
	die "a load does not end well"
