# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# What every script here needs: where things are, how to stop, how to become
# root, how to show progress, and the one lock on the lab.

CK_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
CK_SCRIPTS=$CK_TOP/scripts
CK_SELF=$(readlink -f "$0")
: "${CHILDKERNEL_LAB:=${XDG_CACHE_HOME:-$HOME/.cache}/childkernel}"
LAB=$(readlink -m "$CHILDKERNEL_LAB")
export CHILDKERNEL_LAB=$LAB
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
umask 022

# Messages must reach the user even while a step's output goes to its log.
exec 8>&2

# shellcheck source=scripts/lab.conf
. "$CK_SCRIPTS/lab.conf"

say() {
	printf '%s\n' "$*" >&8
}

die() {
	say "${0##*/}: $*"
	STEP_LABEL=
	exit 1
}

# Variables that reach root and the lab; the rest of the environment does not.
KEEP_ENV=(CHILDKERNEL_LAB CHILDKERNEL_MIRROR CHILDKERNEL_ACCEL TERM LLVM
	http_proxy https_proxy ftp_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY
	PIP_CERT PIP_INDEX_URL PIP_EXTRA_INDEX_URL PIP_TRUSTED_HOST PIP_PROXY
	PIP_CONFIG_FILE PIP_DEFAULT_TIMEOUT SSL_CERT_FILE CURL_CA_BUNDLE
	REQUESTS_CA_BUNDLE CARGO_HTTP_PROXY CARGO_HTTP_CAINFO CARGO_HTTP_TIMEOUT
	CARGO_NET_RETRY)

kept_env() {
	local v
	for v in "$@"; do
		[ -z "${!v+x}" ] || printf '%s=%s\0' "$v" "${!v}"
	done
}

# Mount namespaces and a root file system need root; whoever calls as a user
# gets what lands in the checkout back as theirs (see give_back).
need_root() {
	[ "$(id -u)" -ne 0 ] || return 0
	command -v sudo >/dev/null ||
		die "needs root: run it as root, or install sudo"
	local keep
	mapfile -d '' -t keep < <(kept_env "${KEEP_ENV[@]}" MOD TIMEOUT CARGO_HOME HERD7)
	# Made by the user, so that a ~/.cache on the way is the user's own.
	mkdir -p "$LAB"
	exec sudo -- env "CK_HOME=$HOME" "${keep[@]}" "$CK_SELF" "$@"
}

give_back() {
	if [ -n "${SUDO_UID:-}" ] && [ -d "$CK_TOP/build" ]; then
		chown -R "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$CK_TOP/build" || true
	fi
}

# lock shared|exclusive FILE WHO: held by this script and everything that it
# starts, so a killed script's children keep it until they are gone as well.
lock() {
	local flag=-s
	[ "$1" = shared ] || flag=-x
	if [ -z "${LOCK_OPEN:-}" ]; then
		mkdir -p "$LAB"
		# The variable may name any directory; what is removed here later
		# must have been made here.
		if [ ! -e "$LAB/.childkernel-lab" ]; then
			[ -z "$(ls -A "$LAB")" ] ||
				die "$LAB holds something else: set CHILDKERNEL_LAB to an empty or new directory"
			: >"$LAB/.childkernel-lab"
		fi
		exec 9>>"$LAB/lock"
		LOCK_OPEN=1
	fi
	if ! flock "$flag" -n 9; then
		say "waiting: another command is using the lab in $LAB"
		flock "$flag" 9
	fi
}

# --- progress: "[3/9] unpack kernel source ... 4 s, 1.8 GB" -----------------

STEP_N=0
STEP_TOTAL=0
STEP_LABEL=
STEP_LOG=
STEP_TICKER=
STEP_SIZE=

# A finished step has lost the ".part" of its name.
size_of() {
	local path=$1
	[ -e "$path" ] || path=${path%.part}
	{ du -xsh -- "$path" 2>/dev/null || true; } | awk '{ print $1 "B" }'
}

ticker() {
	local every=20 start=$SECONDS nap=
	[ ! -t 8 ] || every=3
	# The nap goes too, or it would hold the caller's pipe open.
	trap 'kill "$nap" 2>/dev/null; exit 0' TERM
	while :; do
		sleep "$every" &
		nap=$!
		wait "$nap"
		kill -0 "$$" 2>/dev/null || return 0
		if [ -t 8 ]; then
			printf '\r\033[K%s ... %d s, %s' "$1" \
				"$((SECONDS - start))" "$(size_of "$2")" >&8
		else
			say "$1 ... $((SECONDS - start)) s, $(size_of "$2")"
		fi
	done
}

# step LABEL PATH FUNCTION [ARG...]: PATH is what grows while it runs. Its log is
# called as STEP_AS says, if others may run the same function at the same time.
step() {
	local label=$1 path=$2 start=$SECONDS
	shift 2
	STEP_N=$((STEP_N + 1))
	STEP_LABEL="[$STEP_N/$STEP_TOTAL] $label"
	STEP_LOG=${STEP_AS:-$1}
	STEP_LOG=$LAB/log/${STEP_LOG//_/-}.log
	mkdir -p "$LAB/log"
	if [ -t 8 ]; then
		printf '%s ...' "$STEP_LABEL" >&8
	else
		say "$STEP_LABEL ..."
	fi
	ticker "$STEP_LABEL" "$path" </dev/null 9>&- &
	STEP_TICKER=$!
	"$@" >"$STEP_LOG" 2>&1 </dev/null
	stop_ticker
	STEP_SIZE=$(size_of "$path")
	[ ! -t 8 ] || printf '\r\033[K' >&8
	say "$STEP_LABEL ... $((SECONDS - start)) s${STEP_SIZE:+, $STEP_SIZE}"
	STEP_LABEL=
}

stop_ticker() {
	[ -n "$STEP_TICKER" ] || return 0
	end "$STEP_TICKER"
	wait "$STEP_TICKER" 2>/dev/null || true
	STEP_TICKER=
}

# Processes that do not outlive this script.
CHILDREN=()

# end PID...: of what this script has started. What is just being started may lose
# a signal, as bash forks with its own traps: so until it is gone.
end() {
	local pid n
	for pid; do
		for ((n = 0; n < 100; n++)); do
			kill "$pid" 2>/dev/null || break
			sleep 0.05
		done
	done
}

# A step runs outside any condition, so that its first failing command ends
# the script; what it said last is shown here. Nothing here may fail: that
# would be the script's exit status then.
on_exit() {
	local status=$?
	stop_ticker
	# Mostly they have ended long since.
	end ${CHILDREN[@]+"${CHILDREN[@]}"}
	if [ -n "$STEP_LABEL" ] && [ "$status" -ne 0 ]; then
		[ ! -t 8 ] || printf '\n' >&8
		[ ! -s "$STEP_LOG" ] || tail -n 15 "$STEP_LOG" >&8
		say "${0##*/}: $STEP_LABEL failed; the whole output is in $STEP_LOG, rerun when the cause is gone"
	fi
	if [ -n "${CLEANUP:-}" ]; then
		rm -rf --one-file-system -- "$CLEANUP"
	fi
	[ "$(id -u)" -ne 0 ] || give_back
	return "$status"
}
trap on_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- the lab's own namespace -----------------------------------------------

# in_lab [-n] [-r ROOT] [-C DIR] [-b SRC[:DST]]... -- COMMAND...
#
# Runs a command inside the lab's root file system, in mount and process
# namespaces of its own: nothing is ever mounted where others see it, and when
# the first process in there dies, for whatever reason, all of it is gone.
# In the background it is "${IN_LAB[@]}" ... &: a function would get a shell of
# its own there, whose end is not the script's.
IN_LAB=(setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child
	--propagation private "$CK_SCRIPTS/in-lab.sh")

in_lab() {
	"${IN_LAB[@]}" "$@"
}

# --- lanes -------------------------------------------------------------------

lane_load() {
	local name kind arg _
	LANE=$1 LANE_KIND=
	while read -r name kind arg _; do
		if [ "$name" = "$LANE" ]; then
			LANE_KIND=$kind LANE_ARG=$arg
		fi
	done < <(lane_rows)
	[ -n "$LANE_KIND" ] ||
		die "no lane '$LANE'; there is: $(lane_rows | awk '{ printf "%s%s", s, $1; s = ", " }')"
	LANE_DIR=$LAB/lanes/$LANE
	KDIR=$LANE_DIR/kdir
	# What the lane's own modules need of in_lab; kernels built here have all built in.
	LANE_MODULES=()
	[ "$LANE_KIND" != debian ] ||
		LANE_MODULES=(-b "$LANE_DIR/image/usr/lib/modules:/usr/lib/modules")
	# Make takes it from the environment, here and in the lab.
	unset LLVM
	if [ "$LANE_KIND" = clang ]; then
		LANE_KIND=own
		export LLVM=1
	fi
}

lane_rows() {
	grep -v -e '^#' -e '^[[:space:]]*$' "$CK_SCRIPTS/lanes"
}

# The lane's kernel release, once it is set up.
lane_release() {
	KVER=$(cat "$LANE_DIR/release")
}
