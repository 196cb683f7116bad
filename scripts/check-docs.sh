#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Each primitive says of itself what people ask first: every file of src/sync
# that is one has all rows of its table, and an example; the tables of sync.rs
# and the tour name it.
#
#   check-docs.sh
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."

# Not primitives: what others are made of.
PARTS=(lockable nested registry)
# shellcheck disable=SC2016 # the tables have it in backquotes
ROWS=('C header' 'context' 'safe against' 'sleeps' '`PREEMPT_RT`' 'fairness' 'cost' 'order' 'errors')
TOUR=samples/sync_tour/sync_tour.rs
status=0

wrong() {
	echo "$*"
	status=1
}

for file in src/sync/*.rs; do
	name=${file##*/} name=${name%.rs}
	[[ " ${PARTS[*]} " != *" $name "* ]] || continue
	grep -q '^pub mod '"$name"';' src/sync.rs || continue
	grep -q '^//! # At a glance$' "$file" || wrong "$file: no section 'At a glance'"
	for row in "${ROWS[@]}"; do
		[ "$(grep -cF "//! | $row |" "$file")" -ge 1 ] || wrong "$file: no row '$row'"
	done
	grep -q '```ignore' "$file" || wrong "$file: no example"
	grep -qE "\b$name\b" "$TOUR" || wrong "$TOUR: does not use $name"
done
exit "$status"
