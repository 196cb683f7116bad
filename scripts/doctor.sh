#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make doctor: what the lab has, what it lacks, and why it runs the way it does.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/lab-up.sh
. "$CK_SCRIPTS/lab-up.sh"
# shellcheck source=scripts/accel.sh
. "$CK_SCRIPTS/accel.sh"
# shellcheck source=scripts/lab-plots.sh
. "$CK_SCRIPTS/lab-plots.sh"

need_root "$@"
lacking=0

part() {
	if "${@:2}"; then
		printf '  %-34s yes\n' "$1"
	else
		printf '  %-34s NO\n' "$1"
		lacking=1
	fi
}

echo "machine"
echo "  $(nproc) cpus, $(awk '/MemTotal/ { printf "%.1f", $2 / 1048576 }' /proc/meminfo) GB memory, kernel $(uname -r)"
echo "  guests run by $(lane_load stock && accel_why)"
part "mmdebstrap on this machine" host_ready
echo "lab in $LAB"
part "root file system with the toolchain" rootfs_ready
part "virtme-ng $VIRTME_NG" virtme_ready
printf '  %-34s %s\n' "gnuplot, for reports" "$(plots_ready && echo yes || echo "with the first report")"
while read -r name _; do
	lane_load "$name"
	echo "lane $LANE ($LANE_KIND $LANE_ARG)"
	if [ "$LANE" != stock ]; then
		printf '  %-34s %s\n' "kernel" \
			"$("${LANE_KIND}_ready" && echo yes || echo "with its first use")"
		continue
	fi
	part "a kernel of series $SERIES" kernel_ready
	part "image and headers" part_ready image
	part "source" part_ready source
	part "Rust metadata" part_ready kdir
	if kernel_ready; then
		part "perf of its version" perf_ready
	fi
done < <(lane_rows)
if [ -s "$LAB/versions" ]; then
	echo "versions"
	sed 's/^/  /' "$LAB/versions"
fi
echo "disk"
for d in "$LAB" "$CK_TOP/build"; do
	[ ! -e "$d" ] || printf '  %-34s %s\n' "$d" "$(size_of "$d")"
done
echo "  free below the lab: $(df -h --output=avail "$(readlink -e "$LAB" || echo /)" | tail -n 1 | tr -d ' ')B"
if [ "$lacking" -eq 0 ]; then
	echo "nothing is missing"
else
	echo "what is missing is made by the next make demo, test, vm or kdir"
fi
