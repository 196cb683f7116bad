#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Loads that are interrupted by oopses at random moments. It taints the kernel. A
# part of run.sh --faults.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=faults_lib.sh
. "$HERE/faults_lib.sh"
# shellcheck source-path=SCRIPTDIR source=crash_lib.sh
. "$HERE/crash_lib.sh"

# A twentieth of all, and not so many that an oops budget ends.
CRASHES=$(((${CK_ROUNDS:-1000} + 19) / 20))
[ "$CRASHES" -le 50 ] || CRASHES=50

crashes() {
	READ_MUCH=
	expect_oopses
	close_log
	dmesg --follow-new --notime >"$TMP/follow" &
	FOLLOWER=$!
	while_reading driver interrupted.py "$DEBUGFS" "$SEED" "$CRASHES" "$CHILDKERNEL" "$FILE" \
		"$TMP/stop.nap" crash
	sleep 0.5
	kill "$FOLLOWER"
	expect_no_more
	open_log
	mark
	check_oopses "$CRASHES" any <"$TMP/follow"
}

[ -e "$FILE" ] || {
	ktap_print_header
	skip_all "CK_EXTERN_DIR has no child_test/child_test.ko"
}
begin 1
try "$CRASHES loads are interrupted by an oops" crashes
finish
