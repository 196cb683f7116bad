#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The demo's part in the guest: guest-demo.sh MODULE.ko
set -euo pipefail

seconds=10
stats=/sys/kernel/debug/childkernel
insmod "$1" workload=all seconds="$seconds"
sleep "$seconds"
for _ in $(seq 100); do
	grep -q '"state":"running"' "$stats/stats.json" || break
	sleep 0.2
done
cat "$stats/summary" >"$CK_RESULTS/summary.txt"
cat "$stats/stats.json" >"$CK_RESULTS/stats.json"
rmmod childkernel
