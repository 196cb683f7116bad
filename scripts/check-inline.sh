#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# check-inline.sh LIBRARY DIR
#
# Was a build with INLINE=1 one? In each Rust object below DIR no call to one of
# the kernel's helpers may be left, nor to one of those functions of the shim
# that stand in src/inline.c. What is in src/shim.c has state or is rare, and is
# called. Nor may what is this CPU's be reached without its segment, as clang
# does if it is told that it knows named address spaces.
#
# LIBRARY is the build folder of the library, which has the shim's objects.
set -euo pipefail

library=$1 dir=$2
objects=()
for source in "$(dirname "$(readlink -f "$0")")"/../src/shim/*.c; do
	objects+=("$library/src/shim/$(basename "$source" .c).o")
done
shim=$(nm --defined-only "${objects[@]}" | awk '$2 == "T" { print $3 }')
[ -n "$shim" ] || {
	echo "check-inline.sh: no functions in $library/src/shim: build the library first"
	exit 1
}

# Whatever has been compiled of a .rs file.
mapfile -t objects < <(find "$dir" -name '*.o' ! -name '*.mod.o' -print0 | sort -z |
	xargs -0 -r grep -lz -F 'rustc version' --)
[ ${#objects[@]} -gt 0 ] || {
	echo "check-inline.sh: no object of rustc's below $dir"
	exit 1
}

status=0
for object in "${objects[@]}"; do
	# Undefined: a call. Local: a copy that somebody calls all the same.
	left=$(nm "$object" | awk -v shim="$shim" '
		BEGIN { n = split(shim, s); for (i = 1; i <= n; i++) inlined[s[i]] = 1 }
		$(NF - 1) ~ /[Ut]/ && ($NF ~ /^rust_helper_/ || $NF in inlined) { print "    " $NF }')
	if [ -n "$left" ]; then
		echo "$object still calls what INLINE=1 would have inlined:"
		echo "$left"
		status=1
	fi
	lost=$(objdump -dr --no-show-raw-insn "$object" | awk '
		/R_X86_64_.*(__preempt_count|const_current_task|this_cpu_off|cpu_number)/ &&
			before !~ /%[fg]s:/ { print "    " before }
		!/R_X86_64_/ { before = $0 }')
	if [ -n "$lost" ]; then
		echo "$object reaches per-CPU data without its segment:"
		echo "$lost"
		status=1
	fi
done
exit "$status"
