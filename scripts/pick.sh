#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make pick: which primitive to take for data that is read and written so, by
# what was measured (scripts/bench/pick.py).
#
#   pick.sh READ=95 HOLD=400ns CPUS=2 SIZE=64 [CONTEXT=process] [SLEEP=no]
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/lab-up.sh
. "$CK_SCRIPTS/lab-up.sh"

need_root "$@"
# A lab is not set up just to find that there is nothing to rank.
if [ ! -e "$LAB/rootfs" ] && ! compgen -G "$CK_TOP/build/bench/*/records*.jsonl" >/dev/null; then
	die "nothing was measured yet: make bench-native, or make bench, does"
fi
lab_up stock
# Not the last command of the lab's own shell: its status is this script's.
status=0
in_lab -C "$CK_TOP" -- python3 -B scripts/bench/pick.py "$CK_TOP/build/bench" "$@" || status=$?
exit "$status"
