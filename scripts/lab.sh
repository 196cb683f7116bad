#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The lab: a root file system with the toolchain, kernels, and a virtual
# machine. Everything in it is made from scripts/lab.conf and scripts/lanes,
# cached under CHILDKERNEL_LAB, and made anew only when its recipe changes.
#
#   lab.sh up [lane] [--refresh]    set up what is missing (--refresh: look for
#                                   a newer kernel of the series)
#   lab.sh kdir [lane]              print a KDIR to build modules against
#   lab.sh shell [command...]       enter the toolchain, or run a command in it
#   lab.sh doctor                   what the lab has and what it lacks
#   lab.sh destroy                  remove it
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/lab-up.sh
. "$CK_SCRIPTS/lab-up.sh"

destroy() {
	[ -e "$LAB" ] || return 0
	if awk -v lab="$LAB/" 'index($5 "/", lab) == 1 { found = 1 } END { exit !found }' \
		/proc/self/mountinfo; then
		die "something is mounted below $LAB: unmount it first"
	fi
	lock exclusive # refuses a directory that is no lab
	rm -rf --one-file-system -- "$LAB"
	say "removed $LAB"
}

shell() {
	local command dir=$CK_TOP binds=()
	[ "${1:-}" != -- ] || shift
	command=("$@")
	[ ${#command[@]} -gt 0 ] || command=(bash --norc -i)
	[ -t 0 ] || [ $# -gt 0 ] || command=(bash)
	if [ -n "${MOD:-}" ]; then
		dir=$(readlink -e "$MOD") || die "no directory $MOD: give MOD=dir"
		binds=(-b "$dir")
	fi
	lab_up stock
	if [ $# -eq 0 ] && [ -t 0 ]; then
		say "The toolchain of the lab. Build a module for the $LANE kernel with:"
		say "    make -C \$KDIR M=\$PWD modules"
	fi
	in_lab -C "$dir" "${binds[@]}" "${LANE_MODULES[@]}" -- \
		env KDIR="$KDIR" PS1='lab:\w\$ ' "${command[@]}"
}

cmd=${1:-}
case $cmd in
up | kdir | shell | doctor | destroy) ;;
*) die "usage: lab.sh up|kdir|shell|doctor|destroy" ;;
esac
need_root "$@"
shift
case $cmd in
up)
	lane=stock
	for arg in "$@"; do
		case $arg in
		--refresh) LAB_REFRESH=1 ;;
		*) lane=$arg ;;
		esac
	done
	lab_up "$lane"
	say "the lab is ready: $LAB, lane $LANE, kernel $KVER"
	;;
kdir)
	lab_up "${1:-stock}"
	[ "$LANE_ARG" != um ] || die "the kernel of lane $LANE loads no Rust modules: they are built into it"
	[ -z "${LLVM:-}" ] || say "build with LLVM=1: clang has compiled this kernel"
	echo "$KDIR"
	;;
shell) shell "$@" ;;
doctor) "$CK_SCRIPTS/doctor.sh" ;;
destroy) destroy ;;
esac
