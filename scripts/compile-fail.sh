#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What must not compile: each file of selftests/compile_fail, against the
# library of a lane, as a KTAP report.
#
# A line that rustc must refuse ends with "//~ CODE...", one code for each error
# whose main place it is. Those, and no others, must be reported. Built with
# --cfg=right the same file must compile, so that it is not refused for some
# other reason. refused.py judges.
#
#   compile-fail.sh [LANE [VARIANT]]
#
# shellcheck disable=SC2317 # called by step
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/lab-up.sh
. "$CK_SCRIPTS/lab-up.sh"

need_root "$@"
lab_up "${1:-stock}"
src=$CK_TOP/selftests/compile_fail
variant=${2:-test}
library=$CK_TOP/build/$LANE/$variant
out=$CK_TOP/build/$LANE/compile_fail
[ -e "$library/libchildkernel.rmeta" ] || die "no library in $library: run scripts/build.sh $variant"

mapfile -t names < <(cd "$src" && printf '%s\n' *.rs | sed 's/\.rs$//')

# compile_all WHICH LOG [VAR=VALUE]: all files, and leaves what rustc says in
# LOG. Whether each compiles is told by its object.
compile_all() {
	local at=$out/$1
	rm -rf --one-file-system "$at"
	mkdir -p "$at"
	in_lab -C "$src" -b "$src" -- make -k -C "$KDIR" M="$src" MO="$at" ARCH=x86 -j"$(nproc)" \
		CHILDKERNEL="$library" "${@:3}" "${names[@]/%/.o}" >"$out/$2" 2>&1 || true
}

# shellcheck disable=SC2034 # for step (lib.sh)
STEP_TOTAL=1
step "compile what must not for $LANE" "$out" \
	eval 'compile_all wrong wrong.json JSON=1; compile_all right right.log RIGHT=1'
in_lab -b "$src" -b "$out" -- python3 -B "$CK_SCRIPTS/refused.py" "$src" "$out"
