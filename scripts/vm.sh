#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The one way into a virtual machine:
#
#   vm.sh [--lane LANE] [--cpus N] [--memory SIZE] [--timeout SECONDS]
#         [--results DIR] [--ro DIR]... [--load FILE.ko]... [--interactive]
#         [--append ARGUMENT]... [--kernel bzImage] [--accel kvm|tcg] [--count]
#         [--] COMMAND...
#
# Boots the lane's kernel on the lab's root file system, read-only, with the
# checkout and each --ro DIR visible at their own paths, also read-only. Modules
# given by --load are loaded, then the command runs. $CK_RESULTS in the guest
# is the one writable folder: DIR here (default build/vm), where the kernel log
# always ends up as dmesg.txt.
#
# --append is for the kernel's command line, --kernel another one than the lane's.
# With --count the machine is emulated with one processor whose clocks count
# instructions: one nanosecond is one of them, and time that nobody needs does
# not pass.
#
# Exit status: the command's; 124 time limit, 125 kernel panic, 126 the guest
# went away without a word.
set -euo pipefail
# shellcheck source=scripts/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
# shellcheck source=scripts/lab-up.sh
. "$CK_SCRIPTS/lab-up.sh"
# shellcheck source=scripts/accel.sh
. "$CK_SCRIPTS/accel.sh"

need_root "$@"
lane=stock cpus=2 memory=1G limit='' results=$CK_TOP/build/vm interactive='' accel='' count=''
ro=("$CK_TOP") load=() append=() kernel=''
while [ $# -gt 0 ]; do
	case $1 in
	--lane) lane=$2; shift 2 ;;
	--cpus) cpus=$2; shift 2 ;;
	--memory) memory=$2; shift 2 ;;
	--timeout) limit=$2; shift 2 ;;
	--results) results=$2; shift 2 ;;
	--ro) path=$(readlink -e "$2") || die "no directory $2"; ro+=("$path"); shift 2 ;;
	--load) path=$(readlink -e "$2") || die "no module $2"; load+=("$path"); shift 2 ;;
	--accel) accel=$2; shift 2 ;;
	--append) append+=("$2"); shift 2 ;;
	--kernel) kernel=$(readlink -e "$2") || die "no kernel $2"; shift 2 ;;
	--count) count=1 accel=tcg cpus=1; shift ;;
	--interactive) interactive=1; shift ;;
	--) shift; break ;;
	-*) die "unknown option '$1': see the first lines of this script" ;;
	*) break ;;
	esac
done
if [ -n "$interactive" ]; then
	{ [ -t 0 ] && [ -t 1 ]; } ||
		die "an interactive guest needs a terminal: give a command instead (make vm CMD=...)"
	# Someone's working day; a forgotten guest does not run for ever.
	: "${limit:=36000}"
else
	[ $# -gt 0 ] || die "no command: vm.sh [options] -- command..."
	: "${limit:=600}"
fi

lab_up "$lane"
[ -n "$accel" ] || accel=$(accel_choose)
mkdir -p "$results"
results=$(readlink -e "$results")
# Left behind by runners that were killed.
find "$LAB" -maxdepth 1 -name 'run.*' -mmin +1500 -exec rm -rf --one-file-system {} +
rm -f "$results"/{dmesg.txt,dmesg-tripped.txt,machine,.started,.status}
vmdir=$(mktemp -d "$LAB/run.XXXXXX")
# shellcheck disable=SC2034 # removed when this script ends (lib.sh)
CLEANUP=$vmdir
mkdir "$vmdir/results"

# The guest sees this directory as /mnt: the kernel's command line has no room
# for whole commands.
guest=("$CK_SCRIPTS/guest.sh")
for d in "${ro[@]}"; do
	[[ $d/ != /tmp/* ]] || guest+=(--keep "$d")
done
for ko in "${load[@]}"; do
	guest+=(--load "$ko")
done
if [ -n "$interactive" ]; then
	guest+=(--interactive)
else
	guest+=(-- "$@")
fi
printf '#!/bin/bash\nexec %s\n' "${guest[*]@Q}" >"$vmdir/command"
chmod +x "$vmdir/command"

if [ "$LANE_KIND" = own ]; then
	: "${kernel:=$KDIR/arch/x86/boot/bzImage}"
	vm=(virtme-run --kimg "$kernel" --mods none)
else
	vm=(virtme-run --kimg "$KVER" --mods auto)
fi
vm+=(--disable-microvm --memory "$memory" --cpus "$cpus" --name childkernel
	--rwdir "mnt/results=$results")
binds=("${LANE_MODULES[@]}" -b "$vmdir:/mnt" -b "$results")
for argument in "${append[@]}"; do
	vm+=(-a "$argument")
done
[ "$accel" = kvm ] || vm+=(--disable-kvm)
[ -z "$count" ] || vm+=("--qemu-opt=-icount" "--qemu-opt=shift=0,sleep=off")
for d in "${ro[@]}"; do
	binds+=(-b "$d")
	# These the guest's init covers with its own.
	case $d/ in
	/run/* | /var/tmp/* | /var/log/* | /var/cache/*) vm+=(--rodir "$d") ;;
	esac
done
# One port each is in use. Room for 31 makes 300 files more for the emulator's main
# loop to look at, whenever it has waited.
vm+=("--qemu-opt=-global" "--qemu-opt=virtio-serial-pci.max_ports=2")
# Nothing the guest has a use for, and each costs time to emulate.
useless=(ahci kvm_amd kvm_intel i6300esb sr_mod sg button evdev serio_raw
	aesni_intel ghash_clmulni_intel)
for k in ignore_loglevel panic=-1 tsc=reliable "modprobe.blacklist=$(IFS=,; echo "${useless[*]}")"; do
	vm+=(-a "$k")
done
# While the kernel finds out what its first processor is, an interrupt makes KASAN
# take the addresses of five-level page tables for wild ones.
! grep -qsx CONFIG_KASAN=y "$KDIR/.config" || vm+=(-a no5lvl)
# virtme-ng's console for the kernel log becomes a file: the whole log is here
# from the first line on and needs nobody in the guest to save it.
if [ -n "$interactive" ]; then
	console=dmesg
	vm+=(--shell /mnt/command --disable-monitor "--qemu-opt=-no-reboot")
else
	console=console
	vm+=(--script-sh /mnt/command)
fi
vm+=("--qemu-opt=-set" "--qemu-opt=chardev.$console.path=$results/dmesg.txt")

now_ms() { echo $(($(date +%s%N) / 1000000)); }

log=$results/dmesg.txt
vm=(timeout --foreground -k 5 "$limit" "${vm[@]}")

machine() {
	local pumps
	start=$(now_ms)
	if [ -n "$interactive" ]; then
		in_lab "${binds[@]}" -- "${vm[@]}" 2>"$vmdir/stderr" || true
	else
		# The machine opens its outputs by name, which would cut off a file that
		# they are redirected to; so it gets pipes.
		rm -f "$vmdir/out" "$vmdir/err"
		mkfifo "$vmdir/out" "$vmdir/err"
		cat "$vmdir/out" &
		pumps=($!)
		tee "$vmdir/said" <"$vmdir/err" >&2 &
		pumps+=($!)
		in_lab "${binds[@]}" -- "${vm[@]}" \
			</dev/null >"$vmdir/out" 2>"$vmdir/err" || true
		wait "${pumps[@]}"
	fi
	end=$(now_ms)
}

machine
# An emulated processor may meet the breakpoint of a kernel that patches itself
# when that has already gone, which no processor does; and the emulator may find
# fault with itself while the kernel moves a device elsewhere. Before anything of
# ours has run, that is no result.
if [ "$accel" = tcg ] && [ ! -e "$results/.started" ] &&
	{ grep -qs 'Oops: int3' "$log" || grep -qs '^qemu.*: Assertion ' "$vmdir/said"; }; then
	say "vm: the emulator tripped over itself while the kernel booted; once more"
	[ ! -e "$log" ] || mv "$log" "$results/dmesg-tripped.txt"
	machine
fi

# --- how it ended ------------------------------------------------------------
boot='-'
if [ -e "$results/.started" ]; then
	boot=$(($(stat -c %.3Y "$results/.started" | tr -d .) - start))
fi
why=
[ ! -e "$log" ] || sed -i 's/\r$//' "$log"
if grep -qs 'Kernel panic - not syncing' "$log"; then
	verdict=125 why="kernel panic"
elif [ -s "$results/.status" ]; then
	verdict=$(cat "$results/.status")
elif [ $((end - start)) -ge $((limit * 1000)) ]; then
	verdict=124 why="time limit of $limit s"
else
	verdict=126 why="the guest went away without a word"
fi
rm -f "$results/.started" "$results/.status"
# For programs that read the results.
{
	echo "lane=$LANE"
	echo "kernel=$KVER"
	echo "accel=$accel"
	echo "cpus=$cpus"
	echo "boot_ms=$boot"
	echo "status=$verdict"
} >"$results/machine"

if [ -n "$why" ]; then
	[ ! -s "$vmdir/stderr" ] || cat "$vmdir/stderr" >&2
	if [ -s "$log" ]; then
		say "--- the last lines of the kernel log"
		tail -n 60 "$log" >&2
	fi
	say "vm.sh: $why; the whole kernel log is in $log"
fi
[ -n "${CK_QUIET:-}" ] ||
	say "vm: $LANE, $KVER, $accel, $cpus cpus; first command after $boot ms, all in $((end - start)) ms"
exit "$verdict"
