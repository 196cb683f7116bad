#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Runs User Mode Linux: the kernel of lane uml with this checkout built in, as
# build.sh --lane uml has left it.
#
#   uml.sh [--cpus N] [--memory SIZE] [--timeout SECONDS] [--results DIR]
#          [--until REGEX] [KERNEL_ARGUMENT...] [-- COMMAND...]
#
# Without a command there is no user space: what is built in does the work. With
# one, that is run by root in the lab's root file system, where it can write to /run
# and DIR only; the kernel stops when it ends.
#
# The console is this script's output, and DIR/dmesg.txt (default build/uml/run).
# All of it ends when a line of the console matches REGEX, when the kernel stops,
# when the time is over, or when this script is killed.
#
# Exit status: the command's; without one 0 if that line came, or if none was asked
# for and the kernel halted. 124 time limit, 125 kernel panic, 126 the kernel ended
# without that line, or the command's status.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/lab-up.sh
. "$CK_SCRIPTS/lab-up.sh"

need_root "$@"
cpus=$(nproc) memory=1G limit=600 results=$CK_TOP/build/uml/run until=
arguments=()
while [ $# -gt 0 ]; do
	case $1 in
	--cpus) cpus=$2; shift 2 ;;
	--memory) memory=$2; shift 2 ;;
	--timeout) limit=$2; shift 2 ;;
	--results) results=$2; shift 2 ;;
	--until) until=$2; shift 2 ;;
	--) shift; break ;;
	-*) die "unknown option '$1': see the first lines of this script" ;;
	*) arguments+=("$1"); shift ;;
	esac
done

lab_up uml
kernel=$CK_TOP/build/uml/kernel/linux
[ -x "$kernel" ] || die "no $kernel: build it with scripts/build.sh --lane uml"
mkdir -p "$results"
results=$(readlink -e "$results")
log=$results/dmesg.txt
rm -f "$results"/.{command,status}
: >"$log"

if [ $# -gt 0 ]; then
	printf '#!/bin/bash\nexec %s %s\n' "${CK_SCRIPTS@Q}/uml-init.sh" "${results@Q} ${*@Q}" \
		>"$results/.command"
	chmod +x "$results/.command"
	arguments+=(root=none rootfstype=hostfs ro "init=$results/.command")
else
	# It waits before it looks for a root file system: days.
	arguments+=(rootdelay=1000000)
fi

"${IN_LAB[@]}" -b "$results" -- timeout --foreground -s KILL "$limit" "$kernel" \
	"mem=$memory" "ncpus=$cpus" seccomp=on con=null con0=null,fd:1 ssl=null panic=-1 \
	"${arguments[@]}" </dev/null >"$log" 2>&1 &
machine=$!
CHILDREN=("$machine")

while IFS= read -r line; do
	line=${line%$'\r'}
	printf '%s\n' "$line"
	if [[ -n $until && $line =~ $until ]]; then
		# It does not listen to less; with it, all it started is gone.
		kill -KILL "$machine" 2>/dev/null || true
		wait "$machine" 2>/dev/null || true
		CHILDREN=()
		exit 0
	fi
done < <(exec tail -s 0.1 -n +1 -f --pid="$machine" "$log")

# For programs that read the results.
about() {
	{
		echo "lane=$LANE"
		echo "kernel=$KVER"
		echo "accel=native"
		echo "cpus=$cpus"
		echo "status=$1"
	} >"$results/machine"
}

ended=0
wait "$machine" || ended=$?
if grep -q 'Kernel panic - not syncing' "$log"; then
	status=125 why="kernel panic"
elif [ -s "$results/.status" ]; then
	status=$(cat "$results/.status")
	about "$status"
	exit "$status"
elif [ "$ended" -eq 137 ]; then
	status=124 why="time limit of $limit s"
elif [ "$ended" -eq 0 ] && [ -z "$until" ] && [ $# -eq 0 ]; then
	exit 0
else
	status=126 why="the kernel ended (status $ended)"
fi
about "$status"
if [ ! -t 1 ]; then
	say "--- the last lines of the console"
	tail -n 60 "$log" >&8
fi
say "uml.sh: $why; the whole console is in $log"
exit "$status"
