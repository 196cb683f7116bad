#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The parts of child kernels: what each promises, case by case in a module made
# for it.

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

cases child_test
begin $((2 + ${#CASES[@]}))
try_cases
finish
