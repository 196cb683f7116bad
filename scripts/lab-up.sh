# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# lab_up LANE: bring the lab to what the recipe says, doing only what is
# missing, and hold it (shared lock) for as long as the caller runs.

# shellcheck source=scripts/lab-rootfs.sh
. "$CK_SCRIPTS/lab-rootfs.sh"
# shellcheck source=scripts/lab-kernel.sh
. "$CK_SCRIPTS/lab-kernel.sh"
# shellcheck source=scripts/lab-own.sh
. "$CK_SCRIPTS/lab-own.sh"

lab_ready() {
	[ -z "${LAB_REFRESH:-}" ] && rootfs_ready && virtme_ready && kernel_ready &&
		part_ready image && part_ready source && part_ready kdir && perf_ready &&
		[ -s "$LAB/versions" ]
}

lab_up() {
	lane_load "$1"
	case $LANE_KIND in
	debian | own) ;;
	*) die "lane $LANE is of kind '$LANE_KIND', which this tree cannot make: see scripts/lanes" ;;
	esac
	if [ "$LANE" = stock ]; then
		lock shared
		if ! lab_ready; then
			lock exclusive
			# Whoever held the lock before may have done it already.
			lab_ready || stock_make
			lock shared
		fi
	else
		lane_up "$LANE"
	fi
	lane_release
}

# lane_up LANE: any lane but stock, from what stock has. One that takes long to
# make keeps nobody from the others: who uses or makes it has a lock of its own,
# until the script ends.
lane_up() {
	lab_up stock
	lane_load "$1"
	mkdir -p "$LANE_DIR"
	exec 5>>"$LANE_DIR/lock"
	flock -s 5
	if ! "${LANE_KIND}_ready"; then
		flock -n 5 || {
			say "waiting: another command is using lane $LANE of the lab"
			flock 5
		}
		"${LANE_KIND}_ready" || "${LANE_KIND}_lane"
		flock -s 5
	fi
}

# Another flavour of the stock lane's kernel, in the same version.
debian_ready() {
	cmp -s "$LANE_DIR/kernel" "$LAB/lanes/stock/kernel" &&
		part_ready image && part_ready source && part_ready kdir
}

debian_lane() {
	local stock=$LAB/lanes/stock
	cp "$stock/kernel" "$LANE_DIR/kernel"
	ln -sfn "$stock/source" "$LANE_DIR/source"
	# shellcheck disable=SC2034 # for step (lib.sh)
	STEP_N=0 STEP_TOTAL=2
	plan_image
	plan_kdir
}

# Each step's size is what it has put on the disk.
stock_make() {
	local plan=()
	[ "$(uname -m)" = x86_64 ] || die "the lab needs an x86_64 machine"
	mkdir -p "$LANE_DIR"
	room_check
	host_ready || plan+=(host)
	rootfs_ready || plan+=(rootfs)
	rootfs_ready && virtme_ready || plan+=(virtme)
	{ [ -z "${LAB_REFRESH:-}" ] && rootfs_ready && kernel_ready; } || plan+=(resolve)
	# Whether these are needed shows only after the steps before; they are
	# counted when it is not certain that they are not.
	case " ${plan[*]} " in
	*' resolve '* | *' rootfs '*) plan+=(image source kdir perf versions) ;;
	*)
		part_ready image || plan+=(image)
		part_ready source || plan+=(source)
		part_ready kdir || plan+=(kdir)
		perf_ready || plan+=(perf)
		plan+=(versions)
		;;
	esac
	# shellcheck disable=SC2034 # for step (lib.sh)
	STEP_TOTAL=${#plan[@]}
	say "setting up the lab in $LAB"
	for one in "${plan[@]}"; do
		"plan_$one"
	done
	unset LAB_REFRESH
}

plan_host() { step "install mmdebstrap on this machine" /var/cache/apt host_install; }
plan_rootfs() {
	local path=$LAB/rootfs.part
	step "root file system with the toolchain" "$path" rootfs_make
}
plan_virtme() { step "virtme-ng $VIRTME_NG" "$LAB/rootfs/usr/local" virtme_install; }
plan_resolve() { step "find kernel $SERIES" "$LAB/rootfs/var/lib/apt/lists" kernel_resolve; }
plan_image() {
	part_ready image || step "kernel of lane $LANE and its headers" "$LANE_DIR/image.part" image_make
}
plan_source() {
	part_ready source || step "kernel source" "$LANE_DIR/source.part" source_make
}
plan_kdir() {
	part_ready kdir || step "Rust metadata for lane $LANE" "$LANE_DIR/kdir.part" kdir_make
}
plan_perf() { perf_ready || step "perf of the kernel's version" "$LAB/rootfs" perf_install; }
plan_versions() { step "record versions" "$LAB/versions" versions_write; }

# Measured: the lab takes 5 GB; unpacking needs some more for a moment.
room_check() {
	local free
	free=$(df --output=avail -BM "$LAB" | tail -n 1 | tr -dc 0-9)
	[ -e "$LANE_DIR/kdir/.key" ] || [ "$free" -ge 7000 ] ||
		die "only $free MB free below $LAB, the lab needs 7000: set CHILDKERNEL_LAB to a directory with room"
}

versions_write() {
	kernel_load
	{
		echo "lane $LANE"
		echo "kernel $KVER (package $KERNEL_VERSION)"
		# shellcheck disable=SC2016 # expands inside the lab
		in_lab -- sh -c '
			rustc --version; bindgen --version
			clang --version | head -n 1; ld.lld --version
			gcc --version | head -n 1; ld --version | head -n 1
			make --version | head -n 1
			echo "pahole $(pahole --version)"
			qemu-system-x86_64 --version | head -n 1
			/usr/libexec/virtiofsd --version
			echo "virtme-ng $(pip3 show virtme-ng 2>/dev/null | sed -n "s/^Version: //p")"
			perf --version; kmod --version | head -n 1
			python3 --version; shellcheck --version | sed -n "s/^version: /shellcheck /p"
			echo "debian $(cat /etc/debian_version)"'
	} >"$LAB/versions.part"
	mv "$LAB/versions.part" "$LAB/versions"
}
