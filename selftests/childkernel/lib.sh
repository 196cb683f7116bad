# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# What the topic scripts share. Each sources this file, calls begin with the
# number of its tests, then try for each test, and finish.
#
# Environment, all of it optional:
#   CK_MODULE_DIR  the modules under test, built with TWINS=1; else they are
#                  the installed ones
#   CK_PLAIN_DIR   the same, built without TWINS
#   CK_EXTERN_DIR  outsider/outsider.ko, built against CK_MODULE_DIR
#   CK_BENCH_DIR   the same, built with BENCH=1
#   CK_STALE_DIR   the same, built against CK_PLAIN_DIR
#   CK_SLOW        so many times longer than on a plain kernel all may take

export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin

HERE=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=/dev/null
. "$HERE/../kselftest/ktap_helpers.sh"

# shellcheck source-path=SCRIPTDIR source=stats_lib.sh
. "$HERE/stats_lib.sh"
# shellcheck source-path=SCRIPTDIR source=memory_lib.sh
. "$HERE/memory_lib.sh"

DEBUGFS=/sys/kernel/debug/childkernel
STATS=$DEBUGFS/stats.json
SUMMARY=$DEBUGFS/summary
KMEMLEAK=/sys/kernel/debug/kmemleak
# The files of the modules.
if [ -n "${CK_MODULE_DIR:-}" ]; then
	CHILDKERNEL=$CK_MODULE_DIR/childkernel.ko
	HELLO=$CK_MODULE_DIR/hello_child.ko
	TOUR=$CK_MODULE_DIR/sync_tour.ko
	KV=$CK_MODULE_DIR/kv_service.ko
else
	CHILDKERNEL=$(modinfo -n childkernel 2>/dev/null)
	HELLO=$(modinfo -n hello_child 2>/dev/null)
	TOUR=$(modinfo -n sync_tour 2>/dev/null)
	KV=$(modinfo -n kv_service 2>/dev/null)
fi
# Flags that any module has that is built outside the kernel's own build.
TAINT_OURS=$((1 << 12 | 1 << 13))
SPLAT='WARNING:|BUG:|KASAN:|UBSAN:|KFENCE:|Oops|cut here|Call Trace|end trace'
SPLAT+='|panicked at|general protection|[Uu]nable to handle|INFO: (task|rcu)|lockup|LOCKUP'
SPLAT+='|detected stall|self-detected|blocked for more than|refcount_t:|corruption'
SPLAT+='|scheduling while atomic|sleeping function|page allocation failure|Objects remaining'
# What workload=all runs, as the log and debugfs call it.
LABELS=(counter/spinlock counter/mutex counter/atomic record/seqlock list/rculist
	handshake/completion)
# For so many seconds a load runs that is to end by itself.
LASTS=${CK_SLOW:-1}
# A load that runs for a few seconds must have ended after so many: far more
# than it takes, as emulated machines are slow.
PATIENCE=$((40 * ${CK_SLOW:-1}))

# --- frame -------------------------------------------------------------------

# begin N: the header and the plan, or a skip if there is nothing to test. With
# MAY_BE_BUILT_IN the library need not be a module.
begin() {
	ktap_print_header
	[ "$(id -u)" -eq 0 ] || skip_all "must be run as root"
	command -v python3 >/dev/null || skip_all "needs python3"
	mountpoint -q /sys/kernel/debug || mount -t debugfs none /sys/kernel/debug ||
		skip_all "needs debugfs"
	[ -e "$CHILDKERNEL" ] || { is_built_in && [ -n "${MAY_BE_BUILT_IN:-}" ]; } ||
		skip_all "no childkernel.ko: install it or set CK_MODULE_DIR"
	BUILT_IN=
	! is_built_in || BUILT_IN=1
	TMP=$(mktemp -d) || exit "$KSFT_FAIL"
	trap leave EXIT
	if ! unload_all; then
		ktap_set_plan 1
		ktap_test_fail "an earlier test left modules that do not go"
		exit "$KSFT_FAIL"
	fi
	local pid
	for pid in /proc/[0-9]*; do
		KNOWN[${pid#/proc/}]=1
	done
	ktap_set_plan "$1"
	open_log
}

skip_all() {
	ktap_skip_all "$*"
	exit "$KSFT_SKIP"
}

# What ends a script early must not leave anything running.
leave() {
	local jobs
	jobs=$(jobs -p)
	# shellcheck disable=SC2086 # one word each
	[ -z "$jobs" ] || kill $jobs 2>/dev/null
	[ -z "${READER:-}" ] || kill "$READER" 2>/dev/null
	[ -z "${JUDGE:-}" ] || kill "$JUDGE" 2>/dev/null
	rm -rf "$TMP"
}

finish() {
	ktap_finished
}

# try NAME FUNCTION [ARG...]: one test. The function calls fail for each thing
# that is wrong. Whatever it did, the log must be free of splats afterwards,
# all modules must go, and they must leave nothing behind.
try() {
	FAULTS=0
	mark
	"${@:2}"
	unload_all
	check_nothing_left
	check_log
	result "$1"
}

# try_keep NAME FUNCTION [ARG...]: the same, but leaves modules to tests to come.
try_keep() {
	FAULTS=0
	mark
	"${@:2}"
	check_log
	result "$1"
}

# result NAME: passed if nothing was wrong.
result() {
	if [ "$FAULTS" -eq 0 ]; then
		ktap_test_pass "$1"
	else
		ktap_test_fail "$1"
		diag "the log of it ends with:"
		log | tail -n 40 | sed 's/^/#   /'
	fi
}

# try_skip NAME WHY
try_skip() {
	diag "$1: $2"
	ktap_test_skip "$1"
}

# Every line is one of comment, whatever is in it.
diag() {
	printf '# %s\n' "${*//$'\n'/$'\n'# }"
}

fail() {
	FAULTS=$((FAULTS + 1))
	diag "wrong: $*"
}

# check WHAT COMMAND [ARG...]: fails unless the command succeeds.
check() {
	local what=$1
	shift
	"$@" >/dev/null || fail "$what"
}

# --- the kernel log ----------------------------------------------------------
#
# One reader follows the log for the whole topic, into a file, from which each
# test reads on where the last one has ended: looking at it starts no program.

# Follows the log. If the kernel overwrites what was not read yet, the reader is
# told so, and ends.
follow_log() {
	: >"$TMP/kmsg"
	exec {LOG}<"$TMP/kmsg"
	cat /dev/kmsg >"$TMP/kmsg" 2>/dev/null &
	READER=$!
	disown "$READER"
}

# What floods the log is left to those who follow all of it.
close_log() {
	kill "$READER" 2>/dev/null
	exec {LOG}<&- {NAP}<&-
}

open_log() {
	exec {NAP}<> <(:)
	follow_log
	mark
	read_log
}

# What log shows begins here.
mark() {
	MARKS=$((${MARKS:-0} + 1))
	MARK="childkernel-selftest: ${0##*/} $$ part $MARKS"
	echo "$MARK" >/dev/kmsg
}

# read_log: LOGGED becomes the lines since the last mark. Not in a subshell: each
# line is read once.
read_log() {
	local line part='' n=0 end
	READS=$((${READS:-0} + 1))
	end="childkernel-selftest: ${0##*/} $$ read $READS"
	[ "${LOGGED_MARK:-}" = "$MARK" ] || LOGGED=()
	echo "$end" >/dev/kmsg
	while :; do
		if ! IFS= read -r line <&"$LOG"; then
			# The end so far, and maybe a part of a line.
			part+=$line
			n=$((n + 1))
			if [ "$n" -gt 3000 ] || ! kill -0 "$READER" 2>/dev/null; then
				fail "lines of the log are lost"
				kill "$READER" 2>/dev/null
				exec {LOG}<&-
				follow_log
				return
			fi
			read -r -t 0.01 -u "$NAP"
			continue
		fi
		line=$part$line part=
		# What follows a line begins with a blank.
		[[ $line != ' '* ]] || continue
		line=${line#*;}
		case $line in
		"$end") break ;;
		"$MARK") LOGGED=() LOGGED_MARK=$MARK ;;
		"childkernel-selftest: ${0##*/} $$ read "*) ;;
		*) LOGGED+=("$line") ;;
		esac
	done
	[ "$LOGGED_MARK" = "$MARK" ] || fail "the first lines are lost"
}

# Prints the log since the last mark, without the times.
log() {
	dmesg | sed "1,/${MARK//\//\\/}\$/d; s/^\[[^]]*\] //; /^childkernel-selftest: .* read [0-9]*\$/d"
}

# logged REGEX: prints the lines of LOGGED that match.
logged() {
	[ ${#LOGGED[@]} -eq 0 ] || printf '%s\n' "${LOGGED[@]}" | grep -E -- "$1"
}

# check_logged REGEX [N]: lines of ours match, N of them if it is given.
check_logged() {
	local n
	read_log
	n=$(logged "$1" | wc -l)
	if [ $# -gt 1 ]; then
		[ "$n" -eq "$2" ] || fail "$n lines in the log, not $2: $1"
	else
		[ "$n" -gt 0 ] || fail "not in the log: $1"
	fi
}

check_log() {
	read_log
	[[ ! ${LOGGED[*]} =~ $SPLAT ]] || fail "in the log: $(logged "$SPLAT")"
}

# read_ends: fills END with the end line of each load since the last mark.
declare -A END
read_ends() {
	local line label
	END=()
	read_log
	while read -r line; do
		label=${line#childkernel: } label=${label%%: end: *}
		[ -z "${END[$label]:-}" ] || fail "$label ends twice"
		END[$label]=$line
	done < <(logged '^childkernel: .*: end: ')
}

# check_success LABEL...: these loads, and no others, have ended, and say that
# all is well. Leaves their lines in END.
check_success() {
	local label line
	read_ends
	for label; do
		line=${END[$label]:-none}
		[[ $line == *", 0 violations, "*": SUCCESS" ]] || fail "$label: end line: $line"
	done
	[ ${#END[@]} -eq $# ] || fail "other loads have ended too: ${!END[*]}"
}

# number_after WORD LINE: the number that follows a word.
number_after() {
	sed -n "s|.*\b$1 \([0-9]*\).*|\1|p" <<<"$2"
}

# --- modules -----------------------------------------------------------------

# insert FILE [ARG...]: insmod, with its message in ERROR.
insert() {
	ERROR=$(insmod "$@" 2>&1)
}

# refuses LINE...: what the log must say, |, and the parameters. EINVAL.
refuses() {
	local line words
	for line; do
		read -ra words <<<"${line#*|}"
		mark
		if insert "$CHILDKERNEL" "${words[@]}"; then
			fail "accepted: ${words[*]}"
			unload childkernel
			continue
		fi
		[[ $ERROR == *"Invalid parameters"* ]] ||
			fail "${words[*]}: not refused with EINVAL: $ERROR"
		check_logged "^childkernel: ${line%%|*}" 1
		! is_loaded childkernel || fail "${words[*]}: it is loaded all the same"
	done
}

# wait_logged REGEX SECONDS
wait_logged() {
	local end=$((SECONDS + $2))
	while read_log && [ -z "$(logged "$1")" ]; do
		if [ "$SECONDS" -ge "$end" ]; then
			fail "not in the log after $2 s: $1"
			return 1
		fi
		sleep 0.3
	done
}

# load [PARAMETER...]: childkernel, which must load.
load() {
	insert "$CHILDKERNEL" "$@" || fail "insmod childkernel.ko $*: $ERROR"
}

# What is built in has no such file.
is_loaded() {
	[ -e "/sys/module/$1/initstate" ]
}

# Whether the library is a part of the kernel.
is_built_in() {
	[ -d "$DEBUGFS" ] && ! is_loaded childkernel
}

# Whether spinlocks sleep here.
is_realtime() {
	[[ $(uname -v) == *PREEMPT_RT* ]]
}

# unload MODULE: must go.
unload() {
	ERROR=$(rmmod "$1" 2>&1) || fail "rmmod $1: $ERROR"
	! is_loaded "$1" || fail "$1 is still there"
}

# Everything of ours, dependants first.
unload_all() {
	local module
	for module in crash_test child_test sync_test kv_service sync_tour outsider hello_child childkernel; do
		! is_loaded "$module" || unload "$module"
	done
	! is_loaded childkernel
}

# --- modules of cases --------------------------------------------------------

# cases MODULE: selects a module of cases (see harness.rs) for what follows: its
# FILE, the DIRectory that it makes in debugfs, and the names of its CASES.
cases() {
	MODULE=$1
	FILE=${CK_EXTERN_DIR:-/nonexistent}/$1/$1.ko
	DIR=$DEBUGFS/../childkernel_$1
	CASES=()
	[ ! -e "$FILE" ] || mapfile -t CASES < <(modinfo -F case "$FILE")
}

# cases_come FILE: loads the module for the tests to come. A word that this file
# of it does not know is refused.
cases_come() {
	insert "$CHILDKERNEL" || fail "insmod childkernel.ko: $ERROR"
	insert "$FILE" || fail "insmod $MODULE: $ERROR"
	! echo none 2>/dev/null >"$1" || fail "it is taken"
}

# What is left behind is all that has to go: no thread, no memory, no file.
cases_go() {
	unload "$MODULE"
	unload childkernel
}

# run_case NAME: what the module checks, in the task that writes. WHY is set if
# the log says that it can not be tried here.
run_case() {
	{ echo "$1" >"$DIR/run"; } 2>"$TMP/error" || {
		WHY=$(log | sed -n "s/^.*skip $1: //p")
		[ -n "$WHY" ] || fail "it is not so: $(<"$TMP/error")"
	}
}

# try_case NAME: one test, as try_keep does it, but it may be skipped.
try_case() {
	FAULTS=0 WHY=
	mark
	run_case "$1"
	check_log
	if [ -n "$WHY" ] && [ "$FAULTS" -eq 0 ]; then
		try_skip "$1" "$WHY"
	else
		result "$1"
	fi
}

# try_cases: all of them, with 2 tests more.
try_cases() {
	local case
	if [ ! -e "$FILE" ]; then
		try_skip "the cases" "CK_EXTERN_DIR has no $MODULE/$MODULE.ko"
		try_skip "they leave nothing behind" "nor have they run"
		return
	fi
	try_keep "an unknown case is refused" cases_come "$DIR/run"
	for case in "${CASES[@]}"; do
		try_case "$case"
	done
	try "all cases leave nothing behind" cases_go
}

# --- threads -----------------------------------------------------------------

# find_threads: fills PID and RAN_ON (its last CPU), by name, for the kernel
# threads that were not there at first, but not for the kernel's pools of
# workers. Runs no program, which would take long on a busy machine.
declare -A PID RAN_ON KNOWN
find_threads() {
	local dir line name fields
	PID=() RAN_ON=()
	for dir in /proc/[0-9]*; do
		[ -z "${KNOWN[${dir#/proc/}]:-}" ] || continue
		{ read -r line <"$dir/stat"; } 2>/dev/null || continue
		name=${line#*(} name=${name%)*}
		# From the third field on: its state, its parent, ...
		read -ra fields <<<"${line##*) }"
		[[ ${fields[1]} -eq 2 && $name != kworker/[0-9u]* ]] || continue
		# The supervisor is there as long as the library is.
		[ "$name" != childkernel ] || ! is_loaded childkernel || continue
		PID[$name]+=${PID[$name]:+ }${line%% *}
		RAN_ON[$name]=${fields[36]}
	done
}

# A thread that was joined may be seen for a moment longer.
check_nothing_left() {
	local module _
	for _ in {1..20}; do
		find_threads
		[ ${#PID[@]} -gt 0 ] || break
		sleep 0.1
	done
	[ ${#PID[@]} -eq 0 ] || fail "threads are left: ${!PID[*]}"
	[ ! -e "$DEBUGFS" ] || [ -n "$BUILT_IN" ] || fail "$DEBUGFS is left"
	for module in childkernel hello_child outsider crash_test child_test kv_service sync_test sync_tour; do
		! is_loaded $module || fail "$module is left"
	done
}
