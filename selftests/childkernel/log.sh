#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The whole log and the taint flags, since run.sh began or else since boot.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# The log is there all the same.
MAY_BE_BUILT_IN=1
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
	local taint enabled=/sys/module/kunit/parameters/enable
	# Where KUnit runs a suite it says so.
	! grep -qs Y "$enabled" || TAINT_OURS=$((TAINT_OURS | 1 << 18))
	read -r taint </proc/sys/kernel/tainted
	taint=$((taint & ~${CK_SUITE_TAINT:-0} & ~TAINT_OURS))
	[ "$taint" -eq 0 ] || fail "tainted: $taint"
}

# A report switches lockdep off, and it sees nothing more.
lockdep_is_on() {
	grep -qE '^ *debug_locks: +1$' /proc/lockdep_stats || fail "lockdep was switched off"
}

# What was lost long ago may be found late: a stack may still hold its address.
no_leak() {
	local n
	for n in 1 2; do
		echo scan >"$KMEMLEAK"
		sleep $((n * 5))
	done
	[ -z "$(<"$KMEMLEAK")" ] || fail "$(<"$KMEMLEAK")"
}

# In kernels that look for more than others.
MORE=()
[ ! -e /proc/lockdep_stats ] || MORE+=("lockdep has nothing to say:lockdep_is_on")
[ ! -e "$KMEMLEAK" ] || MORE+=("no memory is lost:no_leak")
begin $((2 + ${#MORE[@]}))
try "no splat in the whole log" no_splat
try "no taint but of modules out of tree" no_taint
for more in "${MORE[@]}"; do
	try "${more%:*}" "${more#*:}"
done
finish
