# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# The lab's root file system: the toolchain, and what the guest runs on. Made
# in one go under a temporary name, so an interrupted run leaves nothing that
# looks finished.

# The recipe decides when it is made anew.
rootfs_key() {
	{
		echo "$SUITE" "$KERNEL_SUITE" "${PACKAGES[@]}"
		declare -f rootfs_make rootfs_aptopts
	} | sha256sum | cut -c1-16
}

rootfs_ready() {
	[ "$(cat "$LAB/rootfs/etc/childkernel-lab" 2>/dev/null)" = "$(rootfs_key)" ]
}

virtme_ready() {
	[ "$(cat "$LAB/rootfs/etc/childkernel-virtme-ng" 2>/dev/null)" = "$VIRTME_NG" ]
}

host_ready() {
	command -v mmdebstrap >/dev/null && command -v setpriv >/dev/null
}

host_install() {
	command -v apt-get >/dev/null ||
		die "this is no Debian machine (no apt-get): the lab needs one"
	if ! apt-get install -y --no-install-recommends mmdebstrap util-linux; then
		apt-get update
		apt-get install -y --no-install-recommends mmdebstrap util-linux
	fi
}

# The archive is the one that this machine itself uses.
mirror_uri() {
	# shellcheck disable=SC2016 # apt's own variables
	local format='$(REPO_URI) $(ORIGIN) $(LABEL)' uri
	if [ -n "${CHILDKERNEL_MIRROR:-}" ]; then
		echo "$CHILDKERNEL_MIRROR"
		return
	fi
	for _ in 1 2; do
		uri=$(apt-get indextargets --format "$format" 'Created-By: Packages' |
			awk '$2 == "Debian" && $3 == "Debian" && $1 ~ /^https?:/ { print $1; exit }')
		if [ -n "$uri" ]; then
			echo "$uri"
			return
		fi
		# Nothing known about the origins yet: lists were never fetched.
		apt-get update >&2
	done
	die "apt on this machine has no Debian archive: set CHILDKERNEL_MIRROR to the URI of one"
}

# Proxy, retries and the like, from the host's apt. Settings that are paths of
# this machine mean nothing in the lab; its certificates are handed over
# separately.
rootfs_aptopts() {
	apt-config dump | grep -E \
		'^Acquire::(https?|ftp|Retries|ForceIPv[46]|Check-Valid-Until|Check-Date|Queue-Mode)' |
		grep -v -e '""' -e '"/' || true
}

rootfs_make() {
	local mirror part=$LAB/rootfs.part conf=$LAB/apt.conf suites
	mirror=$(mirror_uri)
	rm -rf --one-file-system "$part"
	rootfs_aptopts >"$conf"
	cat >>"$conf" <<-'END'
		Acquire::Languages "none";
		APT::Install-Recommends "false";
	END
	suites=$(printf 'deb %s %s main\n' "$mirror" "$SUITE" \
		"$mirror" "$SUITE-updates" "$mirror" "$KERNEL_SUITE")
	setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child \
		--mount-proc --propagation private \
		mmdebstrap --mode=root --variant=apt --aptopt="$conf" \
		--dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/man/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--include="$(IFS=,; echo "${PACKAGES[*]}")" \
		"$SUITE" "$part" - <<<"$suites"
	rm -f "$part"/var/cache/apt/archives/*.deb "$part"/var/cache/apt/*.bin
	# Mount points that the guest's root, read-only, cannot make itself.
	mkdir -p "$part/usr/lib/modules" "$part/mnt" "$part/etc/lvm"
	ln -sf bash "$part/bin/sh"
	echo "childkernel-lab" >"$part/etc/hostname"
	rootfs_key >"$part/etc/childkernel-lab"
	if [ -e "$LAB/rootfs" ]; then
		rm -rf --one-file-system "$LAB/rootfs.old"
		mv "$LAB/rootfs" "$LAB/rootfs.old"
	fi
	mv "$part" "$LAB/rootfs"
	rm -rf --one-file-system "$LAB/rootfs.old"
}

virtme_install() {
	in_lab -n -- pip3 install --break-system-packages --no-deps --no-cache-dir \
		--root-user-action=ignore --force-reinstall --no-compile \
		"virtme-ng==$VIRTME_NG"
	echo "$VIRTME_NG" >"$LAB/rootfs/etc/childkernel-virtme-ng"
}
