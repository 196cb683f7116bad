#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make bench-exact: instructions for one operation of each primitive, in Rust and
# in C, on the stock kernel under an emulator that counts them; in a plain build
# and in one with INLINE=1. Prints what differs from the table in the tree, and
# with --write puts it there. In a second run nothing may.
#
#   bench-exact.sh [--write]
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_root "$@"
table=$CK_TOP/Documentation/bench-exact.rst
results=$CK_TOP/build/bench/exact
write=
case ${1:-} in
--write) write=1 ;;
'') ;;
*) die "usage: bench-exact.sh [--write]" ;;
esac

"$CK_SCRIPTS/lab.sh" up
lane_load stock
for variant in bench bench-inline; do
	"$CK_SCRIPTS/build.sh" "$variant"
done

# shellcheck disable=SC2317 # called by step
count() {
	local variant=$1 at=$results/$1
	mkdir -p "$at"
	"$CK_SCRIPTS/vm.sh" --count --timeout 300 --results "$at" -- \
		"$CK_SCRIPTS/guest-suite.sh" "$CK_TOP/build/stock/$variant/childkernel.ko" bench=exact ||
		{ status=$?; tail -n 20 "$at/dmesg.txt"; return "$status"; }
	sed -n 's/^.*childkernel: bench {/{/p' "$at/dmesg.txt" >"$results/records-$variant.jsonl"
}

# shellcheck disable=SC2034 # for step (lib.sh)
STEP_TOTAL=2
for variant in bench bench-inline; do
	step "count instructions ($variant)" "$results/records-$variant.jsonl" count "$variant"
done

exact() {
	in_lab -C "$CK_TOP" -- python3 -B "$CK_SCRIPTS/bench/exact.py" "$@"
}

if [ -n "$write" ]; then
	exact table "$CK_TOP/build/bench" >"$table.part"
	mv "$table.part" "$table"
	say "wrote ${table#"$CK_TOP/"}"
elif [ -e "$table" ]; then
	exact diff "$table" "$CK_TOP/build/bench"
else
	exact table "$CK_TOP/build/bench"
fi
"$CK_SCRIPTS/report.sh"
