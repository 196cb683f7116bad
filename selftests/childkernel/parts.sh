#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The parts of child kernels: what each promises, case by case in a module made
# for it.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# logs CASE N: the log has N lines of children that have failed.
logs() {
	cases_come "$DIR/run"
	mark
	run_case "$1"
	check_logged '^childkernel: child [0-9]+ \([a-z]+\) ended: ' "$2"
	cases_go
}

cases child_test
begin $((4 + ${#CASES[@]}))
try_cases
if [ -e "$FILE" ]; then
	try "a child that fails is in the log" logs states_after_an_error 2
	try "one that was asked to stop is not" logs states_stop_ends_a_wait 0
else
	try_skip "a child that fails is in the log" "no $FILE"
	try_skip "one that was asked to stop is not" "no $FILE"
fi
finish
