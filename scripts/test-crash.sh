#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make test-crash: what is contained when children die, in one guest, as in make
# test; then, each in a guest of its own, what is not. Those guests have to be
# lost in the way that is documented. The last line says
# "N passed, N failed, N skipped".
#
#   test-crash.sh [LANE]
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/cells.sh
. "$CK_SCRIPTS/cells.sh"

need_root "$@"
lane_load "${1:-stock}"
build=$CK_TOP/build/$LANE
results=$CK_TOP/build/test/$LANE-crash
tests=$CK_TOP/selftests/childkernel

SOFTLOCKUP='/proc/sys/kernel/softlockup_panic=1 /proc/sys/kernel/watchdog_thresh=2'
STALL='/proc/sys/kernel/panic_on_rcu_stall=1'
STALL+=' /sys/module/rcupdate/parameters/rcu_cpu_stall_timeout=3'
LOCKED_UP='watchdog: BUG: soft lockup - CPU#1 stuck for .* \[spins:'
IN_INTERRUPT='Kernel panic - not syncing: Fatal exception in interrupt$'

# Case, how vm.sh has to end, what has to be in the log, and what is set before.
# A lockup, and a stall, are made to end the machine, so that nobody waits.
CELLS=(
	"lost_spinlock_wanted|125|$LOCKED_UP|$SOFTLOCKUP"
	"lost_spin_preempt_off|125|$LOCKED_UP|$SOFTLOCKUP"
	"lost_spin_irq_off|125|rcu: INFO: rcu_preempt detected stalls|$STALL"
	"lost_spinlock_bh|125|$IN_INTERRUPT|"
	"lost_bh_panic|125|$IN_INTERRUPT|"
	"lost_bh_null|125|$IN_INTERRUPT|"
	"lost_softirq|125|$IN_INTERRUPT|"
	"lost_hardirq|125|$IN_INTERRUPT|"
	"lost_not|125|Kernel panic - not syncing: Fatal exception$|/proc/sys/kernel/panic_on_oops=1"
	"lost_not|125|Oopsed too often .kernel.oops_limit is 1.$|/proc/sys/kernel/oops_limit=1"
	"lost_not|0|child 1 .crash. ended: crashed by signal 11$|"
	"lost_mutex_wanted|0|ERROR: Module crash_test is in use$|"
	"lost_deferred|0|lost.sh: crash_test is waited for$|"
)

"$CK_SCRIPTS/lab.sh" up "$LANE"
lane_release
"$CK_SCRIPTS/build.sh" --lane "$LANE" test
"$CK_SCRIPTS/build.sh" --lane "$LANE" --dir "$tests/crash_test" test

rm -rf --one-file-system "$results"
mkdir -p "$results"
status=0
{
	guest "$results" "${TIMEOUT:-300}" "$tests/run.sh" --crash || true
	cells crash_test
} |
	in_lab -b "$results" -- python3 "$CK_SCRIPTS/results.py" "$results" || status=$?
exit "$status"
