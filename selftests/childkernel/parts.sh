#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The parts of child kernels: what each promises, case by case in a module made
# for it.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# 50 MiB of boxes that nobody gave back, in 200 arenas: the first round is for
# what the kernel keeps for the next time.
forgotten_boxes() {
	cases_come "$DIR/run"
	run_case arena_frees_forgotten
	remember_memory
	run_case arena_frees_forgotten
	check_memory
}

cases child_test
begin $((3 + ${#CASES[@]}))
try_cases
if [ -e "$FILE" ]; then
	try "what is left in an arena goes with it" forgotten_boxes
else
	try_skip "what is left in an arena goes with it" "no module of cases"
fi
finish
