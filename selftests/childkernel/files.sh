#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The directories of children and of locks in debugfs: that they say what
# stats.json says, that they come and go with what they are about, and what
# becomes of a file that is open then.
# shellcheck disable=SC2317,SC2329 # the tests are called by name

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

OUTSIDER=${CK_EXTERN_DIR:-/nonexistent}/outsider/outsider.ko
CHILDREN=$DEBUGFS/children
LOCKS=$DEBUGFS/locks

# compare: each file, with stats.json.
compare() {
	local out
	out=$(python3 -I -S "$HERE/files.py" check "$DEBUGFS" 2>&1) || fail "files: $out"
}

# entries DIRECTORY: what is in it, in order.
entries() {
	local path all=()
	for path in "$1"/*; do
		[ ! -e "$path" ] || all+=("${path##*/}")
	done
	echo "${all[*]}"
}

# id_of NAME: of a child, in its directory.
id_of() {
	local dir
	for dir in "$CHILDREN"/*; do
		[ "$(cat "$dir/name")" != "$1" ] || echo "${dir##*/}"
	done
}

modes() {
	local wrong
	load workload=all cpus=0
	wrong=$(find "$DEBUGFS" -type d ! -perm 700 -o -type f ! -name reset ! -name control ! -perm 400 \
		-o \( -name reset -o -name control \) ! -perm 200 -o ! -user root -o ! -type d ! -type f)
	[ -z "$wrong" ] || fail "modes: $wrong"
	[ "$(find "$LOCKS" -name reset | wc -l)" -eq 4 ] || fail "files reset: $(ls "$LOCKS"/*)"
	! { echo x >"$CHILDREN/1/state"; } 2>/dev/null || fail "a state can be written"
	! cat "$LOCKS/counter!spinlock/reset" >/dev/null 2>&1 || fail "reset can be read"
	unload childkernel
}

# After all have ended by themselves nothing changes any more.
ended() {
	load workload=all seconds="$LASTS"
	wait_ended
	compare
	[ "$(entries "$LOCKS")" = "counter!mutex counter!spinlock list!rculist record!seqlock" ] ||
		fail "locks: $(entries "$LOCKS")"
}

# One has failed, one has been started again, one has four threads.
of_outsider() {
	local id
	load
	insert "$OUTSIDER" || fail "insmod outsider: $ERROR"
	sleep 0.2
	id=$(id_of fails)
	[ "$(cat "$CHILDREN/$id/state")" = stopped ] || fail "it has failed, but is not stopped"
	[ "$(cat "$CHILDREN/$id/error")" = -5 ] || fail "error: $(cat "$CHILDREN/$id/error")"
	[ "$(cat "$CHILDREN/$(id_of fails-once)/generation")" = 2 ] || fail "not the second generation"
	[ "$(cat "$CHILDREN/$(id_of many)/threads")" = 4 ] || fail "not four threads"
	[ "$(cat "$CHILDREN/$id/cpus")" = any ] || fail "it has CPUs"
	unload outsider
	[ -z "$(entries "$CHILDREN")$(entries "$LOCKS")" ] ||
		fail "left: $(entries "$CHILDREN") $(entries "$LOCKS")"
}

# Of two of the same name each has its own directory.
same_names() {
	load stats=contended
	insert "$OUTSIDER" || fail "insmod outsider: $ERROR"
	[ "$(entries "$LOCKS")" = "outsider!flag outsider!same outsider!same~2" ] ||
		fail "locks: $(entries "$LOCKS")"
	[ "$(cat "$LOCKS/outsider!same/acquisitions")" = 1 ] || fail "the first is another"
	[ "$(cat "$LOCKS/outsider!same~2/acquisitions")" = 2 ] || fail "the second is another"
	[ "$(cat "$LOCKS/outsider!same~2/name")" = outsider/same ] || fail "it has another name"
	echo 1 >"$LOCKS/outsider!same~2/reset" || fail "it is not reset"
	[ "$(cat "$LOCKS/outsider!same/acquisitions")" = 1 ] || fail "the first is reset too"
	[ "$(cat "$LOCKS/outsider!same~2/acquisitions")" = 0 ] || fail "the second is not reset"
	unload outsider
}

# Everything of one lock is zero, in stats.json too, and of no other.
reset_is_zero() {
	local dir="$LOCKS/counter!spinlock" file
	load workload=counter primitive=spinlock,mutex seconds="$LASTS" hold_ns=20000 children=2
	wait_ended
	[ "$(nproc)" -eq 1 ] || [ -n "$(cat "$dir/sites")" ] || fail "no sites"
	for file in acquisitions wait_ns hold_ns; do
		[[ $(cat "$dir/$file") =~ ^(count\ )?[1-9] ]] || fail "$file: $(cat "$dir/$file")"
	done
	# Too long: refused, and nothing is done.
	! dd if=/dev/zero of="$dir/reset" bs=4097 count=1 conv=notrunc 2>/dev/null ||
		fail "a line of 4097 bytes is taken"
	compare
	[ "$(cat "$dir/acquisitions")" -gt 0 ] || fail "it is reset by what is refused"
	snapshot
	dd if=/dev/zero of="$dir/reset" bs=4096 count=1 conv=notrunc 2>/dev/null ||
		fail "a line of 4096 bytes is refused"
	local others
	others=$(value "lock('counter/mutex')")
	for file in acquisitions contended; do
		[ "$(cat "$dir/$file")" = 0 ] || fail "$file: $(cat "$dir/$file")"
	done
	for file in wait_ns hold_ns; do
		[ "$(cat "$dir/$file")" = $'count 0\np50 0\np99 0\nmax 0' ] || fail "$file: $(cat "$dir/$file")"
	done
	[ -z "$(cat "$dir/sites")" ] || fail "sites: $(cat "$dir/sites")"
	compare
	json "$SUMS" "lock('counter/spinlock')['acquisitions'] == 0" \
		"lock('counter/spinlock')['sites'] == []" "lock('counter/mutex') == $others"
}

# Each operation of the writer is one acquisition: it has counted one more at most.
counts_go_on() {
	local dir="$LOCKS/hello!position" ops before after acquired _
	load stats=times
	insert "$HELLO" || fail "insmod hello_child: $ERROR"
	ops=$CHILDREN/$(id_of hello-writer)/ops
	for _ in {1..200}; do
		[ "$(cat "$ops")" -le 100 ] || break
		sleep 0.1
	done
	before=$(cat "$ops")
	echo x >"$dir/reset" || fail "it is not reset"
	after=$(cat "$ops")
	for _ in {1..200}; do
		[ "$(cat "$dir/acquisitions")" -le 100 ] || break
		sleep 0.1
	done
	local from to
	from=$(cat "$ops")
	acquired=$(cat "$dir/acquisitions")
	to=$(cat "$ops")
	[ "$acquired" -gt 100 ] || fail "it counts no more: $acquired"
	((from - after - 1 <= acquired && acquired <= to - before + 1)) ||
		fail "$acquired, not $((from - after)) to $((to - before))"
	unload hello_child
}

# How reading it ends, in the words of the C library.
reading() {
	cat <&"$1" 2>&1 >/dev/null | sed 's/.*: //'
}

open_when_it_goes() {
	local id state ops sites reset
	load
	insert "$HELLO" || fail "insmod hello_child: $ERROR"
	id=$(id_of hello-writer)
	exec {state}<"$CHILDREN/$id/state" {ops}<"$CHILDREN/$id/ops" {sites}<"$LOCKS/hello!position/sites"
	exec {reset}>"$LOCKS/hello!position/reset"
	[ "$(head -c 3 <&"$state")" = run ] || fail "it does not run"
	# They keep the library, but not the module whose child it is.
	unload hello_child
	[ ! -e "$CHILDREN/$id" ] || fail "its directory is left"
	[ ! -e "$LOCKS/hello!position" ] || fail "the lock's directory is left"
	local fd
	for fd in "$state" "$ops" "$sites"; do
		[ "$(reading "$fd")" = "Input/output error" ] || fail "$fd: reads: $(reading "$fd")"
	done
	ERROR=$({ echo x >&"$reset"; } 2>&1) && fail "what is gone can be reset"
	[[ $ERROR == *"Input/output error" ]] || fail "reset says: $ERROR"
	exec {ops}<&- {sites}<&- {reset}>&-
	ERROR=$(rmmod childkernel 2>&1) && fail "the library goes with a file open"
	[[ $ERROR == *"in use"* ]] || fail "rmmod says: $ERROR"
	exec {state}<&-
	unload childkernel
}

keeps_the_module() {
	local fd file
	for file in "$CHILDREN/1/memory" "$LOCKS/counter!spinlock/hold_ns"; do
		load workload=counter primitive=spinlock cpus=0
		exec {fd}<"$file"
		ERROR=$(rmmod childkernel 2>&1) && fail "$file: rmmod took it away"
		[[ $ERROR == *"in use"* ]] || fail "$file: rmmod says: $ERROR"
		[ -n "$(cat <&"$fd")" ] || fail "$file: can not be read"
		exec {fd}<&-
		unload childkernel
	done
}

# Four readers, and things that come and go six times.
read_while_they_come_and_go() {
	local n readers=()
	rm -f "$TMP/stop"
	load workload=counter primitive=spinlock,mutex cpus=0 children=2
	for n in 1 2 3 4; do
		python3 -I -S "$HERE/files.py" watch "$DEBUGFS" "$TMP/stop" >"$TMP/watch.$n" 2>&1 &
		readers+=($!)
	done
	for n in {1..6}; do
		insert "$HELLO" || fail "insmod hello_child: $ERROR"
		unload hello_child
	done
	# The last of them stays until it has been seen.
	insert "$HELLO" || fail "insmod hello_child: $ERROR"
	sleep 1
	unload hello_child
	: >"$TMP/stop"
	for n in 1 2 3 4; do
		wait "${readers[n - 1]}" || fail "reader $n: $(cat "$TMP/watch.$n")"
		diag "$(cat "$TMP/watch.$n")"
		grep -qE '^reads=[1-9].*count-spin.*hello' "$TMP/watch.$n" || fail "reader $n has seen little"
	done
	[ "$(entries "$CHILDREN")" = "1 2 3 4" ] || fail "children: $(entries "$CHILDREN")"
	unload childkernel
}

begin 9
try "modes" modes
try "they say what stats.json says" ended
if [ -e "$OUTSIDER" ]; then
	try "a child that has failed, and others" of_outsider
	try "locks of the same name" same_names
else
	try_skip "a child that has failed, and others" "CK_EXTERN_DIR has no outsider/outsider.ko"
	try_skip "locks of the same name" "the same"
fi
try "reset is zero" reset_is_zero
try "counts go on after it" counts_go_on
try "a file that is open when its child or lock goes" open_when_it_goes
try "a file that is open keeps the module" keeps_the_module
try "reading while children and locks come and go" read_while_they_come_and_go
finish
