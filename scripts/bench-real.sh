#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make bench: contended loads with perf beside them, and then the benchmarks, on
# hardware: in a guest with KVM, or on the running kernel. What perf can not see,
# the library's own counters say; which is which stands in the table and in the
# records (see scripts/bench/perf.py).
#
#   bench-real.sh [SECONDS=] [QUICK=1] [EMULATED=1] [KDIR=] [LLVM=1]
#
# KDIR, the running kernel's, asks for the running kernel even where there is
# KVM. EMULATED=1 takes an emulated guest where there is neither.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/accel.sh
. "$CK_SCRIPTS/accel.sh"

need_root "$@"
seconds='' quick='' emulated='' own='' kbuild=()
for arg; do
	case $arg in
	SECONDS=*) seconds=${arg#*=} ;;
	QUICK=*) quick=${arg#*=} ;;
	EMULATED=*) emulated=${arg#*=} ;;
	KDIR=*) own=${arg#*=} ;;
	LLVM=*) kbuild+=("$arg") ;;
	*) die "unknown argument '$arg': SECONDS=, QUICK=1, EMULATED=1, KDIR= and LLVM= are known" ;;
	esac
done
[ "$quick" != 0 ] || quick=
: "${seconds:=${quick:+1}}"
: "${seconds:=5}"
[[ $seconds =~ ^[1-9][0-9]*$ ]] || die "SECONDS=$seconds: give a number of seconds"

results=$CK_TOP/build/bench/real
hold=10000
loads=(counter/mutex counter/rwsem counter/rwlock counter/spinlock counter/semaphore
	record/seqlock table/spinlock)
[ -z "$quick" ] || loads=(counter/mutex counter/rwlock counter/spinlock record/seqlock)
running=/lib/modules/$(uname -r)/build

# --- where -------------------------------------------------------------------

# why_not_own: nothing if the module can be built for the running kernel and
# loaded there, else why not.
why_not_own() {
	local kdir=${own:-$running} release
	if ! "$CK_SCRIPTS/check-kdir.sh" "$kdir" >/dev/null 2>&1; then
		echo "its kernel has no build directory with Rust metadata"
		return
	fi
	release=$(cat "$kdir/include/config/kernel.release" 2>/dev/null) || release=unknown
	if [ "$release" != "$(uname -r)" ]; then
		echo "KDIR is of kernel $release, and $(uname -r) is running"
	elif [ "$(cat /proc/sys/kernel/modules_disabled 2>/dev/null || echo 1)" != 0 ]; then
		echo "its kernel loads no modules any more"
	elif ! command -v perf >/dev/null; then
		echo "there is no perf: install it (Debian: linux-perf)"
	elif ! command -v python3 >/dev/null; then
		echo "there is no python3: install it"
	fi
}

# why_not_kvm: in a few words, without the lab.
why_not_kvm() {
	if ! accel_flags; then
		echo "no vmx or svm in the processor's flags"
	elif [ ! -w /dev/kvm ]; then
		echo "/dev/kvm is missing or not writable"
	else
		echo "a trial boot with it did not answer"
	fi
}

where=''
if [ -z "$own" ] && accel_flags && [ -w /dev/kvm ]; then
	"$CK_SCRIPTS/lab.sh" up
	lane_load stock
	[ "$(accel_choose)" != kvm ] || where=kvm
fi
if [ -z "$where" ]; then
	why=$(why_not_own)
	if [ -z "$why" ]; then
		where=own
	elif [ -n "$own" ]; then
		die "can not use KDIR=$own: $why"
	elif [ -n "$emulated" ]; then
		where=emulated
	else
		die "this machine has neither KVM ($(why_not_kvm)) nor a kernel of its own to load the module into ($why); 'make bench EMULATED=1' runs the same under emulation, not for hardware decisions"
	fi
fi

# --- run ---------------------------------------------------------------------

mkdir -p "$results"
find "$results" -mindepth 1 -delete
begun=$SECONDS status=0
tool() { "$@"; }
case $where in
own)
	say "measuring on the running kernel, $(uname -r)"
	build=$CK_TOP/build/own
	mkdir -p "$build"
	make -C "${own:-$running}" M="$CK_TOP" MO="$build" BENCH=1 "${kbuild[@]}" modules >"$results/build.log" 2>&1 ||
		die "the module can not be built for the running kernel: see $results/build.log"
	"$CK_SCRIPTS/guest-bench.sh" ${quick:+--quick} "$build/childkernel.ko" "$results" "$seconds" "$hold" \
		"${loads[@]}" || status=$?
	;;
*)
	"$CK_SCRIPTS/lab.sh" up
	lane_load stock
	lane_release
	tool() { in_lab -C "$CK_TOP" -- "$@"; }
	"$CK_SCRIPTS/build.sh" bench
	bpf=$("$CK_SCRIPTS/lab-perf.sh") ||
		say "going on with the distribution's perf, which knows no owners"
	accel=kvm cpus=$(nproc) suite=1800
	[ -z "$quick" ] || suite=150
	limit=$((120 + ${#loads[@]} * (4 * seconds + 60) + suite))
	if [ "$where" = emulated ]; then
		say "measuring under emulation: not for hardware decisions"
		accel=tcg
		# perf itself is emulated too, and has to get a turn.
		limit=$((120 + ${#loads[@]} * (4 * seconds + 300) + suite))
		[ "$cpus" -le 2 ] || cpus=2
		hold=50000
	else
		say "measuring in a guest with KVM"
	fi
	"$CK_SCRIPTS/vm.sh" --accel "$accel" --cpus "$cpus" --memory 2G --timeout "$limit" \
		--results "$results" -- env CK_PERF="$bpf" "$CK_SCRIPTS/guest-bench.sh" ${quick:+--quick} \
		"$CK_TOP/build/stock/bench/childkernel.ko" /mnt/results "$seconds" "$hold" \
		"${loads[@]}" || status=$?
	;;
esac

# What an interrupted run has measured is shown all the same.
[ -s "$results/facts" ] || die "nothing was measured (status $status): see above"
echo "where=$where" >>"$results/facts"
tool python3 -B "$CK_SCRIPTS/bench/perf.py" records "$results" "${loads[@]}" \
	>"$results/contention.jsonl"
{
	[ "$where" != emulated ] || echo "UNDER EMULATION: NOT FOR HARDWARE DECISIONS"
	tool python3 -B "$CK_SCRIPTS/bench/perf.py" table "$results/facts" "$results/contention.jsonl"
} | tee "$results/contention.txt"
give_back
# It is made in the lab, which measuring one's own kernel does not need.
if [ "$where" = own ]; then
	say "make report sets up the lab and shows this with all else that was measured"
else
	"$CK_SCRIPTS/report.sh"
fi
[ "$status" -eq 0 ] ||
	die "not all has run (status $status): see above, and the kernel's log; what was measured is in $results"
say "$((SECONDS - begun)) s; the table, the records and what perf said are in $results"
