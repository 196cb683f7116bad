#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Who sees what: files are for root, and nothing that is shown has an address.
# A part of run.sh --faults.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=faults_lib.sh
. "$HERE/faults_lib.sh"

NOBODY=65534
TRACING=/sys/kernel/tracing

modes() {
	local path wrong
	come workload=all seconds=1
	wait_ended
	wrong=$(find "$DEBUGFS" -type d ! -perm 700 -o -type f ! -name reset ! -name control ! -perm 400 \
		-o \( -name reset -o -name control \) ! -perm 200 -o ! -user root -o ! -type d ! -type f)
	[ -z "$wrong" ] || fail "modes: $wrong"
	# As root who has no rights but those that a mode gives, and as another user.
	while read -r path; do
		! setpriv --reuid $NOBODY --clear-groups cat "$path" >/dev/null 2>&1 ||
			fail "another user reads $path"
	done < <(find "$DEBUGFS" -type f ! -path '*/children/[02-9]*' ! -path '*/children/1?*' ! -path '*/locks/[d-z]*')
	! setpriv --reuid $NOBODY --clear-groups ls "$DEBUGFS" >/dev/null 2>&1 ||
		fail "another user lists $DEBUGFS"
	setpriv --bounding-set=-all --inh-caps=-all cat "$STATS" >/dev/null || fail "root can not read"
	! setpriv --bounding-set=-all --inh-caps=-all cat "$CONTROL" >/dev/null 2>&1 ||
		fail "control can be read"
	! { setpriv --bounding-set=-all --inh-caps=-all dd if=/dev/null of="$STATS"; } 2>/dev/null ||
		fail "stats.json can be opened for writing"
}

# addresses FILE...: WRONG becomes what was found, if anything was.
addresses() {
	WRONG=$(python3 -I -S "$HERE/addresses.py" "$@" 2>&1)
}

# The lines are like those that it is to find, and like those that it is not.
search_finds() {
	local line
	for line in 'x ffff888012345678' 'x=0xffffffffc0a01234,' 'at 00000000deadbeef' '[0xffffc90000123000]' \
		'FFFFFFFF81000000 T _text' 'p (____ptrval____)'; do
		echo "$line" >"$TMP/line"
		! addresses "$TMP/line" || fail "not found: $line"
	done
	for line in 'ops 1234567890123456' 'valid are 1 to 18446744073709551615' 'byte 0x09 at 4' \
		'module_0123456789abcdef' 'fw5 7.3.4 (null)'; do
		echo "$line" >"$TMP/line"
		addresses "$TMP/line" || fail "taken for one: $line"
	done
}

# What is said while a load runs.
wait_for_line() {
	local _
	for _ in {1..100}; do
		log | grep -q '^childkernel: .* ops, 0 violations$' && return
		sleep 0.1
	done
	fail "nothing is said of a load that runs"
}

# All that is shown, of all there is, with what is refused and what ends badly.
nothing_has_one() {
	local trace='' line
	read -r line </proc/sys/kernel/kptr_restrict
	echo 0 >/proc/sys/kernel/kptr_restrict
	if [ -e $TRACING/instances ]; then
		trace=$TRACING/instances/ck_exposed
		mkdir -p $trace
	fi
	load workload=counter stat_interval=1 seconds=2
	wait_for_line
	unload childkernel
	come workload=all seconds=1
	[ -z "$trace" ] || echo 1 >$trace/events/childkernel/enable
	wait_ended
	insert "$HELLO" || fail "insmod hello_child: $ERROR"
	if [ -e "$FILE" ]; then
		echo "spawn fails entry=fails restart=always limit=2 backoff=1" >"$CONTROL"
		echo "spawn echo entry=echo" >"$CONTROL"
		driver control.py "$DEBUGFS" refusals
	fi
	echo "spawn counter workload=counter threads=2 memory=64k" >"$CONTROL"
	addresses "$DEBUGFS" || fail "$WRONG"
	diag "$WRONG"
	# What the kernel itself shows there of a module are addresses.
	mkdir "$TMP/module"
	cp /sys/module/childkernel/{parameters/*,refcnt,taint,initstate,coresize} "$TMP/module"
	addresses "$TMP/module" || fail "$WRONG"
	if [ -n "$trace" ]; then
		grep -v '^#' $trace/trace >"$TMP/trace"
		echo 0 >$trace/events/enable
		rmdir $trace
		grep -q child_state: "$TMP/trace" || fail "nothing was traced"
		addresses "$TMP/trace" || fail "$WRONG"
	fi
	unload hello_child
	[ ! -e "$FILE" ] || unload child_test
	unload childkernel
	log >"$TMP/log"
	grep -q '^childkernel: .*: end: ' "$TMP/log" || fail "no load has ended in the log"
	addresses "$TMP/log" || fail "$WRONG"
	diag "log: $WRONG"
	echo "$line" >/proc/sys/kernel/kptr_restrict
}

begin 3
try "modes" modes
try "the search finds addresses" search_finds
try "nothing that is shown has an address" nothing_has_one
finish
