#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# First process of ours in a guest, started by vm.sh: loads modules, then runs
# the command or opens a shell.
#
#   guest.sh [--keep DIR]... [--load FILE.ko]... --interactive | -- COMMAND...
#
# The command's status goes to the shared folder: the channel that virtme-ng
# has for it cannot tell 255 from a machine that is gone.

export HOME=/tmp LANG=C.UTF-8 CK_RESULTS=/mnt/results
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
: >"$CK_RESULTS/.started"
cd "$(dirname "$0")/.." || cd /

finish() {
	echo "$1" >"$CK_RESULTS/.status"
	exit "$1"
}

# What it depends on was loaded before it, or is the distribution's.
load() {
	local dep status
	for dep in $(modinfo -F depends "$1" | tr , ' '); do
		[ -d "/sys/module/$dep" ] || modprobe "$dep"
	done
	insmod "$1" && return
	status=$?
	dmesg | tail -n 5 >&2
	finish "$status"
}

# The root is read-only; a /tmp of its own must not hide what was handed in.
tmp=/run/childkernel-tmp
mkdir -p "$tmp"
mount -t tmpfs -o mode=1777 tmpfs "$tmp"
while [ "$1" = --keep ]; do
	mkdir -p "$tmp${2#/tmp}"
	mount --bind "$2" "$tmp${2#/tmp}"
	shift 2
done
mount --rbind "$tmp" /tmp
cd "$(dirname "$0")/.." || cd /

while [ "$1" = --load ]; do
	load "$2"
	shift 2
done
if [ "$1" = --interactive ]; then
	echo "Linux $(uname -r). Only $CK_RESULTS is kept; exit ends the machine."
	PS1='vm:\w# ' bash --norc -i
else
	shift
	"$@" </dev/null
fi
finish $?
