#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make demo: child kernels contend for native locks on the stock kernel for ten
# seconds; what they did is on one screen, and in build/demo.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_root "$@"
results=$CK_TOP/build/demo
"$CK_SCRIPTS/lab.sh" up
"$CK_SCRIPTS/build.sh" module
mkdir -p "$results"
rm -f "$results/summary.txt" "$results/stats.json"
say "booting; the load runs for 10 s"
status=0
"$CK_SCRIPTS/vm.sh" --timeout 120 --results "$results" -- \
	"$CK_SCRIPTS/guest-demo.sh" "$CK_TOP/build/stock/module/childkernel.ko" || status=$?
[ "$status" -eq 0 ] || die "the demo failed (status $status): see $results/dmesg.txt"
echo
cat "$results/summary.txt"
echo
sed -n 's/^.*\] childkernel: \(.*: end: .*\)/\1/p' "$results/dmesg.txt"
echo
echo "in build/demo: summary.txt, stats.json, dmesg.txt; all took $SECONDS s"
