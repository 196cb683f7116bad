#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A bad parameter is refused with one line that says what is valid, and
# nothing stays behind.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# What the kernel itself says of the first module from outside its tree.
NOT_OURS='^childkernel: (loading out-of-tree module taints kernel|module verification failed: )'

# refused LINE...: each line is what the log must say, |, and the parameters.
# Each is refused with EINVAL, and then the module loads.
refused() {
	local line pattern words text lines said
	for line; do
		pattern=${line%%|*}
		read -ra words <<<"${line#*|}"
		mark
		if insert "$CHILDKERNEL" "${words[@]}"; then
			fail "accepted: ${words[*]}"
			unload childkernel
			continue
		fi
		# The words of insmod for EINVAL.
		[[ $ERROR == *"Invalid parameters"* ]] ||
			fail "${words[*]}: not refused with EINVAL: $ERROR"
		read_log
		printf -v text "%s\n" "${LOGGED[@]}"
		lines=
		for said in "${LOGGED[@]}"; do
			[[ $said != 'childkernel: '* || $said =~ $NOT_OURS ]] ||
				lines+=${lines:+$'\n'}$said
		done
		[[ $lines =~ $pattern ]] || fail "${words[*]}: says: $lines"
		[[ $lines != *$'\n'* ]] || fail "${words[*]}: not one line: $lines"
		[[ ! $text =~ $SPLAT ]] || fail "${words[*]}: in the log: $text"
		! is_loaded childkernel || fail "${words[*]}: it is loaded all the same"
		[ ! -e "$DEBUGFS" ] || fail "${words[*]}: $DEBUGFS is there"
	done
	load
	[ -e "$STATS" ] || fail "no $STATS when loaded again"
}

# The highest of each, but nothing that would run so many.
limits() {
	load children=256 seconds=86400 readers=128 writers=128 hold_ns=1000000 \
		think_ns=1000000 memory=16777216 stat_interval=86400 stats=off \
		watchdog_ms=10000 oops_budget=10000
	json 'children == []'
	unload childkernel
	load children=0 seconds=0 readers=-1 writers=-1 hold_ns=0 think_ns=0 stat_interval=0 \
		memory=4096 workload= primitive= granularity= cpus= watchdog_ms=10 oops_budget=0
	json 'children == []'
}

accepted() {
	load "$@"
	snapshot
	unload childkernel
	judge 'children != []' 'all(c["violations"] == 0 for c in children)'
	check_logged ': SUCCESS$'
}

documented() {
	local names
	names=$(modinfo -p "$CHILDKERNEL" | sed 's/:.*//' | grep -vE '^(twin|torture.*)$' | sort | xargs)
	[ "$names" = "children cpus granularity hold_ns memory oops_budget primitive readers seconds stat_interval stats think_ns watchdog_ms workload writers" ] ||
		fail "modinfo -p: $names"
	! modinfo -p "$CHILDKERNEL" | grep -vE '^[a-z_]+:.* \((charp|int|.*)\)$' ||
		fail "a parameter without description or type"
}

# Only the build for tests may break loads.
plain_has_no_twin() {
	local CHILDKERNEL=$CK_PLAIN_DIR/childkernel.ko
	modinfo -p "$CHILDKERNEL" | grep -q '^children:' || fail "modinfo -p shows nothing"
	! modinfo -p "$CHILDKERNEL" | grep -qE '^(twin|torture[a-z_]*):' || fail "it can be told to do wrong"
	load workload=counter twin=unlocked seconds="$LASTS"
	check_logged "^childkernel: unknown parameter 'twin' ignored" 1
	wait_ended
	judge 'len(children) == cpus' 'len(locks) == 1'
	check_success counter/spinlock
}

numbers="valid are 0 to"
loads="valid are counter, record, list, handshake, pipeline, table, memory, requests, all"
twins="valid are unlocked \(workload=counter\), noretry \(workload=record\), .*, swapped \(workload=requests\)"
memory="valid are 4096 to 16777216"
granularities="valid are coarse, fine, with workload=table"
split="valid are two numbers whose sum is children"
cpus="valid are lists of online CPUs"
highest=$(($(nproc --all) + 4000))

# What the kernel says itself of what is no number.
no_number() {
	echo "\`$2' invalid for parameter \`$1'"
}

has_twins() {
	modinfo -p "$CHILDKERNEL" | grep -q '^twin:'
}

GOOD=(
	"workload=counter children=1 hold_ns=1000000 think_ns=1000000"
	"workload=counter children=16 think_ns=100000"
	"workload=handshake children=2 cpus=0"
	"workload=counter primitive=all cpus=0-$(($(nproc) - 1))"
	"workload=all primitive=mutex"
	"workload=memory memory=4096 children=1"
	"workload=record seconds=86400 stat_interval=86400"
)
begin $((20 + ${#GOOD[@]}))
try "all parameters are documented" documented
try "refused: children" refused \
	"$numbers 256|children=-1" \
	"$numbers 256|children=257" \
	"$(no_number children abc)|children=abc" \
	"$(no_number children '')|children=" \
	"$(no_number children 99999999999999999999)|children=99999999999999999999"
try "refused: seconds" refused \
	"$numbers 86400|seconds=-1" \
	"$numbers 86400|seconds=86401" \
	"$(no_number seconds 1.5)|seconds=1.5"
try "refused: hold_ns" refused \
	"$numbers 1000000|hold_ns=-1" \
	"$numbers 1000000|hold_ns=1000001"
try "refused: think_ns" refused \
	"$numbers 1000000|think_ns=-1" \
	"$numbers 1000000|think_ns=1000001"
try "refused: stat_interval" refused \
	"$numbers 86400|stat_interval=-2" \
	"$numbers 86400|stat_interval=86401"
try "refused: watchdog_ms" refused \
	"valid are 10 to 10000|watchdog_ms=9" \
	"valid are 10 to 10000|watchdog_ms=10001"
try "refused: oops_budget" refused \
	"valid are 0 to 10000|oops_budget=-1" \
	"valid are 0 to 10000|oops_budget=10001"
try "refused: memory" refused \
	"$memory|memory=4095" \
	"$memory|memory=16777217"
try "refused: granularity" refused \
	"$granularities|workload=table granularity=medium" \
	"$granularities|workload=counter granularity=fine" \
	"$granularities|granularity=coarse"
try "refused: readers and writers" refused \
	"valid are -1 to 256|readers=257" \
	"valid are -1 to 256|writers=-2" \
	"$split|workload=record readers=1 writers=1 children=3" \
	"$split|workload=record readers=3 children=2" \
	"$split|workload=list readers=0 writers=0" \
	"$split|workload=list readers=200 writers=200"
try "refused: workload" refused \
	"$loads|workload=foo" \
	"$loads|workload=counter,record" \
	"$loads|workload=COUNTER"
try "refused: primitive" refused \
	"valid are none without a workload, |primitive=spinlock" \
	"valid are spinlock, .*, mutex, .*, atomic, all, |workload=counter primitive=foo" \
	"valid are spinlock, .*, all, |workload=counter primitive=mutex,,atomic" \
	"valid are spinlock, .*, all, |workload=counter primitive=mutex,seqlok" \
	"valid are seqlock, seqlock_bh, seqlock_irq, seqcount, seqcount_mutex, spinlock, .*, percpu_rwsem, rcu, srcu, all, |workload=record primitive=semaphore" \
	"valid are completion, semaphore, barrier, condvar, all, |workload=handshake primitive=spinlock" \
	"valid are rculist, rculist_mutex, all, |workload=list primitive=seqlock" \
	"valid are mailbox, mailbox_guarded, all, |workload=pipeline primitive=mutex" \
	"valid are spinlock, mutex, rwlock, all, |workload=table primitive=rwsem" \
	"valid are call, all, |workload=requests primitive=mailbox" \
	"valid are .*spinlock.*completion|workload=all primitive=foo"
try "refused: children of a load" refused \
	"valid for pipeline are numbers from 2, or 0|workload=pipeline children=1" \
	"valid for requests are even numbers, or 0|workload=requests children=3" \
	"valid for handshake are even numbers|workload=handshake children=3" \
	"valid for handshake are even numbers|workload=all children=1"
try "refused: cpus" refused \
	"$cpus|workload=counter cpus=$highest" \
	"$cpus|cpus=x" \
	"$cpus|cpus=0-$highest" \
	"$cpus|cpus=,"
try "refused: stats" refused \
	"valid are off, contended, times|stats=foo" \
	"valid are off, contended, times|stats="
# What the log has no room for, or can not show.
long=$(printf 'x%.0s' {1..1000})
try "refused: what is long or does not print" refused \
	"workload=x{64}: $loads|workload=$long" \
	"primitive=x{64}: valid are spinlock|workload=counter primitive=$long" \
	"stats=x{64}: valid are off|stats=$long" \
	"cpus=x{64}: $cpus|cpus=$long" \
	"workload=\?: $loads|workload="$'count\x01er' \
	"stats=\?: valid are off|stats="$'\xff\xfe'
if has_twins; then
	try "refused: twin" refused \
		"$twins|twin=foo" \
		"$twins|twin=unlocked" \
		"$twins|workload=list twin=lost" \
		"$twins|workload=all twin=unlocked"
else
	try_skip "refused: twin" "built without TWINS"
fi
if [ -n "${CK_PLAIN_DIR:-}" ]; then
	try "no twins in the plain build" plain_has_no_twin
else
	try_skip "no twins in the plain build" "CK_PLAIN_DIR is not set"
fi
try "accepted: the lowest and the highest" limits
for good in "${GOOD[@]}"; do
	read -ra words <<<"$good"
	try "accepted: $good" accepted "${words[@]}"
done
finish
