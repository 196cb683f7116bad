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

# The sources of all that Cargo.lock names, where it is not asked for again.
crates_fetch() {
	local crate=$1 part=$CRATES.part
	rm -rf --one-file-system "$part"
	mkdir -p "${part%/*}"
	in_lab -n -C "$crate" -- cargo vendor --locked --versioned-dirs "$part"
	mv "$part" "$CRATES"
}

# cargo_up CRATE: after lab_up, and like it: exclusive only while something is
# missing. CRATES is then the directory that has the sources of what the crate
# depends on.
cargo_up() {
	local crate=$1
	CRATES=$LAB/crates/$(sha256sum "$crate/Cargo.lock" | cut -c1-16)
	if cargo_ready && [ -d "$CRATES" ]; then
		return
	fi
	lock exclusive
	# shellcheck disable=SC2034 # for step (lib.sh)
	STEP_N=0 STEP_TOTAL=0
	cargo_ready || STEP_TOTAL=1
	[ -d "$CRATES" ] || STEP_TOTAL=$((STEP_TOTAL + 1))
	cargo_ready || step "cargo, for models" "$LAB/rootfs" cargo_install
	[ -d "$CRATES" ] || step "crates that models need" "$CRATES.part" crates_fetch "$crate"
	lock shared
}

# in_crate DIR ARG...: cargo, without a network, with what was fetched.
in_crate() {
	local dir=$1
	shift
	in_lab -C "$dir" -- env CARGO_HOME="$LAB/cargo" CARGO_TARGET_DIR="$CK_TOP/build/model" \
		cargo "$@"
}
