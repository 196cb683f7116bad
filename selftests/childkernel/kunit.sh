#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The modules as a kernel tree builds them (=m), and their KUnit suites.
#
#   CK_INTREE_DIR  where the kernel's own build has left them
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# Debugfs has a suite's results for as long as its module is loaded, and the plan
# is made of them.
SUITES=/sys/kernel/debug/kunit
RESULTS=() ERRORS=()

# suites_of MODULE: RESULTS gets a line "ok|not ok CASE" for each of its cases.
suites_of() {
	local suite line before
	before=${#RESULTS[@]}
	for suite in "$SUITES/$1"_*; do
		[ -e "$suite/results" ] || continue
		while read -r line; do
			[[ $line =~ ^(ok|not\ ok)\ [0-9]+\ ([a-z0-9_]+)( .*)?$ ]] || continue
			# The suite has a line of its own in the end.
			[ "${BASH_REMATCH[2]}" != "${suite##*/}" ] ||
				continue
			RESULTS+=("${BASH_REMATCH[1]} ${BASH_REMATCH[2]}${BASH_REMATCH[3]}")
		done <"$suite/results"
	done
	[ ${#RESULTS[@]} -gt "$before" ] || ERRORS+=("no suite of $1 has a result")
}

run_suites() {
	local module dir=$CK_INTREE_DIR
	for module in childkernel sync_test child_test; do
		insert "$dir/$module.ko" || ERRORS+=("insmod $module.ko: $ERROR")
	done
	TAINT=$(cat /sys/module/childkernel/taint)
	suites_of sync
	suites_of child
	for module in child_test sync_test childkernel; do
		rmmod "$module" 2>/dev/null || ERRORS+=("$module does not go")
	done
}

come_and_go() {
	local error
	for error in "${ERRORS[@]}"; do
		fail "$error"
	done
	[[ $TAINT != *O* ]] || fail "it is out of tree: $TAINT"
	check_nothing_left
}

case_of() {
	[[ $1 == ok\ * ]] || fail "KUnit says: $1"
}

if [ ! -e "${CK_INTREE_DIR:-/nonexistent}/childkernel.ko" ] || [ ! -d "$SUITES" ]; then
	ktap_print_header
	skip_all "no modules of the kernel's own build in CK_INTREE_DIR, or no KUnit"
fi
run_suites
CHILDKERNEL=$CK_INTREE_DIR/childkernel.ko
begin $((${#RESULTS[@]} + 1))
try "modules of the kernel's own build come and go" come_and_go
for line in "${RESULTS[@]}"; do
	name=${line#not } name=${name#ok }
	if [[ $name == *"# SKIP"* ]]; then
		try_skip "${name%% *}" "${name#*# }"
	else
		try_keep "${name%% *}" case_of "$line"
	fi
done
finish
