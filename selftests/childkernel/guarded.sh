#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A kernel that is locked down, and one that takes no module without a signature
# that it trusts. Neither can be undone, so this comes last. A part of run.sh
# --faults.
#
# CK_SIGNED_DIR has the module, signed: childkernel-unknown.ko by a key that no
# kernel knows, childkernel-known.ko by that of this kernel, where there is one.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=faults_lib.sh
. "$HERE/faults_lib.sh"
# shellcheck source-path=SCRIPTDIR source=crash_lib.sh
. "$HERE/crash_lib.sh"

ENFORCE=/sys/module/module/parameters/sig_enforce
UNKNOWN=${CK_SIGNED_DIR:-/nonexistent}/childkernel-unknown.ko
KNOWN=${CK_SIGNED_DIR:-/nonexistent}/childkernel-known.ko

lockdown() {
	load workload=counter
	lock_down "$CONTROL"
	unload childkernel
}

# refused FILE: by the kernel, before anything of it runs.
refused() {
	! insert "$1" || fail "$1 is loaded"
	[[ $ERROR == *"Key was rejected by service"* ]] || fail "$1: $ERROR"
	check_logged '^Loading of .* is rejected$' 1
}

enforced() {
	echo 1 >$ENFORCE || fail "can not be enforced"
	refused "$1"
}

# As good as any other: nothing but its place of birth taints the kernel.
taken() {
	local CHILDKERNEL=$KNOWN
	load workload=counter seconds=1
	[[ $(cat /sys/module/childkernel/taint) =~ ^O?$ ]] ||
		fail "tainted: $(cat /sys/module/childkernel/taint)"
	wait_ended
	check_success counter/spinlock
}

begin 4
if [ -w /sys/kernel/security/lockdown ]; then
	try "lockdown: reading works, writing does not" lockdown
else
	try_skip "lockdown: reading works, writing does not" "no lockdown in this kernel"
fi
if [ ! -w $ENFORCE ]; then
	for name in "without a signature it is refused" "signed by a stranger it is refused" \
		"signed by the kernel's own key it is taken"; do
		try_skip "$name" "no signatures in this kernel"
	done
	finish
fi
try "without a signature it is refused" enforced "$CHILDKERNEL"
if [ -e "$UNKNOWN" ]; then
	try "signed by a stranger it is refused" refused "$UNKNOWN"
else
	try_skip "signed by a stranger it is refused" "CK_SIGNED_DIR has none"
fi
if [ -e "$KNOWN" ]; then
	try "signed by the kernel's own key it is taken" taken
else
	try_skip "signed by the kernel's own key it is taken" "the key of this kernel is not here"
fi
finish
