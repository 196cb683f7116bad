#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make test-all: every lane, every way to boot it, what costs a machine, torture,
# models and faults, one after another; then one table, and build/test/report.md.
#
#   test-all.sh [ONLY="RUN..."] [CONTINUE=1]
#
# ONLY names the runs that are wanted. With CONTINUE=1 those that have passed with
# this very tree are not run again.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Name, folder of its results below build/test, and its command.
RUNS=(
	"stock:stock:test.sh stock"
	"stock-full:stock-full:test.sh stock full"
	"stock-lazy:stock-lazy:test.sh stock lazy"
	"stock-one-cpu:stock-one-cpu:test.sh stock one-cpu"
	"crash:stock-crash:test-crash.sh stock"
	"stock-rt:stock-rt:test.sh stock-rt"
	"debug:debug:test.sh debug"
	"deadlock:debug-deadlock:test-deadlock.sh"
	"kasan:kasan:test.sh kasan"
	"uml:uml:test.sh uml"
	"model:model:model.sh"
	"torture-uml:torture/uml:torture.sh LANE=uml"
	"torture-stock:torture/stock:torture.sh LANE=stock"
	"faults-uml:faults/uml:faults.sh uml"
	"faults-stock:faults/stock:faults.sh stock"
	"faults-debug:faults/debug:faults.sh debug"
)

names() {
	printf '%s\n' "${RUNS[@]}" | cut -d: -f1 | paste -sd ' ' | sed 's/ /, /g'
}

need_root "$@"
only='' continue=''
for arg in "$@"; do
	case $arg in
	ONLY=*) only=${arg#*=} ;;
	CONTINUE= | CONTINUE=0) ;;
	CONTINUE=*) continue=1 ;;
	*) die "unknown argument '$arg': ONLY= and CONTINUE=1 are known" ;;
	esac
done
for name in $only; do
	[[ " ${RUNS[*]%%:*} " == *" $name "* ]] || die "no run '$name': there is $(names)"
done

out=$CK_TOP/build/test
mkdir -p "$out"
# All that is built and tested is made of what git knows, and of what it does not
# ignore.
tree=$(cd "$CK_TOP" && { git ls-files -z -co --exclude-standard | sort -z |
	xargs -0 sha256sum 2>/dev/null || true; } | sha256sum | cut -c1-16)

failed=0 n=0
wanted=()
for run in "${RUNS[@]}"; do
	[ -n "$only" ] && [[ " $only " != *" ${run%%:*} "* ]] || wanted+=("$run")
done
for run in "${wanted[@]}"; do
	IFS=: read -r name dir command <<<"$run"
	n=$((n + 1))
	passed=$out/$name.passed log=$out/$name.log
	if [ -n "$continue" ] && [ "$(cat "$passed" 2>/dev/null)" = "$tree" ]; then
		say "[$n/${#wanted[@]}] $name: passed before"
		continue
	fi
	rm -f "$passed"
	rm -rf --one-file-system "${out:?}/$dir"
	say "[$n/${#wanted[@]}] $name ... (${log#"$CK_TOP"/})"
	start=$SECONDS status=0
	read -ra words <<<"$command"
	"$CK_SCRIPTS/${words[0]}" "${words[@]:1}" >"$log" 2>&1 </dev/null || status=$?
	say "[$n/${#wanted[@]}] $name: $(tail -n 1 "$log"), $((SECONDS - start)) s"
	if [ "$status" -eq 0 ]; then
		echo "$tree" >"$passed"
	else
		failed=$((failed + 1))
		grep '^FAILED ' "$log" | head -n 20 >&8 || tail -n 5 "$log" >&8
	fi
done
in_lab -b "$out" -- python3 -B "$CK_SCRIPTS/test_report.py" "$out" "$LAB/versions" \
	"$(git -C "$CK_TOP" describe --always --dirty 2>/dev/null || echo unknown)"
exit $((failed > 0))
