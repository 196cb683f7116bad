# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# KVM or emulation. That /dev/kvm opens, and even makes a machine, says nothing:
# where the processor has no virtualisation of its own a guest hangs. So KVM is
# taken only if the flags are there and a trial boot has answered.

accel_flags() {
	grep -qwE 'vmx|svm' /proc/cpuinfo
}

# A different processor, host kernel or guest kernel asks again.
accel_key() {
	{
		uname -r
		grep -m 2 -E '^(model name|flags)' /proc/cpuinfo
		ls -l /dev/kvm 2>&1
		cat "$KDIR/.key"
	} | sha256sum | cut -c1-16
}

# Prints kvm or tcg.
accel_choose() {
	local key answer trial
	if [ -n "${CHILDKERNEL_ACCEL:-}" ]; then
		echo "$CHILDKERNEL_ACCEL"
		return
	fi
	if ! accel_flags || [ ! -w /dev/kvm ]; then
		echo tcg
		return
	fi
	key=$(accel_key)
	if [ "$(cut -d' ' -f1 "$LAB/accel" 2>/dev/null)" = "$key" ]; then
		cut -d' ' -f2 "$LAB/accel"
		return
	fi
	trial=$(mktemp -d "$LAB/run.XXXXXX")
	answer=tcg
	if CK_QUIET=1 "$CK_SCRIPTS/vm.sh" --lane "$LANE" --accel kvm --timeout 20 \
		--results "$trial" -- true >/dev/null 2>&1 8>&1; then
		answer=kvm
	fi
	rm -rf --one-file-system "$trial"
	echo "$key $answer" >"$LAB/accel"
	echo "$answer"
}

# One line for people.
accel_why() {
	if [ -n "${CHILDKERNEL_ACCEL:-}" ]; then
		echo "$CHILDKERNEL_ACCEL, because CHILDKERNEL_ACCEL says so"
	elif ! accel_flags; then
		echo "emulation (TCG): the processor's flags have neither vmx nor svm"
	elif [ ! -w /dev/kvm ]; then
		echo "emulation (TCG): /dev/kvm is missing or not writable"
	elif [ "$(cut -d' ' -f1 "$LAB/accel" 2>/dev/null)" != "$(accel_key)" ]; then
		echo "not known yet: the next guest tries KVM first"
	elif [ "$(cut -d' ' -f2 "$LAB/accel")" = kvm ]; then
		echo "KVM: a trial boot answered"
	else
		echo "emulation (TCG): a trial boot with KVM did not answer in 20 s (remove $LAB/accel to try again)"
	fi
}
