#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# In a guest: loads a build with torture, and waits until it is through, while CPUs
# go offline and online. In the end, the same once more for a short time while children
# crash.
#
#   guest-torture.sh MODULE.ko torture=NAMES [PARAMETER=VALUE]...
set -euo pipefail

END='"torture":"end"'
CRASHES=10

# Waits until a run has ended. The machine has a time limit; the child says how it ended.
ends() {
	until dmesg | grep -q "$END"; do
		if grep -qxE 'stopped|failed|crashed' /sys/kernel/debug/childkernel/children/1/state; then
			dmesg | grep -q "$END" && break
			echo "it ended early: see the kernel log" >&2
			return 1
		fi
		sleep 1
	done
}

# Where there is more than one, and the kernel can do without.
hotplug() {
	local cpus=(/sys/devices/system/cpu/cpu[1-9]*/online) cpu
	[ -w "${cpus[0]}" ] || return 0
	while :; do
		for cpu in "${cpus[@]}"; do
			sleep "0.$((RANDOM % 10))"
			echo 0 >"$cpu" || true
			sleep "0.$((RANDOM % 5))"
			echo 1 >"$cpu" || true
		done
	done
}

module=$1
shift
insmod "$module" "$@"
# Not while twins are there: what two CPUs do to each other is what they are about.
until dmesg | grep -qE '"torture":"(sound|end)"'; do
	sleep 1
done
hotplug 2>/dev/null &
plugging=$!
ends
kill "$plugging" 2>/dev/null || true
wait "$plugging" 2>/dev/null || true
for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do
	[ ! -w "$cpu" ] || echo 1 >"$cpu"
done
rmmod childkernel

# The log is kept outside.
dmesg -C
echo "childkernel-selftest: expect-begin Comm: t:crashes" >/dev/kmsg
insmod "$module" "$@" torture_mode=sound torture_seconds=20 torture_crashes=$CRASHES
ends
rmmod childkernel
echo "childkernel-selftest: expect-end" >/dev/kmsg
