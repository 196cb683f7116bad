#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs all topics, each as a subtest of one KTAP report, as they go. A topic
# that takes too long is killed; one that can not even be killed ends the run.
#
#   run.sh [TOPIC...]   (CK_SLOW: how often to multiply the limits)
#   run.sh --half 1|2   these make up all of them, for two machines at a time
#   run.sh --crash      those that leave oopses behind, and no others
#   run.sh --faults [TOPIC...]  those that take long, and break what can break
#   run.sh --builtin    the library as a part of the kernel, and its KUnit suites
#   run.sh --kunit      what a kernel tree has built, with its KUnit suites

export LC_ALL=C
HERE=$(dirname "$(readlink -f "$0")")
# shellcheck source=/dev/null
. "$HERE/../kselftest/ktap_helpers.sh"

# Topic and limit in seconds, many times what it takes on an idle machine: others
# may run beside it. The last one judges the log of all others.
TOPICS=(
	load_unload:300
	parameters:300
	loads:420
	statistics:300
	children:300
	unload:300
	open_file:300
	files:300
	hello:300
	outsider:300
	tour:300
	kv:300
	sync:420
	waits:300
	control:300
	parts:420
	supervisor:300
	perf:300
	twins:420
	bench:420
	torture:300
	log:120
)
# These, with what is built before them, take about as long as the others. Each
# half ends with a look at its log.
SECOND_HALF=" load_unload sync waits parts supervisor perf bench torture "
if [ "${1:-}" = --half ]; then
	half=()
	for topic in "${TOPICS[@]}"; do
		of=1
		[[ $SECOND_HALF != *" ${topic%:*} "* ]] || of=2
		[[ $of != "$2" && $topic != log:* ]] || half+=("$topic")
	done
	TOPICS=("${half[@]}")
	shift 2
elif [ "${1:-}" = --kunit ]; then
	TOPICS=(kunit:600 log:120)
	shift
elif [ "${1:-}" = --builtin ]; then
	TOPICS=(builtin:1800 log:120)
	shift
elif [ "${1:-}" = --crash ]; then
	# crash locks the kernel down in the end.
	TOPICS=(kv_crash:300 crash:420)
	shift
elif [ "${1:-}" = --faults ]; then
	# guarded changes the machine for good, when crashed has left it tainted.
	TOPICS=(exposed:300 fuzz:3600 interrupted:3600 injected:3600 log:120 crashed:900 guarded:300)
	shift
fi

# run TOPIC LIMIT: passes its report on, indented, and returns its status; 124
# if it was killed, 125 if it could not be.
run() {
	local line left status end=$((SECONDS + $2))
	# In a process group of its own, with whatever it starts.
	exec {report}< <(exec setsid "$HERE/$1.sh" 2>&1 </dev/null)
	local pid=$!
	while :; do
		left=$((end - SECONDS))
		if [ "$left" -le 0 ]; then
			status=124
			break
		fi
		if IFS= read -r -t "$left" line <&"$report"; then
			printf '    %s\n' "$line"
		elif [ $? -le 128 ]; then
			# What a topic said last, if it was cut off.
			[ -z "$line" ] || printf '    %s\n' "$line"
			break
		fi
	done
	exec {report}<&-
	if [ -n "${status:-}" ]; then
		kill -KILL -- "-$pid" 2>/dev/null
		for _ in {1..50}; do
			kill -0 -- "-$pid" 2>/dev/null || return 124
			sleep 0.1
		done
		return 125
	fi
	wait "$pid"
}

# used: BUSY becomes the ticks that the processors of this machine have worked so
# far, STARTED the number of processes it has started.
used() {
	local line fields
	while read -r line; do
		read -ra fields <<<"$line"
		case $line in
		'cpu '*) BUSY=$((fields[1] + fields[2] + fields[3] + fields[6] + fields[7])) ;;
		'processes '*) STARTED=${fields[1]} ;;
		esac
	done </proc/stat
}
HZ=$(getconf CLK_TCK)

[ "$(id -u)" -eq 0 ] || {
	ktap_print_header
	ktap_skip_all "must be run as root"
	exit "$KSFT_SKIP"
}

# What log.sh compares with.
CK_SUITE_MARK="childkernel-selftest: suite $$ begins"
echo "$CK_SUITE_MARK" >/dev/kmsg
read -r CK_SUITE_TAINT </proc/sys/kernel/tainted
export CK_SUITE_MARK CK_SUITE_TAINT
# What booting has lost is not for log.sh.
[ ! -e /sys/kernel/debug/kmemleak ] || echo clear >/sys/kernel/debug/kmemleak

if [ $# -gt 0 ]; then
	wanted=()
	for topic in "${TOPICS[@]}"; do
		[[ " $* " != *" ${topic%:*} "* ]] || wanted+=("$topic")
	done
	[ ${#wanted[@]} -eq $# ] || {
		echo "usage: run.sh [TOPIC...], of: ${TOPICS[*]%:*}" >&2
		exit "$KSFT_FAIL"
	}
	TOPICS=("${wanted[@]}")
fi

ktap_print_header
ktap_set_plan "${#TOPICS[@]}"
for topic in "${TOPICS[@]}"; do
	name=${topic%:*} limit=$((${topic#*:} * ${CK_SLOW:-1}))
	used
	began=$SECONDS busy=$BUSY started=$STARTED
	run "$name" "$limit"
	status=$?
	case $status in
	"$KSFT_PASS") ktap_test_pass "$name" ;;
	"$KSFT_SKIP") ktap_test_skip "$name" ;;
	124) ktap_test_fail "$name: killed after $limit s" ;;
	125)
		ktap_test_fail "$name: hangs in the kernel after $limit s"
		ktap_exit_fail_msg "the machine is of no use any more"
		;;
	*) ktap_test_fail "$name" ;;
	esac
	used
	echo "# $name: $((SECONDS - began)) s, $(((BUSY - busy) / HZ)) s of processor time," \
		"$((STARTED - started)) processes"
done
if [ "$KTAP_CNT_SKIP" -eq ${#TOPICS[@]} ]; then
	ktap_print_totals
	exit "$KSFT_SKIP"
fi
ktap_finished
