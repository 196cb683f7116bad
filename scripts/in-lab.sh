#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# First process of a lab namespace, started by in_lab (lib.sh): mounts what the
# command needs, runs it in the lab's root file system, and takes everything
# with it when it ends. The lab and the checkout appear at the same absolute
# paths as outside, so a path printed there is good here.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
trap - EXIT
# What is mounted here must be seen nowhere else.
[ $$ -eq 1 ] || die "is started by in_lab (lib.sh) only; make shell opens a shell in the lab"

root=$LAB/rootfs dir=/ net=
binds=("$LAB" "$CK_TOP")
while [ $# -gt 0 ]; do
	case $1 in
	-n) net=1; shift ;;
	-r) root=$2; shift 2 ;;
	-C) dir=$2; shift 2 ;;
	-b) binds+=("$2"); shift 2 ;;
	--) shift; break ;;
	*) die "internal: in_lab does not know '$1'" ;;
	esac
done

bind() {
	local src=$1 dst=$root$2
	if [ -d "$src" ]; then
		mkdir -p "$dst"
	elif [ ! -e "$dst" ]; then
		mkdir -p "${dst%/*}"
		: >"$dst"
	fi
	mount --bind "$src" "$dst"
}

mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mkdir -p "$root/tmp/home"
for b in "${binds[@]}"; do
	case $b in
	*:*) bind "${b%%:*}" "${b#*:}" ;;
	*) bind "$b" "$b" ;;
	esac
done

env=(PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	HOME=/tmp/home LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive)
mapfile -d '' -t -O "${#env[@]}" env < <(kept_env "${KEEP_ENV[@]}")

# Name resolution, certificates and the settings of pip and cargo are the host's.
if [ -n "$net" ]; then
	rm -f "$root/etc/resolv.conf"
	[ ! -e /etc/resolv.conf ] || bind "$(readlink -f /etc/resolv.conf)" /etc/resolv.conf
	for ca in "${PIP_CERT:-}" "${SSL_CERT_FILE:-}" "${CURL_CA_BUNDLE:-}" "${CARGO_HTTP_CAINFO:-}" \
		/etc/ssl/certs/ca-certificates.crt; do
		if [ -n "$ca" ] && [ -s "$ca" ]; then
			bind "$ca" /etc/ssl/certs/ca-certificates.crt
			ca=/etc/ssl/certs/ca-certificates.crt
			env+=("PIP_CERT=$ca" "SSL_CERT_FILE=$ca" "CURL_CA_BUNDLE=$ca" "REQUESTS_CA_BUNDLE=$ca"
				"CARGO_HTTP_CAINFO=$ca")
			break
		fi
	done
	for conf in "${PIP_CONFIG_FILE:-}" "${CK_HOME:-$HOME}/.config/pip/pip.conf" \
		"${CK_HOME:-$HOME}/.pip/pip.conf" /etc/pip.conf; do
		if [ -n "$conf" ] && [ -s "$conf" ]; then
			cp "$conf" "$root/tmp/home/pip.conf"
			env+=(PIP_CONFIG_FILE=/tmp/home/pip.conf)
			break
		fi
	done
	# A registry that stands for the default one is named there, and nowhere else.
	for conf in config.toml config; do
		conf=${CARGO_HOME:-${CK_HOME:-$HOME}/.cargo}/$conf
		if [ -s "$conf" ]; then
			mkdir -p "$root/tmp/home/.cargo"
			cp "$conf" "$root/tmp/home/.cargo/config.toml"
			break
		fi
	done
fi

# Not exec: as process 1 the command would ignore Ctrl-C.
chroot "$root" env -i "${env[@]}" env -C "$dir" "$@"
