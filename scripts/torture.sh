#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make torture: primitives and protocols of the library, used as badly as they may be,
# and their broken twins, each of which has to be caught.
#
#   torture.sh [LANE=LANE] [MINUTES=N] [SEED=N] [ONLY=NAME,...]
#
# What is sound is tortured for so many minutes (default 1), after the twins. The report
# is build/test/torture/LANE/report.md, and report.json for programs. The last line says
# "N passed, N failed, N skipped".
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_root "$@"
lane=stock minutes=1 seed=0 only=all
for arg in "$@"; do
	case $arg in
	LANE=?*) lane=${arg#*=} ;;
	MINUTES=*) minutes=${arg#*=} ;;
	SEED=*) seed=${arg#*=} ;;
	ONLY=*) only=${arg#*=} ;;
	*) die "unknown argument '$arg': see the first lines of this script" ;;
	esac
done
[[ $minutes =~ ^[1-9][0-9]{0,3}$ && $minutes -le 1440 ]] ||
	die "MINUTES=$minutes: give a number from 1 to 1440"
[[ $seed =~ ^(0|[1-9][0-9]{0,17})$ ]] || die "SEED=$seed: give a number of up to 18 digits"
[[ $only =~ ^[a-z_]+(,[a-z_]+)*$ ]] || die "ONLY=$only: give names of subjects, with commas"
lane_load "$lane"
results=$CK_TOP/build/test/torture/$LANE
seconds=$((minutes * 60))
# Twins take as long as they take; an emulated machine boots as well.
limit=$((seconds + 1800))

case $LANE_KIND/$LANE_ARG in
debian/* | own/x86_64)
	"$CK_SCRIPTS/build.sh" --lane "$LANE" torture
	machine=("$CK_SCRIPTS/vm.sh" --lane "$LANE" --timeout "$limit" --results "$results")
	# Kernels that remember what is done to them need memory for it.
	[ "$LANE_KIND" = debian ] || machine+=(--memory 3G)
	machine+=(--
		"$CK_SCRIPTS/guest-torture.sh" "$CK_TOP/build/$LANE/torture/childkernel.ko"
		"torture=$only" "torture_seconds=$seconds" "torture_seed=$seed")
	;;
own/um)
	"$CK_SCRIPTS/build.sh" --lane "$LANE"
	machine=("$CK_SCRIPTS/uml.sh" --timeout "$limit" --results "$results"
		--until '"torture":"end"' "childkernel.torture=$only"
		"childkernel.torture_seconds=$seconds" "childkernel.torture_seed=$seed")
	;;
*) die "lane $LANE has no torture yet: its machine is of kind $LANE_KIND/$LANE_ARG" ;;
esac

rm -rf --one-file-system "$results"
mkdir -p "$results"
say "the kernel log is in $results/dmesg.txt"
setpriv --pdeathsig TERM "${machine[@]}" >"$results/output.txt" 2>&1 &
pid=$!
CHILDREN=("$pid")
status=0
until [ -s "$results/dmesg.txt" ] || ! kill -0 "$pid" 2>/dev/null; do
	sleep 0.2
done
[ -e "$results/dmesg.txt" ] || : >"$results/dmesg.txt"
# This file, and not another of its name: the machine tidies it in the end.
tail -s 0.2 -n +1 -f --pid="$pid" "$results/dmesg.txt" |
	"${IN_LAB[@]}" -b "$results" -- python3 -B "$CK_SCRIPTS/torture.py" "$results" "$LANE" &
# In the background, so that a signal to this script ends all of it at once.
wait "$!" || status=$?
ended=0
wait "$pid" || ended=$?
CHILDREN=()
if [ "$ended" -ne 0 ] && [ "$status" -eq 0 ]; then
	tail -n 5 "$results/output.txt" >&8
	die "the machine ended with status $ended: its output is in $results/output.txt"
fi
say "the report is $results/report.md"
exit "$status"
