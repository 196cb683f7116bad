#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Torture, for a moment: what is sound shows no violation, and a few twins are
# caught. make torture does the same with all there is, and for longer.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# What is quickly made, and whose twins are quickly caught.
SUBJECTS=resilient_order,percpu,rcu_pointer,arena
TWINS=9
PATIENCE=120

# tortured PARAMETER...: until it has ended. OUT becomes what was said.
tortured() {
	load "$@"
	wait_logged '"torture":"end"' "$PATIENCE" || return
	OUT=$(logged '"torture":"')
}

sound() {
	local hard=
	tortured torture="$SUBJECTS" torture_mode=sound torture_seconds=1 torture_seed=1 || return
	[ "$(grep -c '"torture":"subject".*"violations":0,' <<<"$OUT")" -eq 4 ] || fail "$OUT"
	! grep -q '"ops":0,' <<<"$OUT" || fail "idle: $OUT"
	# Where there are timers for it, they were there. Where spinlocks sleep, all of
	# them are soft.
	is_realtime || hard='[1-9]'
	[ "$(grep -cE "\"softirq\":[1-9][0-9]*,\"hardirq\":${hard:-0,}" <<<"$OUT")" -eq 3 ] || fail "$OUT"
	grep -qE '"torture":"children","errors":[1-9]' <<<"$OUT" || fail "no child failed: $OUT"
	unload childkernel
}

caught() {
	tortured torture="$SUBJECTS" torture_mode=twins torture_seed=1 || return
	! grep '"torture":"twin"' <<<"$OUT" | grep -v '"caught":true' || fail "not caught"
	[ "$(grep -cE '"torture":"(twin|skip)"' <<<"$OUT")" -eq "$TWINS" ] || fail "$OUT"
	unload childkernel
}

if [ -e "$CHILDKERNEL" ] && ! modinfo -p "$CHILDKERNEL" | grep -q '^torture:'; then
	ktap_print_header
	skip_all "the module is built without TORTURE"
fi
begin 3
try "parameters" refuses \
	'torture=spin: valid are all, spinlock, |torture=spin' \
	'torture=mutex,: valid are all, spinlock, |torture=mutex,' \
	'torture_mode=none: valid are sound, twins, both$|torture=all torture_mode=none' \
	'torture_seconds=0: valid are 1 to 86400$|torture=all torture_seconds=0' \
	'torture_seed=-1: valid are 0 to 9223372036854775807$|torture=all torture_seed=-1' \
	'torture_crashes=51: valid are 0 to 50$|torture=all torture_crashes=51'
try "what is sound" sound
try "twins" caught
finish
