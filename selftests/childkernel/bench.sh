#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Benchmarks: what they say is what was announced, and they end when the module
# goes. How fast anything is, is not judged here.
#
#   CK_BENCH_DIR  the modules, built with BENCH=1
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
[ -z "${CK_BENCH_DIR:-}" ] || CHILDKERNEL=$CK_BENCH_DIR/childkernel.ko

# records STAGE... -- EXPRESSION...: runs these stages for a first look, and
# judges what they say.
records() {
	local stages=() list out
	while [ "$1" != -- ]; do
		stages+=("$1")
		shift
	done
	shift
	printf -v list '%s,' "${stages[@]}"
	load bench=native bench_quick=1 bench_only="${list%,}"
	wait_logged '"bench":"end"' 240 || return
	logged '^childkernel: bench ' | sed 's/^childkernel: bench //' >"$TMP/records"
	out=$(python3 -I -S "$HERE/bench.py" "$TMP/records" "$@" 2>&1) || fail "$out"
	diag "$(wc -l <"$TMP/records") records"
}

# Told to go in the middle of a figure.
ends_early() {
	load bench=native bench_only="$1"
	wait_logged '"bench":"(point|pair)"' 60
	unload childkernel
	read_log
	[ -z "$(logged '"bench":"end"')" ] || fail "it was over before"
}

if [ -e "$CHILDKERNEL" ] && ! modinfo -p "$CHILDKERNEL" | grep -q '^bench:'; then
	ktap_print_header
	skip_all "the module is built without BENCH"
fi
if [ -e /proc/lockdep_stats ] || grep -q ' kasan_cache_shrink$' /proc/kallsyms; then
	ktap_print_header
	skip_all "a suite takes many times as long where lockdep or KASAN looks on, and measures that"
fi
begin 9
try "a suite or a stage that is none is refused" refuses \
	'bench=fast: valid are exact, native, real$|bench=fast' \
	'bench=exact,native: valid are exact, native, real$|bench=exact,native' \
	'bench_only=locks: valid are lists of floor, pairs, |bench=native bench_only=locks' \
	'bench_only=pairs,: valid are lists of floor, pairs, |bench=native bench_only=pairs,'
try "pairs have 30 rounds" records floor pairs -- \
	'all(len(r["rust"]) >= 30 and len(r["c"]) >= 30 for r in pairs)' 'len(pairs) > 50' \
	'all(n > 0 for r in pairs for n in r["rust"] + r["c"])'
# Not all points: a guest may get no time just while one is measured.
try "what is contended has both sides" records contended -- \
	'len({p["primitive"] for p in points}) == 14' \
	'all(counts(p, "rust") == counts(p, "c") > 0 for p in points)' \
	'all(len(p["each"]) == p["cpus"] and p["ns"] > 0 for p in points)' \
	'all(any(sum(p["each"]) > 0 for p in points if (p["primitive"], p["side"]) == who)
		for who in {(p["primitive"], p["side"]) for p in points})' \
	'any(p["hold"] > 0 for p in points)' \
	'all(max(p["each"]) * p["hold"] <= 2 * p["ns"] for p in points)' \
	'all(p["wait"] == sorted(p["wait"]) and p["wait"][3] <= p["starve"] for p in points)' \
	'all(p["reads"] + p["writes"] == sum(p["each"]) for p in points if p["read"] is not None)' \
	'all(p["writes"] == 0 for p in points if p["read"] == 100)' \
	'all(abs(100 * p["reads"] / sum(p["each"]) - p["read"]) < 5 for p in points
		if p["read"] is not None and sum(p["each"]) > 2000)' \
	'all((p["irqsoff"] is not None) == p["primitive"].endswith("_irq") for p in points)'
try "the other curves have their points" records crossover guarded granularity -- \
	'{r["name"] for r in records if r["bench"] == "floor"} == {"context_switch"}' \
	'{p["curve"] for p in points} == {"crossover", "guarded", "granularity"}' \
	'all(any(p["ops"] > 0 for p in points if p["curve"] == curve)
		for curve in ("guarded", "granularity"))' \
	'len({p["primitive"] for p in points if p["curve"] == "guarded"}) == 18'
try "a lock that is handed over is timed on both sides" records handover -- \
	'len({p["primitive"] for p in points}) == (12 if cpus > 1 else 0)' \
	'all(counts(p, "rust") == counts(p, "c") > 0 for p in points)' \
	'all(p["handed"] == sorted(p["handed"]) and p["mean"] <= p["handed"][3] < 2**63 for p in points)' \
	'all((p["times"] > 0) == (p["handed"][3] > 0) for p in points)' \
	'not points or any(p["times"] > 0 for p in points)'
try "a child and a thread of C come and go in turns" records children -- \
	'{r["name"]: r["rival"] for r in pairs} == {"spawn": "kthread_run", "stop": "kthread_stop"}' \
	'all(len(r["rust"]) == len(r["c"]) >= 30 and min(r["rust"] + r["c"]) > 0 for r in pairs)' \
	'{p["how"] for p in points if p["curve"] == "siblings"} == {"error"}'
for stage in pairs contended guarded; do
	try "the module goes in the middle of $stage" ends_early "$stage"
done
finish
