#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Broken twins of the loads: if the checks of a load do not notice its twin,
# they notice nothing. The same loads, unbroken, find no violation (loads.sh).
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Each child of a twin ends after this many operations.
OPS=20000

# caught LABEL PARAMETER...
caught() {
	local label=$1 line
	shift
	load "$@"
	wait_ended || return
	judge 'sum(c["violations"] for c in children) > 0' \
		"all(c['ops'] <= $OPS for c in children)" \
		'all(c["state"] == "stopped" for c in children)'
	read_ends
	line=${END[$label]:-}
	[[ $line == *": FAILURE" ]] || fail "end line: ${line:-none}"
	[[ $line =~ ,\ ([0-9]+)\ violations, && ${BASH_REMATCH[1]} -gt 0 ]] || fail "unnoticed: $line"
	diag "$line"
	# All that was unlinked is freed in the twins as well.
	if [[ $label == list/* ]]; then
		[ "$(number_after inserted "$line")" = "$(number_after freed "$line")" ] || fail "lost: $line"
	fi
}

# After a twin the same module, loaded again, is sound.
sound_again() {
	caught memory/arena workload=memory twin=overlap
	unload childkernel
	mark
	load workload=all seconds="$LASTS"
	wait_ended
	judge 'all(c["ops"] > 0 and c["violations"] == 0 for c in children)'
	check_success "${LABELS[@]}"
}

TWINS=(
	"counter/spinlock workload=counter primitive=spinlock twin=unlocked"
	"counter/mutex workload=counter primitive=mutex twin=unlocked"
	"counter/atomic workload=counter primitive=atomic twin=unlocked"
	"record/seqlock workload=record twin=noretry"
	"record/seqcount workload=record primitive=seqcount twin=noretry"
	"list/rculist workload=list twin=unbuilt"
	"list/rculist workload=list twin=nograce"
	"handshake/completion workload=handshake twin=lost"
	"handshake/barrier workload=handshake primitive=barrier twin=lost"
	"pipeline/mailbox workload=pipeline twin=reorder"
	"pipeline/mailbox_guarded workload=pipeline primitive=mailbox_guarded twin=dropped"
	"table/spinlock workload=table twin=relock"
	"table/rwlock workload=table primitive=rwlock granularity=fine twin=relock"
	"memory/arena workload=memory twin=overlap"
	"memory/arena workload=memory twin=leak"
	"requests/call workload=requests twin=swapped"
)

# needs_two TWIN: whether its mistake shows only when two do it at once.
needs_two() {
	[[ $1 == @(counter/|record/|table/|*twin=nograce)* ]]
}

if [ -e "$CHILDKERNEL" ] && ! modinfo -p "$CHILDKERNEL" | grep -q '^twin:'; then
	ktap_print_header
	skip_all "the module is built without TWINS"
fi
begin $((${#TWINS[@]} + 1))
for twin in "${TWINS[@]}"; do
	read -ra words <<<"$twin"
	if [ "$(nproc)" -eq 1 ] && needs_two "$twin"; then
		try_skip "${twin#* }" "needs two CPUs"
	else
		try "${twin#* }" caught "${words[@]}"
	fi
done
try "sound again after a twin" sound_again
finish
