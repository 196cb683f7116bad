# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Lanes of kind "own": kernels built here, from the source package of the stock
# lane. What is in them is said by tinyconfig, scripts/config/ARCHITECTURE.config
# where there is one, and scripts/config/LANE.config; this tree is, as
# drivers/childkernel.
#
# What a lane costs is its base: the kernel without this tree, made once and kept
# in the lab. A checkout builds itself into a copy of the base (own_build), which
# compiles this tree, links, and leaves the rest as it is.

# It is the same for all of them, and nobody writes there.
OWN_SOURCE=$LAB/lanes/stock/source

own_config() {
	local file
	# shellcheck disable=SC2153 # LANE is of lane_load (lib.sh)
	for file in "$CK_SCRIPTS/config/$LANE_ARG.config" "$CK_SCRIPTS/config/$LANE.config"; do
		[ ! -e "$file" ] || grep -v -e '^#' -e '^[[:space:]]*$' "$file"
	done
}

# The lines of this tree's own options, and all others.
own_config_tree() {
	own_config | grep '^CONFIG_CHILDKERNEL' || true
}

own_config_base() {
	own_config | grep -v '^CONFIG_CHILDKERNEL'
}

own_key() {
	{
		cat "$OWN_SOURCE/.key" "$LAB/rootfs/etc/childkernel-lab"
		echo "$LANE_ARG"
		own_config_base
		declare -f own_make own_drivers own_base
	} 2>/dev/null | sha256sum | cut -c1-16
}

own_ready() {
	[ -z "${LAB_REFRESH:-}" ] && [ -e "$OWN_SOURCE/.key" ] &&
		[ "$(cat "$KDIR/.key" 2>/dev/null)" = "$(own_key)" ]
}

# own_make BUILD TREE ARG...: make in BUILD, with TREE as drivers/childkernel of
# the source. It is bound there in a namespace of its own, so that other lanes
# never see it; all that is left in the source is an empty directory. Every build
# has the same path in there, as kbuild writes it into what it makes.
own_make() {
	local build=$1 tree=$2 drivers=$OWN_SOURCE/drivers
	shift 2
	mkdir -p "$KDIR"
	in_lab -b "$LANE_DIR/drivers/Kconfig:$drivers/Kconfig" \
		-b "$LANE_DIR/drivers/Makefile:$drivers/Makefile" \
		-b "$tree:$drivers/childkernel" -b "$build:$KDIR" -C "$OWN_SOURCE" -- \
		make "ARCH=$LANE_ARG" "O=$KDIR" "-j$(nproc)" "$@"
}

# The two files of drivers/ that must know of this tree, and one that stands for
# it in the base.
own_drivers() {
	local to=$LANE_DIR/drivers from=$OWN_SOURCE/drivers
	mkdir -p "$to/none"
	: >"$to/none/Kconfig"
	# Before the end of the menu.
	sed '$i source "drivers/childkernel/Kconfig"' "$from/Kconfig" >"$to/Kconfig"
	{
		cat "$from/Makefile"
		# shellcheck disable=SC2016 # make's own variable
		echo 'obj-$(CONFIG_CHILDKERNEL) += childkernel/'
	} >"$to/Makefile"
}

# own_configure BUILD TREE LINES: adds these lines to what is configured. What
# depends on something that is not there kconfig leaves out, and says nothing.
own_configure() {
	local build=$1 tree=$2 lines=$3 missing
	printf '%s\n' "$lines" >>"$build/.config"
	own_make "$build" "$tree" olddefconfig
	missing=$(grep -v '=n$' <<<"$lines" | grep -vxFf "$build/.config" || true)
	[ -z "$missing" ] ||
		die "$CK_SCRIPTS/config/$LANE.config: ${missing//$'\n'/, } not taken: see what it depends on"
}

# An interrupted run with the same key goes on where it was.
own_base() {
	local part=$KDIR.part none=$LANE_DIR/drivers/none
	if [ "$(cat "$part/.begun" 2>/dev/null)" != "$(own_key)" ]; then
		rm -rf --one-file-system "$part"
		mkdir -p "$part"
		own_drivers
		own_make "$part" "$none" tinyconfig
		own_configure "$part" "$none" "$(own_config_base)"
		own_key >"$part/.begun"
	fi
	own_make "$part" "$none"
	cp "$part/include/config/kernel.release" "$LANE_DIR/release"
	own_key >"$part/.key"
	rm -rf --one-file-system "$KDIR"
	mv "$part" "$KDIR"
}

own_lane() {
	# shellcheck disable=SC2034 # for step (lib.sh)
	STEP_N=0 STEP_TOTAL=1
	step "kernel for lane $LANE" "$KDIR.part" own_base
}

# own_build: the lane's kernel with this checkout in it, in build/LANE/kernel.
own_build() {
	local out=$CK_TOP/build/$LANE/kernel
	mkdir -p "$CK_TOP/build/$LANE"
	exec 7>>"$out.lock"
	flock 7
	# shellcheck disable=SC2034 # for step (lib.sh)
	STEP_N=0 STEP_TOTAL=1
	step "build childkernel into the kernel of $LANE" "$out" own_tree "$out"
	grep -A 8 -E '^(warning|WARNING)|: warning:' "$STEP_LOG" >&8 || true
	cp "$STEP_LOG" "$out/build.log"
	if own_config_tree | grep -qx CONFIG_CHILDKERNEL_INLINE=y; then
		in_lab -- "$CK_SCRIPTS/check-inline.sh" "$out/drivers/childkernel" \
			"$out/drivers/childkernel" >&8
	fi
	flock -u 7
}

own_tree() {
	local out=$1 options
	options=$({ own_config_tree; cat "$CK_TOP/Kconfig"; } | sha256sum | cut -c1-16)
	if [ "$(cat "$out/.key" 2>/dev/null)" != "$(own_key)" ]; then
		rm -rf --one-file-system "$out" "$out.part"
		cp -a --reflink=auto "$KDIR" "$out.part"
		rm -f "$out.part/.options"
		mv "$out.part" "$out"
	fi
	if [ "$(cat "$out/.options" 2>/dev/null)" != "$options" ]; then
		sed -i '/CONFIG_CHILDKERNEL/d' "$out/.config"
		own_configure "$out" "$CK_TOP" "$(own_config_tree)"
		echo "$options" >"$out/.options"
	fi
	own_make "$out" "$CK_TOP"
}
