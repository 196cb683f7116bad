#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Allocations that fail, one after another, in a kernel with fault injection. A part
# of run.sh --faults.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=faults_lib.sh
. "$HERE/faults_lib.sh"

ROUNDS=$((${CK_ROUNDS:-1000} / 5))
NAMES=("each allocation fails once" "allocations of kernel threads fail")

# What the kernel itself says when it has no memory for a module is no fault.
injected() {
	close_log
	quiet
	driver injected.py "$DEBUGFS" "$CHILDKERNEL" "$FILE" "$TMP/stop.nap" "$1" "$SEED" "$ROUNDS"
	loud
	[ "$FAULTS" -eq 0 ] || diag "$(dmesg | grep 'not so: ' | tail -n 3)"
	open_log
	mark
}

# Nothing that was lost, of all that was asked for meanwhile.
no_leak() {
	[ ! -e "$KMEMLEAK" ] || echo clear >"$KMEMLEAK"
	injected "$@"
	unload_all
	[ -e "$KMEMLEAK" ] || return
	local _
	for _ in 1 2; do
		echo scan >"$KMEMLEAK"
		sleep 5
	done
	[ -z "$(<"$KMEMLEAK")" ] || fail "$(head -c 3000 "$KMEMLEAK")"
}

[ -e "$FILE" ] || {
	ktap_print_header
	skip_all "CK_EXTERN_DIR has no child_test/child_test.ko"
}
begin 2
if [ -e /proc/self/fail-nth ] && [ -d /sys/kernel/debug/failslab ]; then
	try "${NAMES[0]}" no_leak paths
	try "${NAMES[1]}" no_leak threads
else
	try_skip "${NAMES[0]}" "no fault injection in this kernel"
	try_skip "${NAMES[1]}" "the same"
fi
finish
