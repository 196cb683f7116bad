#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What nobody should write: to the file control, by many at once, and as parameters
# of the module; while all files are read all the time. A part of run.sh --faults.
# shellcheck disable=SC2119,SC2317,SC2329 # the tests are called by name

# Where it is, this is run at the speed of the machine.
MAY_BE_BUILT_IN=1
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=faults_lib.sh
. "$HERE/faults_lib.sh"

WRITES=${CK_WRITES:-10000}
LOADS=$((${CK_ROUNDS:-1000} * 3 / 10))

writes() {
	[ -n "$BUILT_IN" ] || come
	close_log
	quiet
	while_reading driver control_fuzz.py "$DEBUGFS" "$SEED" "$WRITES"
	loud
	open_log
	mark
}

loads() {
	READ_MUCH=
	quiet
	while_reading driver parameters_fuzz.py "$DEBUGFS" "$SEED" "$LOADS" "$CHILDKERNEL" "$TMP/stop.nap"
	loud
}

begin 2
try "$WRITES writes to control" writes
if [ -n "$BUILT_IN" ]; then
	try_skip "loads with strange parameters" "the library is built in"
else
	try "$LOADS loads with strange parameters" loads
fi
finish
