#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A module from outside the tree that uses all of the library, and one that was
# built against another build of it.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# What it must say at init, no matter in which order.
CHECKS=(
	spinlock mutex seqlock completion_counts completion_all completion_limits
	completion_wakes stop_ends_waits rcu_list rcu_list_of_mutex rcu_list_concurrent
	names_refused others_code_refused threads error_ends_all_threads restart modes
	modes_change waits_inside attempts_fail alone_on_its_cpu own_lock error_is_the_end error_then_restart
)
WAS_REBUILT=childkernel_was_rebuilt_so_rebuild_this_module_

# The log of its init, kept for the tests that come after.
init() {
	load
	insert "$OUTSIDER" || fail "insmod outsider: $ERROR"
	log >"$TMP/init"
	# A check that is not in the list above is one that this script would miss.
	local name
	while read -r name; do
		[[ " ${CHECKS[*]} " == *" $name "* ]] || fail "unknown check: $name"
	done < <(sed -nE 's/^outsider: (not )?ok ([a-z_]+).*/\2/p' "$TMP/init")
}

# said CHECK: reports what it said of it.
said() {
	if grep -q "^outsider: ok $1\$" "$TMP/init"; then
		ktap_test_pass "$1"
	else
		diag "$(grep -B 3 "^outsider: not ok $1 " "$TMP/init" || echo "it said nothing")"
		ktap_test_fail "$1"
	fi
}

from_outside() {
	load
	insert "$OUTSIDER" || fail "insmod outsider: $ERROR"
	sleep 0.2
	json 'all(c["owner"] == "outsider" for c in children)' \
		'{c["name"] for c in children} == {"fails", "fails-once", "many", "forgotten", "kept"}' \
		'child("fails")["error"] == -5 and child("fails")["state"] == "stopped"' \
		'child("fails")["generation"] == 1' \
		'child("fails-once")["error"] == 0 and child("fails-once")["state"] == "running"' \
		'child("fails-once")["generation"] == 2 and child("fails-once")["ops"] > 0' \
		'child("many")["threads"] == 4 and child("many")["ops"] > 0' \
		'[l["name"] for l in locks] == ["outsider/flag", "outsider/same", "outsider/same"]' \
		'lock("outsider/flag")["kind"] == "flag"' \
		'lock("outsider/flag")["acquisitions"] == 2 and lock("outsider/flag")["contended"] == 1' \
		'len(lock("outsider/flag")["sites"]) == 1' \
		'"statistics.rs:" in lock("outsider/flag")["sites"][0]["at"]'
	local n
	find_threads
	for n in 0 1 2 3; do
		[ -n "${PID[many/$n]:-}" ] || fail "no thread many/$n"
	done
	check_logged '^childkernel: child [0-9]+ \(fails\) ended: EIO$' 1
	grep -qE '^[0-9]+ +fails +outsider +stopped .* EIO$' "$SUMMARY" || fail "the summary does not say EIO"
}

# The library joins a child that its owner has forgotten, and finishes what the
# owner gave to deferred reclaim, before the owner's text goes.
goes() {
	load
	insert "$OUTSIDER" || fail "insmod outsider: $ERROR"
	mark
	unload outsider
	check_logged '^childkernel: module outsider goes without child [0-9]+ \(forgotten\): joining it$' 1
	check_logged '^outsider: ok deferred_at_exit$' 1
	json 'children == []' 'locks == []'
	find_threads
	[ -z "${PID[forgotten]:-}" ] || fail "its thread is there"
	# What that one has registered when it was joined goes as well.
	check_logged '^childkernel: entry point too-late goes with its module$' 1
	! echo "spawn x entry=too-late" 2>/dev/null >"$DEBUGFS/control" || fail "its code can still be run"
	check_logged '^childkernel: entry=too-late: ' 1
	# The library is as good as before.
	insert "$OUTSIDER" || fail "insmod outsider again: $ERROR"
	unload outsider
	check_logged '^outsider: ok deferred_at_exit$' 2
}

# Any module may have a part in what another gives to deferred reclaim, so none goes
# before that is through.
another_goes() {
	local id goes _
	load
	insert "$OUTSIDER" || fail "insmod outsider: $ERROR"
	insert "$HELLO" || fail "insmod hello_child: $ERROR"
	echo "spawn gate entry=gate depth=1" >"$DEBUGFS/control" || {
		fail "no child"
		return
	}
	wait_so 'child("gate")["ops"] == 1'
	id=$(value 'child("gate")["id"]')
	rmmod hello_child &
	goes=$!
	for _ in {1..50}; do
		[ "$(cat /sys/module/hello_child/initstate 2>/dev/null)" = live ] || break
		sleep 0.1
	done
	# Now it has nothing else to wait for.
	sleep 0.5
	is_loaded hello_child || fail "it does not wait"
	echo "send $id open" >"$DEBUGFS/control" || fail "the gate stays closed"
	wait $goes || fail "rmmod hello_child fails"
	check_logged '^outsider: slow to go$' 1
	unload outsider
}

beside_a_load() {
	load workload=all cpus=0
	insert "$OUTSIDER" || fail "insmod outsider: $ERROR"
	! log | grep -q '^outsider: not ok' || fail "$(log | grep '^outsider: not ok')"
	unload outsider
	unload childkernel
	check_success "${LABELS[@]}"
}

# refused FILE: beside the library that is loaded, for the reason that the name
# of the missing symbol tells.
refused() {
	if insert "$1"; then
		fail "it loads"
		return
	fi
	[[ $ERROR == *"Unknown symbol"* ]] || fail "insmod says: $ERROR"
	check_logged "^outsider: Unknown symbol ${WAS_REBUILT}[0-9a-f]+ "
	! is_loaded outsider || fail "it is there all the same"
}

# Each build beside its own library loads, beside the other one it does not.
stale() {
	load
	refused "$STALE"
	insert "$OUTSIDER" || fail "the right one does not load: $ERROR"
	unload outsider
	unload childkernel

	mark
	local CHILDKERNEL=$CK_PLAIN_DIR/childkernel.ko
	load
	refused "$OUTSIDER"
	insert "$STALE" || fail "the right one does not load: $ERROR"
}

OUTSIDER=${CK_EXTERN_DIR:-/nonexistent}/outsider/outsider.ko
STALE=${CK_STALE_DIR:-/nonexistent}/outsider/outsider.ko
begin $((6 + ${#CHECKS[@]}))
if [ -e "$OUTSIDER" ]; then
	try "says what it finds" init
	for check in "${CHECKS[@]}"; do
		said "$check"
	done
	try "seen from outside" from_outside
	try "goes with what it forgot" goes
	try "another goes" another_goes
	try "beside running loads" beside_a_load
else
	for check in "says what it finds" "${CHECKS[@]}" "seen from outside" \
		"goes with what it forgot" "another goes" "beside running loads"; do
		try_skip "$check" "CK_EXTERN_DIR has no outsider/outsider.ko"
	done
fi
if [ -e "$OUTSIDER" ] && [ -e "$STALE" ] && [ -n "${CK_PLAIN_DIR:-}" ]; then
	try "a stale one is refused" stale
else
	try_skip "a stale one is refused" "needs CK_EXTERN_DIR, CK_STALE_DIR and CK_PLAIN_DIR"
fi
finish
