# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# cargo_up: the lab's cargo, and what a crate depends on. It is a part of the lab
# that only models need, so it is made when the first one is, and no other part
# knows of it.

cargo_ready() {
	[ "$(cat "$LAB/rootfs/etc/childkernel-cargo" 2>/dev/null)" = "$(cargo_key)" ]
}

cargo_key() {
	echo "cargo $(rootfs_key)"
}

# The lists of an older lab may name packages that the archive has no more.
cargo_install() {
	in_lab -n -- dpkg --configure -a
	if ! in_lab -n -- apt-get install -y --no-install-recommends cargo; then
		in_lab -n -- apt-get update
		in_lab -n -- apt-get install -y --no-install-recommends cargo
	fi
	in_lab -- apt-get clean
	in_lab -- cargo --version
	cargo_key >"$LAB/rootfs/etc/childkernel-cargo"
}

# The sources of all that Cargo.lock names, where it is not asked for again. They
# are in a directory of their own, made under another name, so that nobody who
# uses the lab meanwhile has to wait or is waited for.
crates_fetch() {
	local crate=$1 part
	mkdir -p "${CRATES%/*}"
	part=$(mktemp -d "$CRATES.XXXXXX")
	in_lab -n -C "$crate" -- cargo vendor --locked --versioned-dirs "$part/sources"
	mv -T "$part/sources" "$CRATES" || [ -d "$CRATES" ]
	rm -rf --one-file-system "$part"
}

# cargo_up CRATE: after lab_up, and like it: exclusive only while something is
# missing in what others use as well. CRATES is then the directory that has the
# sources of what the crate depends on.
cargo_up() {
	local crate=$1
	CRATES=$LAB/crates/$(sha256sum "$crate/Cargo.lock" | cut -c1-16)
	# shellcheck disable=SC2034 # for step (lib.sh)
	STEP_N=0 STEP_TOTAL=1
	if ! cargo_ready; then
		lock exclusive
		cargo_ready || step "cargo, for models" "$LAB/rootfs" cargo_install
		lock shared
	fi
	# shellcheck disable=SC2034 # for step (lib.sh)
	STEP_N=0
	[ -d "$CRATES" ] || step "crates that models need" "$LAB/crates" crates_fetch "$crate"
}

# in_crate DIR COMMAND ARG...: cargo, without a network, with what was fetched.
in_crate() {
	local dir=$1 command=$2
	shift 2
	in_lab -C "$dir" -- env CARGO_TARGET_DIR="$CK_TOP/build/model" \
		cargo "$command" --offline --locked --quiet \
		--config 'source.crates-io.replace-with="fetched"' \
		--config "source.fetched.directory=\"$CRATES\"" "$@"
}
