# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# plots_up: what draws the plots of a report. It is a part of the lab that only
# reports need, so it is made when the first one is, and no other part knows of
# it.

plots_ready() {
	[ "$(cat "$LAB/rootfs/etc/childkernel-plots" 2>/dev/null)" = "$(plots_key)" ]
}

plots_key() {
	echo "gnuplot-nox $(rootfs_key)"
}

# The lists of an older lab may name packages that the archive has no more.
plots_install() {
	in_lab -n -- dpkg --configure -a
	if ! in_lab -n -- apt-get install -y --no-install-recommends gnuplot-nox; then
		in_lab -n -- apt-get update
		in_lab -n -- apt-get install -y --no-install-recommends gnuplot-nox
	fi
	in_lab -- apt-get clean
	in_lab -- gnuplot --version
	plots_key >"$LAB/rootfs/etc/childkernel-plots"
}

# After lab_up, and like it: exclusive only while something is missing.
plots_up() {
	plots_ready && return
	lock exclusive
	if ! plots_ready; then
		# shellcheck disable=SC2034 # for step (lib.sh)
		STEP_N=0 STEP_TOTAL=1
		step "gnuplot, for reports" "$LAB/rootfs" plots_install
	fi
	lock shared
}
