#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Loads that are interrupted at random moments, while all files are read all the
# time: what children own is all given back. A part of run.sh --faults.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=faults_lib.sh
. "$HERE/faults_lib.sh"

ROUNDS=${CK_ROUNDS:-1000}

# rounds N: with memory as it was when the first few had been made.
rounds() {
	driver interrupted.py "$DEBUGFS" "$SEED" "$1" "$CHILDKERNEL" "$FILE" "$TMP/stop.nap"
}

interrupted() {
	close_log
	quiet
	while_reading rounds 20
	# Objects of ours are counted one by one. Slabs with a trace of each object are
	# larger, and what the kernel has of its own comes and goes.
	MEM_NOISE[Kernel]=4096 MEM_NOISE[SUnreclaim]=4096
	remember_memory
	while_reading rounds "$ROUNDS"
	check_memory
	loud
	open_log
	mark
}

[ -e "$FILE" ] || {
	ktap_print_header
	skip_all "CK_EXTERN_DIR has no child_test/child_test.ko"
}
begin 1
try "$ROUNDS loads are interrupted" interrupted
finish
