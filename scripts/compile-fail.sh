#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# What must not compile: each file of selftests/compile_fail, against the
# library of a lane, as a KTAP report.
#
# A line that rustc must refuse ends with "//~ CODE...", one code for each error
# whose main place it is. Those, and no others, must be reported. Built with
# --cfg=right the same file must compile, so that it is not refused for some
# other reason.
#
#   compile-fail.sh [LANE]
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
library=$CK_TOP/build/$LANE/test
out=$CK_TOP/build/$LANE/compile_fail
[ -e "$library/libchildkernel.rmeta" ] || die "no library in $library: run scripts/build.sh test"

mapfile -t names < <(cd "$src" && printf '%s\n' *.rs | sed 's/\.rs$//')

# compile_all WHICH [VAR=VALUE]: all files, and leaves what rustc says in
# WHICH.log. Whether each compiles is told by its object.
compile_all() {
	local at=$out/$1
	rm -rf --one-file-system "$at"
	mkdir -p "$at"
	# What each compiler says is kept together.
	in_lab -C "$src" -b "$src" -- make -k -O -C "$KDIR" M="$src" MO="$at" ARCH=x86 -j"$(nproc)" \
		CHILDKERNEL="$library" "${@:2}" "${names[@]/%/.o}" >"$at.log" 2>&1 || true
}

# wanted FILE: "LINE CODE" for each error that must be.
wanted() {
	awk 'match($0, /\/\/~( E[0-9]+)+$/) {
		n = split(substr($0, RSTART + 4), codes, " ")
		for (i = 1; i <= n; i++) print NR, codes[i]
	}' "$1" | sort
}

# reported FILE LOG: the same for each error that rustc reports in it. What an
# assertion of the library refuses is reported there, with a note of who asked.
reported() {
	awk -v file="/${1##*/}" '
		/^warning/ || /^error: aborting/ { code = ""; next }
		/^error/ { code = match($0, /\[E[0-9]+\]/) ? substr($0, RSTART + 1, RLENGTH - 2) : "-" }
		code != "" && /^ *--> / {
			n = split($2, at, ":")
			if (substr(at[1], length(at[1]) - length(file) + 1) == file) {
				print at[2], code
				code = ""
			}
		}' "$2" | sort
}

# shellcheck disable=SC2034 # for step (lib.sh)
STEP_TOTAL=1
step "compile what must not for $LANE" "$out" eval 'compile_all wrong; compile_all right RIGHT=1'

echo "TAP version 13"
echo "1..1"
echo "    TAP version 13"
echo "    1..${#names[@]}"
n=0 failed=0
for name in "${names[@]}"; do
	n=$((n + 1)) why=
	want=$(wanted "$src/$name.rs")
	got=$(reported "$name.rs" "$out/wrong.log")
	[ -n "$want" ] || why+="    # it names no error"$'\n'
	if [ "$want" != "$got" ]; then
		why+=$({ diff <(echo "$want") <(echo "$got") || true; } |
			sed -n 's/^</    # is not refused: line/p; s/^>/    # is refused: line/p')$'\n'
	fi
	[ -e "$out/right/$name.o" ] || why+="    # the right one does not compile: $out/right.log"$'\n'
	if [ -n "$why" ]; then
		printf '%s' "$why"
		echo "    not ok $n $name"
		failed=1
	else
		echo "    ok $n $name"
	fi
done
if [ "$failed" -eq 0 ]; then
	echo "ok 1 compile_fail"
else
	echo "not ok 1 compile_fail"
fi
