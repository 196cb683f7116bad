#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The whole log and the taint flags, since run.sh began or else since boot.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

no_splat() {
	local found
	dmesg >"$TMP/log"
	if [ -n "${CK_SUITE_MARK:-}" ] && grep -qF "$CK_SUITE_MARK" "$TMP/log"; then
		sed -i "1,/$CK_SUITE_MARK\$/d" "$TMP/log"
	fi
	diag "$(wc -l <"$TMP/log") lines"
	found=$(grep -E "$SPLAT" "$TMP/log")
	[ -z "$found" ] || fail "in the log: $found"
	! grep -E 'childkernel: .*: FAILURE$' "$TMP/log" | grep -qv ' [1-9][0-9]* violations, ' ||
		fail "a failure without violations"
}

no_taint() {
	local taint
	read -r taint </proc/sys/kernel/tainted
	taint=$((taint & ~${CK_SUITE_TAINT:-0} & ~TAINT_OURS))
	[ "$taint" -eq 0 ] || fail "tainted: $taint"
}

begin 2
try "no splat in the whole log" no_splat
try "no taint but of modules out of tree" no_taint
finish
