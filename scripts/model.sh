#!/bin/bash
set -euo pipefail
. "$(dirname "$(readlink -f "$0")")/lib.sh"
. "$CK_SCRIPTS/lab-up.sh"
. "$CK_SCRIPTS/lab-cargo.sh"
need_root "$@"
lab_up stock
cargo_up "$CK_TOP/selftests/model"
echo "$CRATES"
