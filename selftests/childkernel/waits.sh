#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Waits for the primitives that sleep, by a user task that is blocked in a write
# to debugfs: which signals end them, and with which error.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

cases sync_test
WAIT=$DIR/wait

# helper NAME KIND ERROR [MS]: the log has what the helper says, and no more.
helper() {
	local said logged
	said=$(python3 -I -S "$HERE/waits.py" "$WAIT" "$@" 2>&1) || fail "$said"
	logged=$(log | sed -n "s/^sync_test: wait $1: //p" | paste -sd ' ')
	[ "$logged" = "$said" ] || fail "in the log: $logged, not $said"
}

# signals NAME KIND
signals() {
	local error=EINTR
	[[ $1 != completion.* ]] || error=ERESTARTSYS
	helper "$1" "${2#timed-}" $error
}

# limit NAME: one that is over.
limit() {
	local error=ETIME
	[[ $1 != completion.* ]] || error=ETIMEDOUT
	helper "$1" limit $error 200
}

WAITS=()
[ ! -e "$FILE" ] || mapfile -t WAITS < <(modinfo -F wait "$FILE")
[ ${#WAITS[@]} -gt 0 ] || {
	ktap_print_header
	skip_all "CK_EXTERN_DIR has no sync_test/sync_test.ko"
}
mapfile -t TIMED < <(printf '%s\n' "${WAITS[@]}" | sed -n 's/:timed-.*//p')
begin $((2 + ${#WAITS[@]} + ${#TIMED[@]}))
try_keep "an unknown wait is refused" cases_come "$WAIT"
for wait in "${WAITS[@]}"; do
	try_keep "${wait%:*} is ${wait#*:}" signals "${wait%:*}" "${wait#*:}"
done
for wait in "${TIMED[@]}"; do
	try_keep "$wait has a limit" limit "$wait"
done
try "all waits leave nothing behind" cases_go
finish
