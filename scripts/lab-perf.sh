#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# perf with what the distribution's is built without: programs that count in the
# kernel (perf lock contention -b), which alone can tell owners. Made from the
# lane's own source, on demand. Prints the directory that it is in.
#
#   lab-perf.sh [LANE]
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/lab-up.sh
. "$CK_SCRIPTS/lab-up.sh"

perf_bpf_key() {
	{
		source_key
		declare -f perf_bpf_make
	} 2>/dev/null | sha256sum | cut -c1-16
}

# Of two libraries the lab has no headers: they are unpacked beside the objects, and a
# stand-in for pkg-config knows where.
perf_bpf_make() {
	local part=$LANE_DIR/perf_bpf.part
	kernel_load
	rm -rf --one-file-system "$part"
	mkdir -p "$part/objects" "$part/libraries"
	fetch libtraceevent-dev libtraceevent1
	for deb in "$LAB"/download/*.deb; do
		dpkg-deb -x "$deb" "$part/libraries"
	done
	rm -rf --one-file-system "$LAB/download"
	cat >"$part/pkg-config" <<-END
		#!/bin/sh
		usr=$part/libraries/usr
		case "\$*" in
		*libtraceevent*) i="-I\$usr/include/traceevent -I\$usr/include" l="-L\$usr/lib/x86_64-linux-gnu" n=-ltraceevent v=1.8 ;;
		*ssl* | *crypto*) i= l= n='-lssl -lcrypto' v=3.5 ;;
		*) exit 1 ;;
		esac
		for arg; do
			case \$arg in
			--cflags) echo "\$i" ;;
			--libs) echo "\$l \$n" ;;
			--libs-only-L) echo "\$l" ;;
			--libs-only-l) echo "\$n" ;;
			--modversion) echo "\$v" ;;
			esac
		done | xargs
	END
	chmod +x "$part/pkg-config"
	in_lab -C "$LANE_DIR/source/tools/perf" -- make "O=$part/objects" "-j$(nproc)" ARCH=x86 \
		"PKG_CONFIG=$part/pkg-config" BUILD_BPF_SKEL=1 WERROR=0 NO_JEVENTS=1 NO_LIBPERL=1 \
		NO_LIBPYTHON=1 NO_SLANG=1 NO_LIBDEBUGINFOD=1 NO_LIBNUMA=1 NO_LIBBABELTRACE=1 \
		NO_LIBUNWIND=1 NO_LIBCAP=1 NO_LIBPFM4=1 NO_AIO=1 NO_SDT=1 NO_JVMTI=1
	in_lab -- "$part/objects/perf" check feature bpf_skeletons
	mv "$part/objects/perf" "$part/perf"
	rm -rf --one-file-system "$part/objects" "$part/libraries" "$part/pkg-config"
	publish perf_bpf
}

need_root "$@"
lab_up "${1:-stock}"
if ! part_ready perf_bpf; then
	lock exclusive
	# shellcheck disable=SC2034 # for step (lib.sh)
	STEP_TOTAL=1
	part_ready perf_bpf ||
		step "perf with BPF, from the kernel's source" "$LANE_DIR/perf_bpf.part" perf_bpf_make
fi
echo "$LANE_DIR/perf_bpf"
