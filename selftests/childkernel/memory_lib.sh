# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# What the topic scripts ask of the kernel's memory, as a part of lib.sh.

# How much of each may come and go for other reasons, in KiB.
declare -A MEM_NOISE=([Kernel]=512 [SUnreclaim]=320 [Percpu]=64 [VmallocUsed]=64 [KernelStack]=128)

# memory: prints FIELD=KIB of what the kernel holds. Kernel is all that is
# neither free, on its way to it, cached, nor a program's.
memory() {
	awk -v page="$(getconf PAGESIZE)" '
		FILENAME == "/proc/zoneinfo" { if ($1 == "count:") pcp += $2 * page / 1024; next }
		{ sub(":", "", $1); kib[$1] = $2 }
		END {
			print "Kernel=" kib["MemTotal"] - kib["MemFree"] - pcp - kib["Buffers"] \
				- kib["Cached"] - kib["AnonPages"] - kib["KReclaimable"]
			n = split("SUnreclaim Percpu VmallocUsed KernelStack", names, " ")
			for (i = 1; i <= n; i++)
				print names[i] "=" kib[names[i]]
		}' /proc/zoneinfo /proc/meminfo
}

# What processors have counted each for itself goes into the sums. What was freed
# KASAN keeps, so as to see who still uses it; of a cache that is told to shrink it
# keeps nothing.
settle_memory() {
	local dir
	sleep 0.5
	[ ! -e /proc/sys/vm/stat_refresh ] || echo 1 >/proc/sys/vm/stat_refresh
	grep -q ' kasan_cache_shrink$' /proc/kallsyms || return 0
	for dir in /sys/kernel/slab/*; do
		[ -L "$dir" ] || echo 1 >"$dir/shrink"
	done
}

# The lesser of two looks: what is on its way to be free is not held.
declare -A MEMORY
remember_memory() {
	local field kib _
	MEMORY=()
	for _ in 1 2; do
		settle_memory
		while IFS='=' read -r field kib; do
			[ "$kib" -ge "${MEMORY[$field]:-$kib}" ] || MEMORY[$field]=$kib
			: "${MEMORY[$field]:=$kib}"
		done < <(memory)
	done
}

# check_memory: since remember_memory it has grown by no more than the noise. What is
# on its way to be free gets a while for it; what is lost does not come back.
check_memory() {
	local field kib grown report grew what _
	for _ in {1..10}; do
		settle_memory
		report='' grew=()
		while IFS='=' read -r field kib; do
			grown=$((kib - MEMORY[$field]))
			report+=" $field $grown"
			[ "$grown" -le "${MEM_NOISE[$field]}" ] || grew+=("$field grew by $grown KiB")
		done < <(memory)
		[ ${#grew[@]} -gt 0 ] || break
	done
	for what in "${grew[@]}"; do
		fail "$what"
	done
	diag "memory in KiB:$report"
}
