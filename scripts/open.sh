#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make vm: a guest with childkernel loaded, and with the module of the
# directory MOD built and loaded as well; a shell in it, or the command CMD.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_root "$@"
lane=stock mod='' cmd='' cpus=2 mem=1G limit=''
for arg in "$@"; do
	case $arg in
	LANE=*) lane=${arg#*=} ;;
	MOD=*) mod=${arg#*=} ;;
	CMD=*) cmd=${arg#*=} ;;
	CPUS=*) cpus=${arg#*=} ;;
	MEM=*) mem=${arg#*=} ;;
	TIMEOUT=*) limit=${arg#*=} ;;
	*) die "unknown argument '$arg'" ;;
	esac
done
if [ -z "$cmd" ] && { [ ! -t 0 ] || [ ! -t 1 ]; }; then
	die "an interactive guest needs a terminal: give a command instead (make vm CMD=...)"
fi

"$CK_SCRIPTS/build.sh" --lane "$lane" module
vm=(--lane "$lane" --cpus "$cpus" --memory "$mem"
	--load "$CK_TOP/build/$lane/module/childkernel.ko")
[ -z "$limit" ] || vm+=(--timeout "$limit")
if [ -n "$mod" ]; then
	mod=$(readlink -e "$mod") || die "no directory MOD=$mod"
	"$CK_SCRIPTS/build.sh" --lane "$lane" --dir "$mod" module
	out=$CK_TOP/build/$lane/extern/module/${mod##*/}
	while read -r object; do
		vm+=(--load "$out/${object%.o}.ko")
	done <"$out/modules.order"
	vm+=(--ro "$mod")
fi
if [ -n "$cmd" ]; then
	exec "$CK_SCRIPTS/vm.sh" "${vm[@]}" -- sh -c "$cmd"
fi
exec "$CK_SCRIPTS/vm.sh" "${vm[@]}" --interactive
