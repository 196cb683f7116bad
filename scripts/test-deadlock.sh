#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make test-deadlock: mistakes that end in a deadlock some day, each in a guest of
# its own, as lockdep reports one in a boot. The last line says
# "N passed, N failed, N skipped".
#
#   test-deadlock.sh [LANE]     a kernel with lockdep: debug
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/cells.sh
. "$CK_SCRIPTS/cells.sh"

need_root "$@"
lane_load "${1:-debug}"
# Used by cells.sh.
# shellcheck disable=SC2034
build=$CK_TOP/build/$LANE
results=$CK_TOP/build/test/$LANE-deadlock
tests=$CK_TOP/selftests/childkernel

CIRCLE='WARNING: possible circular locking dependency detected'
TWICE='WARNING: possible recursive locking detected'
STATE='WARNING: inconsistent lock state'
SOFTIRQ="^.{,20}inconsistent .IN-SOFTIRQ-W. -> .SOFTIRQ-ON-W. usage"
HARDIRQ="^.{,20}inconsistent .IN-HARDIRQ-W. -> .HARDIRQ-ON-W. usage"
WAITS='. BUG: Invalid wait context .'

CELLS=(
	"deadlock_self|0|$TWICE|"
	"deadlock_same_class|0|$TWICE|"
	"deadlock_two_readers|0|$TWICE|"
	"deadlock_abba_spinlock|0|$CIRCLE|"
	"deadlock_abba_mutex|0|$CIRCLE|"
	"deadlock_abba_readers|0|$CIRCLE|"
	"deadlock_abba_mixed|0|$CIRCLE|"
	"deadlock_abba_counted|0|$CIRCLE|"
	"deadlock_three|0|$CIRCLE|"
	"deadlock_flush|0|$CIRCLE|"
	"deadlock_process_softirq|0|$SOFTIRQ|"
	"deadlock_process_bh_work|0|$SOFTIRQ|"
	"deadlock_process_hardirq|0|$HARDIRQ|"
	"deadlock_softirq_hardirq|0|$HARDIRQ|"
	"deadlock_bh_work_hardirq|0|$HARDIRQ|"
	"deadlock_reader_softirq|0|$STATE|"
	"deadlock_seqlock_softirq|0|$STATE|"
	"deadlock_irq_order|0|WARNING: HARDIRQ-safe -> HARDIRQ-unsafe lock order detected|"
	"deadlock_sleeping_in_spinlock|0|BUG: sleeping function called from invalid context|"
	"deadlock_counted_in_spinlock|0|BUG: sleeping function called from invalid context|"
	"deadlock_spinlock_in_raw|0|$WAITS|"
	"deadlock_spinlock_in_hardirq|0|$WAITS|"
	"deadlock_sleeping_in_rcu|0|Voluntary context switch within RCU read-side critical section!|"
	"deadlock_ends_with_mutex|0|WARNING: .* still has locks held!|"
	"deadlock_frees_held|0|WARNING: held lock freed!|"
)

"$CK_SCRIPTS/lab.sh" up "$LANE"
grep -qx CONFIG_PROVE_LOCKING=y "$KDIR/.config" ||
	die "the kernel of lane $LANE has no lockdep: make test-deadlock LANE=debug"
lane_release
"$CK_SCRIPTS/build.sh" --lane "$LANE" test
"$CK_SCRIPTS/build.sh" --lane "$LANE" --dir "$tests/deadlock_test" test

rm -rf --one-file-system "$results"
mkdir -p "$results"
status=0
printf 'lane=%s\nkernel=%s\n' "$LANE" "$KVER" >"$results/machine"
cells deadlock_test |
	in_lab -b "$results" -- python3 "$CK_SCRIPTS/results.py" --ktap "$results" || status=$?
exit "$status"
