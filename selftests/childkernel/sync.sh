#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The synchronization primitives: what each promises, case by case in a module
# made for it, and each in all loads that can use it.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# What it must say at init, no matter in which order.
CASES=(
	preempt_nests irq_any_order bh_any_order bh_inside_irq lock_irq_any_order
	lock_bh_any_order spinlock_try spinlock_irq_try spinlock_bh_try raw_spinlock_try
	rwlock_shares rwlock_bh_shares rwlock_irq_shares resilient_self_deadlock
	resilient_dead_holder mutex_stop mutex_killable semaphore_admits_n semaphore_try
	semaphore_timeout semaphore_stop semaphore_up_from_interrupt rwsem_shares
	rwsem_downgrade rwsem_stop percpu_rwsem_shares
)

init() {
	load
	insert "$SYNC_TEST" || fail "insmod sync_test: $ERROR"
	log >"$TMP/init"
	unload sync_test
	# A case that is not in the list above is one that this script would miss.
	local name
	while read -r name; do
		[[ " ${CASES[*]} " == *" $name "* ]] || fail "unknown case: $name"
	done < <(sed -nE 's/^sync_test: (not )?ok ([a-z_]+).*/\2/p' "$TMP/init")
}

# said CASE: reports what it said of it.
said() {
	if grep -q "^sync_test: ok $1\$" "$TMP/init"; then
		ktap_test_pass "$1"
	else
		diag "$(grep -B 3 "^sync_test: not ok $1 " "$TMP/init" || echo "it said nothing")"
		ktap_test_fail "$1"
	fi
}

# with_all LOAD N: it runs with each of its N primitives, all at once, and each
# holds what it must.
with_all() {
	load workload="$1" primitive=all seconds=3 hold_ns=1000
	wait_ended
	unload childkernel
	judge "len({c['workload'] for c in children}) == $2" \
		'all(c["ops"] > 0 for c in children)' 'all(c["violations"] == 0 for c in children)'
	check_logged "^childkernel: $1/.* end: .*: SUCCESS\$" "$2"
}

SYNC_TEST=${CK_EXTERN_DIR:-/nonexistent}/sync_test/sync_test.ko
begin $((4 + ${#CASES[@]}))
if [ -e "$SYNC_TEST" ]; then
	try "all cases are known" init
	for case in "${CASES[@]}"; do
		said "$case"
	done
else
	for case in "all cases are known" "${CASES[@]}"; do
		try_skip "$case" "CK_EXTERN_DIR has no sync_test/sync_test.ko"
	done
fi
try "counter with every primitive" with_all counter 15
try "record with every primitive" with_all record 6
try "handshake with every primitive" with_all handshake 2
finish
