#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Builds a module in the lab, for a lane's kernel, and checks that every symbol
# it needs is there.
#
#   build.sh [--lane LANE] module|test|demo|bench|torture|clippy
#                   this tree, into build/LANE/VARIANT (test: with the broken
#                   twins, torture and fault injection; demo: with fault injection;
#                   bench: with benchmarks and fault injection; torture:
#                   with torture and fault injection; clippy: everything,
#                   linted, from scratch); with -inline after its
#                   name, what is inline in C is so in Rust (INLINE=1)
#   build.sh [--lane LANE] --dir DIR [VARIANT]
#                   any external module, into build/LANE/extern/VARIANT/NAME; it
#                   may link against that variant, which was built before
#   build.sh --lane LANE kernel
#                   the kernel of a lane of kind "own", with this tree in it, into
#                   build/LANE/kernel; in lane uml there is nothing else
#   build.sh ... -- VAR=VALUE...            more for make
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/lab-up.sh
. "$CK_SCRIPTS/lab-up.sh"

need_root "$@"
lane=stock dir='' variant=module
while [ $# -gt 0 ]; do
	case $1 in
	--lane) lane=$2; shift 2 ;;
	--dir) dir=$2; shift 2 ;;
	module | test | demo | bench | torture | clippy | kernel | *-inline) variant=$1; shift ;;
	--) shift; break ;;
	*) die "unknown argument '$1': see the first lines of this script" ;;
	esac
done

lab_up "$lane"
if [ "$LANE_ARG" = um ] || [ "$variant" = kernel ]; then
	[ "$LANE_KIND" = own ] || die "the kernel of lane $LANE is not built here: give a lane of kind \"own\" (scripts/lanes)"
	own_build
	exit
fi
library=$CK_TOP/build/$LANE/$variant
args=(ARCH=x86)
# What is loaded hundreds of times by tests is a tenth of the size without what only
# debuggers read. It is the same code.
case ${variant%-inline} in
test | bench | torture) args+=(CONFIG_DEBUG_INFO= CONFIG_DEBUG_INFO_BTF_MODULES=) ;;
esac
[ "${variant%-inline}" = "$variant" ] || args+=(INLINE=1)
if [ -z "$dir" ]; then
	src=$CK_TOP out=$library name=childkernel
	[ -e "$src/Kbuild" ] || die "no Kbuild in $src: is the checkout complete?"
	case ${variant%-inline} in
	module) ;;
	test) args+=(TWINS=1 TORTURE=1 FAULTS=1) ;;
	demo) args+=(FAULTS=1) ;;
	bench) args+=(BENCH=1 FAULTS=1) ;;
	torture) args+=(TORTURE=1 FAULTS=1) ;;
	# Lints show only where something is compiled.
	clippy) args+=(TWINS=1 FAULTS=1 BENCH=1 TORTURE=1 CLIPPY=1) && rm -rf --one-file-system "$out" ;;
	*) die "no variant '$variant': see the first lines of this script" ;;
	esac
else
	src=$(readlink -e "$dir") || die "no directory $dir: give the module's source directory"
	[ -e "$src/Kbuild" ] || [ -e "$src/Makefile" ] ||
		die "$src has neither Kbuild nor Makefile: give a directory that kbuild can build"
	name=${src##*/}
	out=$CK_TOP/build/$LANE/extern/$variant/$name
	if [ -e "$library/Module.symvers" ]; then
		args+=("KBUILD_EXTRA_SYMBOLS=$library/Module.symvers" "CHILDKERNEL=$library")
	fi
fi

mkdir -p "$out"
# One build at a time of each thing, and none of what it links against meanwhile.
exec 7>>"$out.lock"
flock 7
if [ -n "$dir" ]; then
	exec 6>>"$library.lock"
	flock -s 6
fi
# A directory that held another kernel's or another module's objects is no use.
from="$src $(cat "$KDIR/.key")"
if [ "$(cat "$out/.from" 2>/dev/null)" != "$from" ]; then
	rm -rf --one-file-system "$out"
	mkdir -p "$out"
	echo "$from" >"$out/.from"
fi

build_module() {
	in_lab -C "$src" -b "$src" -- \
		make -C "$KDIR" M="$src" MO="$out" -j"$(nproc)" "${args[@]}" "$@" modules
}

check_symbols() {
	local kos
	mapfile -t kos < <(find "$out" -name '*.ko' | sort)
	[ ${#kos[@]} -gt 0 ] || die "the build of $src made no module: look at its Kbuild"
	in_lab "${LANE_MODULES[@]}" -- \
		"$CK_SCRIPTS/check-symbols.sh" "$KVER" "$KDIR/Module.symvers" \
		"$library/Module.symvers" "$out/Module.symvers" -- "${kos[@]}" >&8 2>&1
}

check_inline() {
	in_lab -- "$CK_SCRIPTS/check-inline.sh" "$library" "$out" >&8 2>&1
}

# shellcheck disable=SC2034 # for step (lib.sh)
STEP_TOTAL=1
# shellcheck disable=SC2034 # the same
STEP_AS=build-$name-$variant
label="build $name for $LANE"
[ -n "$dir" ] || label+=" ($variant)"
step "$label" "$out" build_module "$@"
grep -A 8 -E '^(warning|WARNING)|: warning:' "$STEP_LOG" >&8 || true
cp "$STEP_LOG" "$out/build.log"
check_symbols
[ "${variant%-inline}" = "$variant" ] || check_inline
