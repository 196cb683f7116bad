#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make demo: child kernels contend for native locks on the stock kernel for ten
# seconds; then one of four is made to panic ten times. What they did is on one
# screen, and in build/demo.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_root "$@"
results=$CK_TOP/build/demo
"$CK_SCRIPTS/lab.sh" up
"$CK_SCRIPTS/build.sh" demo
mkdir -p "$results"
rm -f "$results/summary.txt" "$results/stats.json" "$results/crash.txt"
say "booting; this takes about 40 s"
status=0
"$CK_SCRIPTS/vm.sh" --timeout 180 --results "$results" -- \
	"$CK_SCRIPTS/guest-demo.sh" "$CK_TOP/build/stock/demo/childkernel.ko" || status=$?
[ "$status" -eq 0 ] || die "the demo failed (status $status): see $results/dmesg.txt"
echo
head -n 1 "$results/summary.txt"
sed -n 's/^.*\] childkernel: \([a-z]*\/[a-z]*: end: [0-9]* children.*\)/\1/p' "$results/dmesg.txt"
echo
sed -n '/^LOCK/,$p' "$results/summary.txt"
echo
cat "$results/crash.txt"
