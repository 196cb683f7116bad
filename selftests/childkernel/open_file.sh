#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A file in debugfs that is held open keeps the module, and stays readable.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

# rmmod looks before it asks the kernel, so ask the kernel too.
delete_module() {
	python3 - "$1" <<-'EOF'
		import ctypes, errno, os, platform, sys
		number = {"x86_64": 176, "aarch64": 106, "riscv64": 106}[platform.machine()]
		libc = ctypes.CDLL(None, use_errno=True)
		if libc.syscall(number, sys.argv[1].encode(), os.O_NONBLOCK) == 0:
		    print("gone")
		else:
		    print(errno.errorcode[ctypes.get_errno()])
	EOF
}

must_stay() {
	if ERROR=$(rmmod childkernel 2>&1); then
		fail "rmmod took it away"
		return
	fi
	[[ $ERROR == *"in use"* || $ERROR == *busy* ]] || fail "rmmod says: $ERROR"
	ERROR=$(delete_module childkernel)
	[[ $ERROR == EBUSY || $ERROR == EAGAIN ]] || fail "delete_module() says: $ERROR"
	[ "$(cat /sys/module/childkernel/initstate)" = live ] || fail "it is not live any more"
}

held() {
	local file=$1 fd before
	shift
	load "$@"
	exec {fd}<"$file"
	[ "$(cat /sys/module/childkernel/refcnt)" = 1 ] || fail "nobody uses it"
	must_stay
	before=$(head -c 20 <&"$fd")
	[ -n "$before" ] || fail "nothing to read"
	cat <&"$fd" >"$TMP/rest" || fail "reading on failed"
	[ -s "$TMP/rest" ] || fail "nothing more to read"
	exec {fd}<&-
	unload childkernel
}

# Both at once, by two processes, one of which is killed.
held_by_two() {
	local fd pid
	load workload=all cpus=0
	(
		exec {fd}<"$STATS"
		exec sleep 1000
	) &
	pid=$!
	exec {fd}<"$SUMMARY"
	sleep 0.2
	must_stay
	exec {fd}<&-
	must_stay
	kill -KILL $pid
	wait $pid 2>/dev/null
	unload childkernel
	check_success "${LABELS[@]}"
}

# The children of a module are gone that were there when the file was opened.
owner_goes() {
	local fd text
	load
	insert "$HELLO" || fail "insmod hello_child: $ERROR"
	exec {fd}<"$STATS"
	unload hello_child
	text=$(cat <&"$fd")
	exec {fd}<&-
	[[ $text == '{"schema":1,'*'}' ]] || fail "read: $text"
	[[ $text != *hello* ]] || fail "what is gone is shown: $text"
	mark
	unload childkernel
}

begin 6
for file in "$SUMMARY" "$STATS"; do
	try "${file##*/}, nothing runs" held "$file"
	try "${file##*/}, loads run" held "$file" workload=all cpus=0
done
try "by two processes" held_by_two
try "while a module goes whose children it shows" owner_goes
finish
