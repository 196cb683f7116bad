# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
#
# What the topics that harm the kernel share, after lib.sh.

TAINT_DIE=$((1 << 7))
# What a warning leaves, as that of a kernel that looks for who sleeps where.
TAINT_WARN=$((1 << 9))
# What a task_struct takes, at most.
TASK_KIB=16

# check_oopses N KIND [NAME]: the log, on standard input, has so many oopses, of this
# kind and of no threads but those that are called crash, or NAME, and no other splat: no
# lockup, no stall, nothing of what is held. But who dies inside an RCU read-side
# critical section ends inside it, and a kernel that looks for who sleeps there
# says so.
check_oopses() {
	local found
	found=$(awk -v expected="$1" -v kind="$2" -v splat="$SPLAT" -v whose="^${3:-crash}(/[0-9a-z]+)?$" '
		/^rust_kernel: panicked at/ { n["panic"]++; next }
		/^kernel BUG at/ { n["bug"]++; next }
		/^BUG: kernel NULL pointer dereference/ { n["null"]++; next }
		/^BUG: unable to handle page fault/ { n["fault"]++; next }
		/^Oops: / { oopses++; next }
		/^BUG: sleeping function called from invalid context/ { asleep = $0; next }
		/^RCU nest depth: [1-9][0-9]*, expected: 0$/ { excused = asleep != ""; next }
		/ Comm: / {
			if (asleep == "")
				dead++
			else if (!excused)
				print asleep
			asleep = ""
			excused = 0
			name = $0
			sub(/.* Comm: /, "", name)
			sub(/ .*/, "", name)
			if (name !~ whose)
				print "not one of ours: " $0
			next
		}
		/Call Trace:|---\[ end trace|\[ cut here \]/ { next }
		$0 ~ splat { print }
		END {
			if (asleep != "")
				print asleep
			# A panic ends in a BUG().
			n["bug"] -= n["panic"]
			if (oopses != expected || dead != expected)
				print oopses + 0 " oopses of " dead + 0 " threads, not " expected
			if (kind != "any" && n[kind] != expected)
				print n[kind] + 0 " of kind " kind ", not " expected
		}')
	[ -z "$found" ] || fail "in the log: $found"
}

check_logged_oopses() {
	read_log
	check_oopses "$@" < <(printf '%s\n' "${LOGGED[@]}")
}

# What results.py is to excuse in the log; who dies is called so in each of them.
expect_oopses() {
	echo "childkernel-selftest: expect-begin Comm: (crash|count-)" >/dev/kmsg
}

expect_no_more() {
	echo "childkernel-selftest: expect-end" >/dev/kmsg
}

# lock_down FILE...: under lockdown what is shown can be read, these files can not
# be written, and who has children goes on. It can not be undone.
lock_down() {
	local before file
	echo integrity >/sys/kernel/security/lockdown || fail "no lockdown"
	snapshot
	before=$(value ops)
	sleep 0.3
	json "ops > $before"
	[ -s "$SUMMARY" ] || [ -n "$(<"$SUMMARY")" ] || fail "can not read summary"
	for file; do
		[ -e "$file" ] || continue
		! { ERROR=$({ echo none >"$file"; } 2>&1); } || fail "$file can be written"
		[[ $ERROR == *"Operation not permitted" ]] || fail "$file: $ERROR"
	done
}
