#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make report: build/bench/report.html, bench.csv and bench.json, made from
# whatever has been measured so far. The commands that measure in the lab end with it.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/lab-up.sh
. "$CK_SCRIPTS/lab-up.sh"
# shellcheck source=scripts/lab-plots.sh
. "$CK_SCRIPTS/lab-plots.sh"

need_root "$@"
compgen -G "$CK_TOP/build/bench/*/records*.jsonl" >/dev/null ||
	[ -s "$CK_TOP/build/bench/real/contention.jsonl" ] ||
	die "nothing was measured yet: make bench-exact, make bench-native or make bench does"
lab_up stock
plots_up
in_lab -C "$CK_TOP" -- python3 -B scripts/bench/report.py "$CK_TOP/build/bench"
