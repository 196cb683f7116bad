#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# First process in User Mode Linux, started by uml.sh:
#
#   uml-init.sh RESULTS COMMAND...
#
# The root is the lab's, read-only; RESULTS is the same directory as outside.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/run/tmp TMPDIR=/run/tmp LANG=C.UTF-8 CK_RESULTS=$1
shift

status=126
if mount -t proc proc /proc && mount -t sysfs sysfs /sys &&
	mount -t debugfs debugfs /sys/kernel/debug && mount -t devtmpfs devtmpfs /dev &&
	mount -t hostfs -o "hostfs=$CK_RESULTS" hostfs "$CK_RESULTS" &&
	mount -t tmpfs -o mode=0755 tmpfs /run && mkdir -m 1777 /run/tmp &&
	{ [ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd; }; then
	cd "$(dirname "$0")/.." || exit
	"$@" </dev/null
	status=$?
fi
echo "$status" >"$CK_RESULTS/.status"
busybox poweroff -f
