#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make test: builds everything, boots guests of the lane and runs the selftests in
# them: one half of them, those in which children die, and the other half, all at
# once, as each has times when it waits. Judges their results and the kernel logs.
# The last line says "N passed, N failed, N skipped".
#
#   test.sh [LANE [inline] [full|lazy|one-cpu]]
#
# inline: what is built with INLINE=1. full, lazy: the kernel is booted with
# preempt= that; one-cpu: with one processor.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_root "$@"
lane_load "${1:-stock}"
if [ "$LANE_ARG" = um ]; then
	[ $# -le 1 ] || die "lane $LANE is always inlined, and boots in one way: make test LANE=$LANE"
	exec "$CK_SCRIPTS/test-builtin.sh"
fi
inline='' boot='' machine=()
for arg in "${@:2}"; do
	case $arg in
	inline) inline=-inline ;;
	full | lazy) boot=-$arg machine=(--append "preempt=$arg") ;;
	one-cpu) boot=-$arg machine=(--cpus 1) ;;
	*) die "unknown argument '$arg': INLINE=1, and BOOT=full, lazy or one-cpu are known" ;;
	esac
done
build=$CK_TOP/build/$LANE
results=$CK_TOP/build/test/$LANE$inline$boot
plain=module$inline
under_test=test$inline
tests=$CK_TOP/selftests/childkernel
[ -x "$tests/run.sh" ] || die "no $tests/run.sh: is the checkout complete?"

"$CK_SCRIPTS/lab.sh" up "$LANE"
# Both, as one makes the other's dependants stale. Each is mostly one compiler.
for variant in "$plain" "$under_test"; do
	"$CK_SCRIPTS/build-outsider.sh" "$LANE" "$variant" &
	CHILDREN+=($!)
done
for pid in "${CHILDREN[@]}"; do
	wait "$pid" || exit
done
"$CK_SCRIPTS/build.sh" --lane "$LANE" --dir "$tests/crash_test" "$under_test"

# What else the second half loads is built while the first one runs.
build_rest() {
	local module
	for module in sync_test child_test; do
		"$CK_SCRIPTS/build.sh" --lane "$LANE" --dir "$tests/$module" "$under_test" || return
	done
	"$CK_SCRIPTS/build.sh" --lane "$LANE" "bench$inline" || return
	[ "$LANE_KIND" != own ] || "$CK_SCRIPTS/build.sh" --lane "$LANE" kernel
}

rm -rf --one-file-system "$results"
mkdir -p "$results"/{crash,second}
judged=("$results/crash" "$results/second")
# Kernels that check all that is done to them take several times as long for it.
slow=1
if [ "$LANE_KIND" = own ]; then
	slow=3
	judged+=("$results/kunit")
	mkdir -p "$results/kunit"
	# What they remember of each object takes memory. KUnit has a guest of its own.
	machine+=(--memory 3G --append kunit.enable=0)
fi

# guest DIR TIMEOUT ARG...: run.sh in a guest. How that ended is judged with all
# else. It does not outlive this script.
guest() {
	setpriv --pdeathsig TERM "$CK_SCRIPTS/vm.sh" --lane "$LANE" \
		--timeout "${TIMEOUT:-$(($2 * slow))}" --results "$1" "${machine[@]}" -- \
		env CK_SLOW="$slow" CK_INTREE_DIR="$build/kernel/drivers/childkernel" \
		CK_MODULE_DIR="$build/$under_test" CK_PLAIN_DIR="$build/$plain" \
		CK_BENCH_DIR="$build/bench$inline" \
		CK_EXTERN_DIR="$build/extern/$under_test" CK_STALE_DIR="$build/extern/$plain" \
		"$tests/run.sh" "${@:3}" || true
	# Whatever it said last, a line begins here.
	echo
}

# Each says what it has to say in a file of its own, so that their lines do not
# mix. All are there when somebody looks.
outputs=(first crash second)
for output in "${outputs[@]}"; do
	: >"$results/$output.out"
done
guest "$results" 900 --half 1 >>"$results/first.out" &
CHILDREN=($!)
guest "$results/crash" 600 --crash >>"$results/crash.out" &
CHILDREN+=($!)
{
	build_rest || printf "TAP version 13\n1..1\nnot ok 1 build\n"
	"$CK_SCRIPTS/compile-fail.sh" "$LANE" "$under_test" ||
		printf "TAP version 13\n1..1\nnot ok 1 compile_fail\n"
	guest "$results/second" 900 --half 2
	if [ "$LANE_KIND" = own ]; then
		machine+=(--append kunit.enable=1 --kernel "$build/kernel/arch/x86/boot/bzImage")
		guest "$results/kunit" 900 --kunit
	fi
} >>"$results/second.out" &
CHILDREN+=($!)

status=0
{
	for n in "${!outputs[@]}"; do
		tail -s 0.2 -n +1 -f --pid="${CHILDREN[n]}" "$results/${outputs[n]}.out"
	done
} |
	in_lab -b "$results" -- python3 "$CK_SCRIPTS/results.py" "$results" \
		"${judged[@]}" || status=$?
wait
exit "$status"
