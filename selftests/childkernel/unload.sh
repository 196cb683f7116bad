#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Unloading in the middle of running loads.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# midway LABELS PARAMETER...: each time at another moment.
midway() {
	local labels delay
	read -ra labels <<<"$1"
	shift
	for delay in 0 0.1 0.3; do
		mark
		load "$@"
		sleep $delay
		unload childkernel
		check_success "${labels[@]}"
	done
}

# Long before it would end by itself.
before_its_time() {
	load workload=all seconds=3600 stat_interval=3600
	sleep 0.5
	unload childkernel
	check_success "${LABELS[@]}"
}

after_its_end() {
	load workload=all seconds="$LASTS"
	wait_ended
	check_success "${LABELS[@]}"
	mark
	unload childkernel
	check_success
}

# At the moment at which it ends.
at_its_end() {
	load workload=all seconds="$LASTS"
	sleep 0.9
	unload childkernel
	check_success "${LABELS[@]}"
}

# In the middle of long critical sections and long pauses.
long_sections() {
	load workload=all hold_ns=1000000 think_ns=1000000 children=4
	sleep 0.5
	unload childkernel
	check_success "${LABELS[@]}"
}

memory_flat() {
	local n
	for n in {1..8}; do
		load workload=all cpus=0
		unload childkernel
		[ "$n" -ne 3 ] || remember_memory
		[ "$FAULTS" -eq 0 ] || return
	done
	check_memory
}

begin 12
for primitive in spinlock mutex atomic; do
	try "counter, $primitive" midway counter/$primitive workload=counter primitive=$primitive
done
try "record" midway record/seqlock workload=record
try "list" midway list/rculist workload=list
try "handshake" midway handshake/completion workload=handshake
try "messages, memory and calls" midway \
	"pipeline/mailbox pipeline/mailbox_guarded memory/arena requests/call" \
	workload=all primitive=mailbox,mailbox_guarded,arena,call children=6
try "all, long before they end" before_its_time
try "all, after they have ended" after_its_end
try "all, as they end" at_its_end
try "all, in long critical sections" long_sections
try "all, memory flat" memory_flat
finish
