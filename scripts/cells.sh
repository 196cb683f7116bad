# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2154
#
# Cases that cost a machine, each in one of its own. CELLS has a line for each:
# case, how vm.sh has to end, what has to be in the log, and what is set before.
# build, results and tests are directories of the script that sources this.

# guest RESULTS TIMEOUT COMMAND...: it does not outlive this script.
guest() {
	CK_QUIET=1 setpriv --pdeathsig TERM "$CK_SCRIPTS/vm.sh" --lane "$LANE" --timeout "$2" --results "$1" -- \
		env CK_MODULE_DIR="$build/test" CK_EXTERN_DIR="$build/extern/test" "${@:3}"
}

# cell N MODULE CASE STATUS REGEX SETTING...: one machine, and how it went, as KTAP.
cell() {
	local n=$1 module=$2 name=$3 expected=$4 regex=$5 status=0
	local dir=$results/$n name_of="$3"
	shift 5
	[ $# -eq 0 ] || name_of+=" with ${*##*/}"
	mkdir -p "$dir"
	guest "$dir" 300 "$tests/lost.sh" "$module" "$name" "$@" >"$dir/output" 2>&1 || status=$?
	if [ "$status" -eq "$expected" ] && grep -qE -- "$regex" "$dir/dmesg.txt"; then
		echo "ok $n $name_of"
	else
		echo "# status $status, not $expected, or not in $dir/dmesg.txt: $regex"
		tail -n 20 "$dir/output" | sed 's/^/# /'
		echo "not ok $n $name_of"
	fi
}

# cells MODULE: all of them, two at a time, as a KTAP report.
cells() {
	local one name expected regex settings n=0 pids=()
	trap '[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true' EXIT
	echo "KTAP version 1"
	echo "1..${#CELLS[@]}"
	for one in "${CELLS[@]}"; do
		n=$((n + 1))
		IFS='|' read -r name expected regex settings <<<"$one"
		# shellcheck disable=SC2086 # one word each
		cell "$n" "$1" "$name" "$expected" "$regex" $settings >"$results/$n.tap" &
		pids+=($!)
		[ "$n" -eq 1 ] || reap $((n - 1)) "${pids[n - 2]}"
	done
	reap "$n" "${pids[n - 1]}"
	pids=()
}

# reap N PID: waits for a cell, and tells how it went.
reap() {
	wait "$2" || true
	cat "$results/$1.tap"
}
