#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check-symbols.sh RELEASE SYMVERS... -- MODULE.ko...
#
# Compares what each module needs with what the kernel and the modules that it
# depends on export, by name, and its release string with the kernel's. The
# first SYMVERS is the stock kernel's own. Catches at build time what would
# otherwise be "Unknown symbol" in the log of a machine.
set -euo pipefail

release=$1
shift
symvers=()
while [ "$1" != -- ]; do
	[ ! -e "$1" ] || symvers+=("$1")
	shift
done
shift

status=0
for ko in "$@"; do
	magic=$(modinfo -F vermagic "$ko")
	if [ "${magic%% *}" != "$release" ]; then
		echo "$ko: built for ${magic%% *}, not $release"
		status=1
	fi
	missing=$(nm -u "$ko" | awk -v depends="$(modinfo -F depends "$ko")" '
		BEGIN { n = split(depends, d, ","); for (i = 1; i <= n; i++) dep[d[i]] = 1 }
		FILENAME != "-" {
			owner = $3
			sub(".*/", "", owner)
			gsub("-", "_", owner)
			if ($3 == "vmlinux" || owner in dep) have[$2] = 1
			next
		}
		$1 == "U" && !($2 in have) { print $2 }' "${symvers[@]}" -)
	if [ -n "$missing" ]; then
		echo "$ko needs what neither the kernel nor its dependencies export:"
		while read -r name; do
			echo "    $name"
		done <<<"$missing"
		status=1
	fi
done
exit "$status"
