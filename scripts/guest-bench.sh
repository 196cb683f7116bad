#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The part of make bench on the machine that is measured, a guest or one's own:
#
#   guest-bench.sh [--quick] MODULE.ko OUT SECONDS HOLD_NS LOAD/PRIMITIVE...
#
# Runs one load after another with perf beside it, and leaves what perf and the
# library's own counters say in OUT, for scripts/bench/perf.py to read. Then, in
# builds that have them, the benchmarks: their records come to OUT/records.jsonl.
# Progress is on standard error. CK_PERF may name the directory of another perf.
set -euo pipefail

quick=
if [ "$1" = --quick ]; then
	quick=1
	shift
fi
ko=$1 out=$2 seconds=$3 hold=$4
shift 4
debugfs=/sys/kernel/debug/childkernel
[ -z "${CK_PERF:-}" ] || PATH=$CK_PERF:$PATH
events=context-switches,cpu-migrations,cycles,instructions,childkernel:child_state
children=$(nproc)

die() {
	echo "guest-bench.sh: $*" >&2
	exit 1
}

cleanup() {
	local jobs
	jobs=$(jobs -p)
	# shellcheck disable=SC2086 # one word each
	[ -z "$jobs" ] || kill $jobs 2>/dev/null || true
	[ ! -d /sys/module/childkernel ] || rmmod childkernel
}
trap cleanup EXIT

# The loads take all CPUs; what watches them is to begin and end in time.
renice -n -15 -p $$ >/dev/null

[ ! -d /sys/module/childkernel ] || die "childkernel is loaded already: rmmod it first"
mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug
mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing
mkdir -p "$out"
scratch=$(mktemp -d)

# --- what can be seen here ---------------------------------------------------

# spinlocks: how this kernel waits for a spinlock, which decides what perf sees.
spinlocks() {
	if dmesg | grep -q 'PV spinlocks enabled'; then
		echo pv
	elif grep -qw hypervisor /proc/cpuinfo && ! dmesg | grep -q 'PV spinlocks disabled'; then
		echo test-and-set
	else
		echo native
	fi
}

# why_not_bpf: nothing if perf can count in the kernel, else why it can not.
why_not_bpf() {
	local said
	if [ ! -e /sys/kernel/btf/vmlinux ]; then
		echo "the kernel has no BTF (/sys/kernel/btf/vmlinux)"
	elif ! said=$(timeout 60 perf lock contention -a -b sleep 0.1 2>&1); then
		if [[ $said == *BUILD_BPF_SKEL* ]]; then
			echo "this perf is built without BUILD_BPF_SKEL=1"
		else
			echo "perf lock contention -b: $(grep -v '^ *$' <<<"$said" | head -n 1)"
		fi
	fi
}

no_bpf=$(why_not_bpf)
if [ -z "$no_bpf" ]; then
	echo "perf counts in the kernel (perf lock contention -b)" >&2
else
	echo "perf records and counts later, and knows no owners: $no_bpf" >&2
fi
{
	echo "kernel=$(uname -r)"
	echo "cpus=$(nproc)"
	echo "processor=$(sed -n 's/^model name\t*: //p' /proc/cpuinfo | head -n 1)"
	echo "spinlocks=$(spinlocks)"
	echo "perf=$(perf version)"
	echo "bpf=${no_bpf:-yes}"
	echo "seconds=$seconds"
	echo "hold_ns=$hold"
	echo "children=$children"
} >"$out/facts"

# --- one load ----------------------------------------------------------------

# counters WHEN: what the library's own counters say, and the time in us.
counters() {
	echo "${EPOCHREALTIME/[.,]/}" >"$out/$name.$1.us"
	cat "$debugfs/stats.json" >"$out/$name.$1.json"
}

# perf_says BY ARG...: for scripts/bench/perf.py, with the stack of each caller. Frames
# of lock functions perf skips by where they lie; by number only the two of its own
# program in the kernel with -b, and none of what was recorded. Its default of four
# skips the load.
#
# Of callers only those are wanted that come from this module.
perf_says() {
	local by=$1
	shift
	if [ -z "$no_bpf" ]; then
		perf lock contention -a -b --stack-skip 2 -v -x ';' "$@" --output "$out/$name.$by.csv" \
			sleep "$seconds" 2>"$out/$name.$by.err" || true
	else
		perf lock contention -i "$scratch/perf.data" --kallsyms "$scratch/kallsyms" \
			--stack-skip 0 -v -x ';' "$@" \
			--output "$out/$name.$by.csv" 2>"$out/$name.$by.err" || true
	fi
}

measure() {
	local load=$1/$2 who=(children="$children")
	# Only those who write wait for a lock, and they need somebody to wait for.
	[ "$1" != record ] || who=(writers="$children" readers="$children")
	name=$1-$2
	insmod "$ko" workload="$1" primitive="$2" hold_ns="$hold" think_ns="$hold" \
		"${who[@]}" stats=times
	sleep 0.5
	# The names go with the module; what perf prints of them is cut off.
	cp /proc/kallsyms "$scratch/kallsyms"
	grep -E ' [tT] .*\[childkernel\]$' "$scratch/kallsyms" >"$out/$name.kallsyms" ||
		die "/proc/kallsyms has no functions of the module"

	counters 0
	perf stat -a -x ';' -o "$out/$name.stat.csv" -e "$events" sleep "$seconds"
	counters 1
	if [ -z "$no_bpf" ]; then
		perf_says caller -S 11childkernel
		counters 2
		perf_says lock -l
		perf_says owner -o -t
		rmmod childkernel
	else
		perf lock record -a -B -N -o "$scratch/perf.data" sleep "$seconds" \
			>"$out/$name.record.txt" 2>&1
		counters 2
		# What follows takes time, and needs no load beside it.
		rmmod childkernel
		perf_says caller -S 11childkernel
		perf_says lock -l
		perf_says thread -t
		rm -f "$scratch/perf.data"
	fi
}

n=0
for load; do
	n=$((n + 1))
	echo "[$n/$#] $load ..." >&2
	measure "${load%/*}" "${load#*/}"
done

# --- our tracepoint ----------------------------------------------------------

# Each change of a child's state, as perf sees it.
insmod "$ko"
perf record -q -a -B -N -e childkernel:child_state -o "$scratch/perf.data" -- \
	sh -c "echo 'spawn w1 workload=counter primitive=mutex threads=2' >$debugfs/control;
		sleep 0.5; echo 'stop 1' >$debugfs/control" \
	>"$out/states.err" 2>&1
rmmod childkernel
perf script -i "$scratch/perf.data" -F trace:comm,cpu,time,event,trace >"$out/states.txt" 2>>"$out/states.err"
rm -rf "$scratch"

# --- benchmarks --------------------------------------------------------------

modinfo -p "$ko" | grep -q '^bench:' || exit 0
echo "the benchmarks ..." >&2
# As they come: what an interrupted run has written counts.
dmesg --follow-new | sed -u -n 's/^.*childkernel: bench {/{/p' >"$out/records.jsonl" &
insmod "$ko" bench=real ${quick:+bench_quick=1}
limit=1800
[ -z "$quick" ] || limit=150
limit=$((SECONDS + limit))
figures=0
until grep -qs '"bench":"end"' "$out/records.jsonl"; do
	[ "$SECONDS" -lt "$limit" ] || die "the benchmarks do not end; what they had measured is in $out/records.jsonl"
	sleep 1
	now=$(wc -l <"$out/records.jsonl")
	[ "$now" -lt $((figures + 10)) ] || echo "  $now records" >&2
	[ "$now" -lt $((figures + 10)) ] || figures=$now
done
rmmod childkernel
