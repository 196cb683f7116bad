# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# A lane's kernel: image and modules as the distribution ships them, the same
# version's source, and what an out-of-tree Rust module needs to build for it.
#
# The distribution's headers carry no Rust metadata, so rust/ is compiled here
# from the packaged source with the packaged configuration and the same
# compilers. Everything that decides whether a module loads stays stock: the
# release string, the configuration, Module.symvers.

# Index of the packages named linux-*: "name version", from the lab's own apt.
kernel_index() {
	# shellcheck disable=SC2016 # apt's own variable
	in_lab -- sh -c 'apt-get indextargets --format "\$(FILENAME)" "Created-By: Packages" |
		xargs /usr/lib/apt/apt-helper cat-file' |
		awk '/^Package: linux-/ { p = $2 } /^Version: / { if (p) print p, $2; p = "" }
			/^$/ { p = "" }' | sort -u
}

# "series version abi", newest last: every kernel of the flavour that has
# image, headers and source in one version.
kernel_choices() {
	local flavour=$1 index=$2 abi version series
	while read -r abi version; do
		series=$(cut -d. -f1,2 <<<"$abi")
		grep -qxF "linux-image-$abi-$flavour $version" "$index" || continue
		grep -qxF "linux-source-$series $version" "$index" || continue
		printf '%s %s %s\n' "$series" "$version" "$abi"
	done < <(sed -n "s/^linux-headers-\([0-9][^ ]*\)-$flavour \(.*\)/\1 \2/p" "$index") |
		sort -k2,2V
}

kernel_resolve() {
	local index=$LANE_DIR/index choice have
	in_lab -n -- apt-get update
	kernel_index >"$index"
	# shellcheck disable=SC2153 # SERIES is in lab.conf
	choice=$(kernel_choices "$LANE_ARG" "$index" | awk -v s="$SERIES" '$1 == s' | tail -n 1)
	if [ -z "$choice" ]; then
		have=$(kernel_choices "$LANE_ARG" "$index" |
			awk '!seen[$1]++ { printf "%s%s", sep, $1; sep = ", " }')
		die "the archive has no kernel $SERIES for lane $LANE any more; it has ${have:-none}: change the line SERIES=$SERIES in scripts/lab.conf"
	fi
	echo "$choice" >"$LANE_DIR/kernel.part"
	mv "$LANE_DIR/kernel.part" "$LANE_DIR/kernel"
	rm -f "$index"
}

# What a lane was made from; read by the steps below.
kernel_load() {
	local series
	read -r series KERNEL_VERSION KERNEL_ABI <"$LANE_DIR/kernel"
	KVER=$KERNEL_ABI-$LANE_ARG
	KERNEL_SERIES=$series
}

image_key() {
	{
		cat "$LANE_DIR/kernel"
		declare -f image_make
	} 2>/dev/null | sha256sum | cut -c1-16
}

source_key() {
	{
		cat "$LANE_DIR/kernel"
		declare -f source_make
	} 2>/dev/null | sha256sum | cut -c1-16
}

kdir_key() {
	{
		image_key
		source_key
		cat "$LAB/rootfs/etc/childkernel-lab"
		declare -f kdir_make
	} 2>/dev/null | sha256sum | cut -c1-16
}

kernel_ready() {
	[ -s "$LANE_DIR/kernel" ] && [ "$(cut -d' ' -f1 "$LANE_DIR/kernel")" = "$SERIES" ]
}

# ready PART: the directory of that name is complete and made from today's key.
part_ready() {
	[ "$(cat "$LANE_DIR/$1/.key" 2>/dev/null)" = "$("$1_key")" ]
}

# publish PART: give a finished temporary directory its name.
publish() {
	local dir=$LANE_DIR/$1
	"$1_key" >"$dir.part/.key"
	if [ -e "$dir" ]; then
		rm -rf --one-file-system "$dir.old"
		mv "$dir" "$dir.old"
	fi
	mv "$dir.part" "$dir"
	rm -rf --one-file-system "$dir.old"
}

# Packages are unpacked, not installed: no initramfs, no boot loader, no hooks.
fetch() {
	local dl=$LAB/download
	mkdir -p "$dl"
	in_lab -n -C "$dl" -- apt-get download "$@"
}

image_make() {
	local part=$LANE_DIR/image.part name version debs=() image
	kernel_load
	rm -rf --one-file-system "$part" "$LAB/download"
	mkdir -p "$part"
	# Older series have one image package, newer ones several; all that exist
	# in this version are wanted.
	while read -r name version; do
		case $name in
		linux-image-"$KVER" | linux-binary-"$KVER" | linux-modules-"$KVER" | \
			linux-base-"$KVER" | linux-headers-"$KVER")
			[ "$version" != "$KERNEL_VERSION" ] || debs+=("$name=$version")
			;;
		esac
	done < <(kernel_index)
	fetch "${debs[@]}"
	for deb in "$LAB"/download/*.deb; do
		dpkg-deb -x "$deb" "$part"
	done
	rm -rf --one-file-system "$LAB/download" "${part:?}/usr/share"
	if [ -d "$part/lib" ] && [ ! -L "$part/lib" ]; then
		cp -a "$part/lib/." "$part/usr/lib/"
		rm -rf --one-file-system "${part:?}/lib"
	fi
	image=$part/usr/lib/modules/$KVER/vmlinuz
	[ -e "$image" ] || mv "$part/boot/vmlinuz-$KVER" "$image"
	rm -f "$part/usr/lib/modules/$KVER/"{build,source}
	in_lab -b "$part/usr/lib/modules:/usr/lib/modules" -- depmod "$KVER"
	publish image
}

source_make() {
	local part=$LANE_DIR/source.part
	kernel_load
	rm -rf --one-file-system "$part" "$LAB/download"
	mkdir -p "$part"
	fetch "linux-source-$KERNEL_SERIES=$KERNEL_VERSION"
	dpkg-deb -x "$LAB"/download/*.deb "$LAB/download"
	in_lab -- tar -C "$part" --strip-components=1 \
		-xf "$LAB/download/usr/src/linux-source-$KERNEL_SERIES.tar.xz"
	rm -rf --one-file-system "$LAB/download"
	publish source
}

# Built under a temporary name that the namespace shows as the final one,
# because kbuild writes its own path into what it makes. An interrupted run
# with the same key goes on where it was.
kdir_make() {
	local part=$LANE_DIR/kdir.part headers make
	kernel_load
	headers=$LANE_DIR/image/usr/src/linux-headers-$KVER
	mkdir -p "$KDIR"
	make=(in_lab -b "$part:$KDIR" -C "$LANE_DIR/source" -- make "O=$KDIR"
		"LOCALVERSION=${KVER#"${KVER%%[+-]*}"}" "-j$(nproc)")
	if [ "$(cat "$part/.begun" 2>/dev/null)" != "$(kdir_key)" ]; then
		rm -rf --one-file-system "$part"
		mkdir -p "$part"
		cp "$headers/.config" "$part/.config"
		# Read by the distribution's kernel Makefile: whoever builds against
		# this directory gets the stock compiler and release without naming
		# them.
		cat >"$part/.kernelvariables" <<-END
			override ARCH = x86
			override KERNELRELEASE = $KVER
			ifeq (\$(LLVM),)
			CC = x86_64-linux-gnu-gcc-14
			endif
			DEBIAN_KERNEL_NO_CC_VERSION_CHECK = y
		END
		"${make[@]}" olddefconfig
		kdir_key >"$part/.begun"
	fi
	if ! "${make[@]}" modules_prepare; then
		# Whatever an interruption may have left half-written goes too.
		rm -f "$part/.begun"
		return 1
	fi
	[ "$(cat "$part/include/config/kernel.release")" = "$KVER" ]
	[ -s "$part/rust/libkernel.rmeta" ]
	cp "$headers/Module.symvers" "$part/"
	# Carries the kernel's BTF, which a module's own is relative to.
	[ ! -e "$headers/vmlinux" ] || cp "$headers/vmlinux" "$part/"
	rm -f "$part/.begun"
	publish kdir
	echo "$KVER" >"$LANE_DIR/release"
}

perf_ready() {
	kernel_load
	[ "$(cat "$LAB/rootfs/etc/childkernel-perf" 2>/dev/null)" = "$KERNEL_VERSION" ]
}

# perf goes with the kernel's version, and like the kernel it is unpacked over
# the tree rather than built; its libraries are ordinary packages.
perf_install() {
	kernel_load
	in_lab -n -- dpkg --configure -a
	in_lab -n -- apt-get install -y "linux-perf=$KERNEL_VERSION"
	in_lab -- apt-get clean
	echo "$KERNEL_VERSION" >"$LAB/rootfs/etc/childkernel-perf"
}
