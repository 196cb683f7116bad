#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make bench-native: what locks, messages and children cost at this machine's own
# speed, in Rust and in C: User Mode Linux with the library built in, on all
# processors. The ratio of two sides in one run says something about hardware;
# the numbers themselves are User Mode Linux's.
#
#   bench-native.sh [QUICK=1] [CPUS=N] [TIMEOUT=SECONDS]
#
# Records are in build/bench/native/records.jsonl as soon as they are measured.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_root "$@"
quick='' cpus=$(nproc) limit=3600
for arg in "$@"; do
	case $arg in
	QUICK=0 | QUICK=) quick= ;;
	QUICK=*) quick=1 ;;
	CPUS=*) cpus=${arg#*=} ;;
	TIMEOUT=*) limit=${arg#*=} ;;
	*) die "unknown argument '$arg': see the first lines of this script" ;;
	esac
done
[[ $cpus =~ ^[1-9][0-9]*$ ]] || die "CPUS=$cpus: give a number of processors"
[[ $limit =~ ^[1-9][0-9]*$ ]] || die "TIMEOUT=$limit: give a number of seconds"
[ "$cpus" -le 64 ] || cpus=64

"$CK_SCRIPTS/build.sh" --lane uml
results=$CK_TOP/build/bench/native
mkdir -p "$results"
say "measuring on $cpus processors, not for hardware decisions; the console is in $results/dmesg.txt"
# In the background, so that a signal to this script ends all of it at once.
setpriv --pdeathsig TERM "$CK_SCRIPTS/uml.sh" --cpus "$cpus" --timeout "$limit" \
	--results "$results" --until '"bench":"end"' \
	childkernel.bench=native ${quick:+childkernel.bench_quick=1} |
	"${IN_LAB[@]}" -b "$results" -- \
		python3 -B "$CK_SCRIPTS/bench/follow.py" "$results/records.jsonl" &
status=0
wait "$!" || status=$?
# Also of what an interrupted run has.
[ ! -s "$results/records.jsonl" ] || "$CK_SCRIPTS/report.sh"
exit "$status"
