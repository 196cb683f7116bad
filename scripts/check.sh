#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make check: style and lints, with the lab's tools and the kernel's settings.
# Every check runs; one line each, and what a failed one said.
#
# shellcheck disable=SC2317 # the checks are called by name
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/lab-up.sh
. "$CK_SCRIPTS/lab-up.sh"

need_root "$@"
lab_up stock
cd "$CK_TOP"
source=$LANE_DIR/source
failed=0

# files PATTERN...: this tree's files of those names, without what is built.
files() {
	local names=()
	for n in "$@"; do
		names+=(-o -name "$n")
	done
	find . -path ./build -prune -o -path ./.git -prune -o -type f \
		\( "${names[@]:1}" \) ! -name '*_generated.*' ! -name '*.mod.c' -print | sort
}

check() {
	local name=$1 out
	shift
	if out=$("$@" 2>&1); then
		printf '%-12s ok\n' "$name"
	else
		printf '%-12s FAILED\n%s\n' "$name" "$out"
		failed=1
	fi
}

tool() {
	in_lab -C "$CK_TOP" -- "$@"
}

check_rustfmt() {
	local list
	mapfile -t list < <(files '*.rs')
	[ ${#list[@]} -gt 0 ] || return 0
	tool rustfmt --check --edition 2021 --config-path "$source/.rustfmt.toml" "${list[@]}"
}

check_clippy() {
	local log=build/stock/clippy/build.log
	"$CK_SCRIPTS/build.sh" clippy 8>&1 || return 1
	# Clippy's word is the kernel's: a warning is a mistake.
	! grep -q -E '(^|: )warning:' "$log"
}

check_checkpatch() {
	local list
	mapfile -t list < <(files '*.c' '*.h')
	[ ${#list[@]} -gt 0 ] || return 0
	# Not ours to say here: this is no patch, and has no MAINTAINERS file. And where a
	# benchmark has more threads than CPUs, yield() is what is meant.
	tool perl "$source/scripts/checkpatch.pl" --strict --no-tree --no-summary \
		--show-types --ignore FILE_PATH_CHANGES,YIELD -f "${list[@]}"
}

check_shellcheck() {
	local list
	mapfile -t list < <(files '*.sh' 'lab.conf')
	tool shellcheck -x "${list[@]}" .ci/run
}

check_unittest() {
	tool python3 -B -m unittest discover -s scripts -p '*_test.py'
}

# What of the module compiles in user space is tried there.
check_host() {
	local out file status=0
	out=$(mktemp -d "$LAB/host.XXXXXX")
	for file in selftests/host/*.rs; do
		in_lab -C "$CK_TOP" -b "$out" -- \
			rustc --test --edition 2021 -O -o "$out/test" "$file" || status=1
		[ "$status" -ne 0 ] || in_lab -b "$out" -- "$out/test" || status=1
	done
	rm -rf --one-file-system "$out"
	return "$status"
}

check_docs() {
	"$CK_SCRIPTS/check-docs.sh"
}

for one in rustfmt clippy checkpatch shellcheck docs host unittest; do
	check "$one" "check_$one"
done
exit "$failed"
