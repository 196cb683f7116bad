#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# In a guest: loads a build with benchmarks, and waits until its suite is through.
#
#   guest-suite.sh MODULE.ko bench=SUITE [PARAMETER=VALUE]...
set -euo pipefail

insmod "$@"
# The machine has a time limit; the child that measures says how it ended.
until dmesg | grep -q 'childkernel: bench {"bench":"end"'; do
	if grep -qxE 'stopped|failed|crashed' /sys/kernel/debug/childkernel/children/1/state; then
		dmesg | grep -q 'childkernel: bench {"bench":"end"' && break
		echo "the suite ended early: see the kernel log" >&2
		exit 1
	fi
	sleep 1
done
rmmod childkernel
