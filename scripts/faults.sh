#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# make faults: what is wrong, at a bad moment, or more than anybody needs. Loads that
# are interrupted, lines and parameters that nobody should write, allocations that
# fail, all files read all the time, who sees what, signatures, and oopses in the
# end. The last line says "N passed, N failed, N skipped".
#
#   faults.sh LANE [SEED=N] [ROUNDS=N] [WRITES=N]
#
# SEED repeats a run. ROUNDS of loads are interrupted (1000; a twentieth as many
# by an oops, and three tenths as many parameters are tried); WRITES go to the file
# control (10000, in lane uml 1000000). In lane uml, where the library is built in,
# it is only the last of these.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

need_root "$@"
lane_load "${1:-stock}"
seed=$((RANDOM * 32768 + RANDOM)) rounds=1000 writes=10000
[ "$LANE" != uml ] || writes=1000000
for arg in "${@:2}"; do
	[[ $arg =~ ^(SEED|ROUNDS|WRITES)=[0-9]+$ ]] ||
		die "unknown argument '$arg': see the first lines of this script"
	case $arg in
	SEED=*) seed=${arg#*=} ;;
	ROUNDS=*) rounds=${arg#*=} ;;
	WRITES=*) writes=${arg#*=} ;;
	esac
done
build=$CK_TOP/build/$LANE
results=$CK_TOP/build/test/faults/$LANE
tests=$CK_TOP/selftests/childkernel
variables=(CK_SEED="$seed" CK_ROUNDS="$rounds" CK_WRITES="$writes")
machine=()
if [ "$LANE_KIND" = own ]; then
	# As in test.sh: it takes several times as long there, and memory.
	variables+=(CK_SLOW=3)
	# There child_test would run its KUnit suites each time it is loaded.
	machine=(--memory 3G --append kunit.enable=0)
fi

# sign KEY CERTIFICATE FILE OUT
sign() {
	in_lab -b "$results" -- "$KDIR/scripts/sign-file" sha256 "$1" "$2" "$3" "$4"
}

# What guarded.sh wants: the module, signed by a key of the moment, and by that of
# the kernel, if this is one that was built here.
sign_all() {
	local own=$KDIR/certs
	in_lab -b "$results" -- openssl req -new -x509 -newkey rsa:2048 -nodes -sha256 -days 2 \
		-subj "/CN=nobody knows this key/" -keyout "$results/signed/unknown.pem" \
		-out "$results/signed/unknown.x509" 2>/dev/null
	sign "$results/signed/unknown.pem" "$results/signed/unknown.x509" \
		"$build/test/childkernel.ko" "$results/signed/childkernel-unknown.ko"
	[ ! -e "$own/signing_key.pem" ] || sign "$own/signing_key.pem" "$own/signing_key.x509" \
		"$build/test/childkernel.ko" "$results/signed/childkernel-known.ko"
	rm "$results/signed/unknown.pem"
}

"$CK_SCRIPTS/lab.sh" up "$LANE"
if [ "$LANE" = uml ]; then
	"$CK_SCRIPTS/build.sh" --lane uml
else
	"$CK_SCRIPTS/build.sh" --lane "$LANE" test
	"$CK_SCRIPTS/build.sh" --lane "$LANE" --dir "$tests/child_test" test
fi
rm -rf --one-file-system "$results"
mkdir -p "$results/signed"

guest() {
	if [ "$LANE" = uml ]; then
		"$CK_SCRIPTS/uml.sh" --timeout "${TIMEOUT:-3600}" --results "$results" -- \
			env "${variables[@]}" "$tests/run.sh" --faults fuzz
		return
	fi
	sign_all
	# So that the kernel knows of each object who has asked for it.
	setpriv --pdeathsig TERM "$CK_SCRIPTS/vm.sh" --lane "$LANE" --timeout "${TIMEOUT:-3600}" \
		"${machine[@]}" --append slab_debug=U --results "$results" -- \
		env "${variables[@]}" CK_MODULE_DIR="$build/test" CK_EXTERN_DIR="$build/extern/test" \
		CK_SIGNED_DIR="$results/signed" "$tests/run.sh" --faults
}

status=0
{
	guest || true
	echo
} | in_lab -b "$results" -- python3 "$CK_SCRIPTS/results.py" "$results" || status=$?
exit "$status"
