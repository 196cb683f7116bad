# SPDX-License-Identifier: GPL-2.0
#
# The user's door. With a kernel tree of one's own this is an external module
# like any other:
#
#     make [KDIR=/path/to/build] [MO=/path/for/objects] [LLVM=1] [CLIPPY=1] [INLINE=1]
#
# All other targets use the lab (scripts/), which needs no such tree.

KDIR ?= /lib/modules/$(shell uname -r)/build
kbuild = $(MAKE) -C $(KDIR) M=$(CURDIR) $(if $(MO),MO=$(abspath $(MO)))
LANE ?= stock

.DEFAULT_GOAL := all
.PHONY: all modules modules_install rust-analyzer demo test test-all test-crash test-deadlock model faults torture vm kdir shell check \
	bench bench-exact bench-native report pick \
	doctor help clean distclean rust-metadata

all: modules ## build the module for KDIR (default: the running kernel)

modules: rust-metadata ## the same
	+$(kbuild) modules

modules_install: rust-metadata ## install what was built, and what dependants build against
	+$(kbuild) modules_install
	@scripts/install-library.sh '$(KDIR)' '$(or $(MO),.)' '$(INSTALL_MOD_PATH)'

rust-analyzer: rust-metadata ## write rust-project.json for editors
	+$(kbuild) rust-analyzer

rust-metadata:
	@scripts/check-kdir.sh '$(KDIR)'

demo: ## child kernels under load, and one that crashes, on one screen
	@scripts/demo.sh

test: ## all tests, in virtual machines [LANE=] [BOOT=full|lazy|one-cpu] [INLINE=1]
	@scripts/test.sh '$(LANE)' $(if $(filter 1 y,$(INLINE)),inline) $(if $(BOOT),'$(BOOT)')

# What is in a value reaches the script whole.
test-all: export CK_TEST_ONLY := $(value ONLY)
test-all: ## all lanes, one after another, and a report of them [ONLY="debug uml"] [CONTINUE=1]
	@scripts/test-all.sh $${CK_TEST_ONLY:+"ONLY=$$CK_TEST_ONLY"} $(if $(CONTINUE),'CONTINUE=$(CONTINUE)')

test-crash: ## what dying children cost: a machine for each case that may take it
	@scripts/test-crash.sh '$(LANE)'

test-deadlock: ## what lockdep has to report, in a machine each (lane debug)
	@scripts/test-deadlock.sh

model: ## all interleavings and orderings of what threads share, in user space [CASES=] [WRITE=1]
	@scripts/model.sh $(if $(CASES),--cases '$(CASES)') $(if $(filter 1 y,$(WRITE)),--write)

faults: ## bad moments, bad input, failing allocations [LANE=stock|uml|debug] [SEED=] [ROUNDS=] [WRITES=]
	@scripts/faults.sh '$(LANE)' $(foreach v,SEED ROUNDS WRITES,$(if $($(v)),$(v)='$($(v))'))

torture: ## primitives used as badly as may be, and broken twins, all to be caught [MINUTES=] [SEED=] [ONLY=]
	@scripts/torture.sh LANE='$(LANE)' $(foreach v,MINUTES SEED ONLY,$(if $($(v)),$(v)='$($(v))'))

# A KDIR that was given asks for the running kernel.
bench: ## loads on hardware with perf beside them (KVM or this kernel) [SECONDS=] [QUICK=1] [EMULATED=1]
	@scripts/bench-real.sh $(foreach v,SECONDS QUICK EMULATED LLVM,$(if $($(v)),$(v)='$($(v))')) \
		$(if $(filter-out file undefined,$(origin KDIR)),KDIR='$(KDIR)')

# Values reach the script whole, whatever quotes they hold.
vm: export CK_VM_CMD := $(value CMD)
vm: ## a guest with the module loaded [MOD=dir] [CMD=...] [CPUS=] [MEM=] [TIMEOUT=]
	@scripts/open.sh LANE='$(LANE)' $(foreach v,MOD CPUS MEM TIMEOUT,$(if $($(v)),$(v)='$($(v))')) \
		$${CK_VM_CMD:+"CMD=$$CK_VM_CMD"}

bench-exact: ## instructions of each operation, Rust and C, on the stock kernel [WRITE=1]
	@scripts/bench-exact.sh $(if $(filter 1 y,$(WRITE)),--write)

bench-native: ## measure at this machine's own speed, in User Mode Linux [QUICK=1] [CPUS=]
	@scripts/bench-native.sh $(foreach v,QUICK CPUS TIMEOUT,$(if $($(v)),$(v)='$($(v))'))

report: ## build/bench/report.html of what was measured so far
	@scripts/report.sh

# Values reach the script whole, as above.
picked = READ HOLD CPUS SIZE CONTEXT SLEEP
pick: export CK_PICK_READ := $(value READ)
pick: export CK_PICK_HOLD := $(value HOLD)
pick: export CK_PICK_CPUS := $(value CPUS)
pick: export CK_PICK_SIZE := $(value SIZE)
pick: export CK_PICK_CONTEXT := $(value CONTEXT)
pick: export CK_PICK_SLEEP := $(value SLEEP)
pick: ## which lock for such data READ=95 HOLD=400ns CPUS=2 SIZE=64 [CONTEXT=] [SLEEP=]
	@scripts/pick.sh $(foreach v,$(picked),$${CK_PICK_$(v):+"$(v)=$$CK_PICK_$(v)"})

kdir: ## print a KDIR that any external Rust module can build against
	@scripts/lab.sh kdir '$(LANE)'

shell: ## enter the toolchain [MOD=dir]
	@MOD='$(MOD)' scripts/lab.sh shell

check: ## rustfmt, clippy, checkpatch, shellcheck, docs, unit tests of the scripts
	@scripts/check.sh

doctor: ## what the lab has, what it lacks, KVM or not, disk use
	@scripts/lab.sh doctor

help: ## this list
	@awk -F ':.*## ' '/^[a-z_-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' Makefile

clean: ## remove what was built
	@scripts/clean.sh '$(KDIR)'

distclean: clean ## remove the cached lab as well
	@scripts/lab.sh destroy
