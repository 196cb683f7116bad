# SPDX-License-Identifier: GPL-2.0
#
# childkernel.mk: the lines that a module using childkernel includes in its
# Kbuild, after its own obj-m and <module>-y:
#
#     obj-m := outsider.o
#     outsider-y := main.o
#     include $(CHILDKERNEL)/childkernel.mk
#
# CHILDKERNEL is the folder that holds this file, libchildkernel.rmeta,
# childkernel_abi.h and Module.symvers: the library's build folder, or where
# "make modules_install" put them.
#
# In a kernel tree the library and those that use it are built by one Kbuild, as
# the samples are here: make has no other way to know the order.
#
# Each module gets one small object more. It refers to the symbol whose name is
# the hash of the library it was built against: the kernel refuses to load the
# module beside any other build of the library, and the log names the reason.

ifeq ($(CHILDKERNEL),)
$(error childkernel: set CHILDKERNEL to the folder that holds childkernel.mk)
endif

childkernel-dependants ?= $(patsubst %.o,%,$(filter %.o,$(obj-m)))

$(foreach m,$(childkernel-dependants),$(if $(strip $($(m)-y) $($(m)-objs)),,\
	$(error childkernel: module $(m): list its objects, e.g. "$(m)-y := main.o", before this include)))

childkernel-objects := $(foreach m,$(childkernel-dependants),$($(m)-y) $($(m)-objs))

$(foreach m,$(childkernel-dependants),$(eval $(m)-y += $(m)_childkernel.o))
$(foreach o,$(childkernel-objects),$(eval \
	RUSTFLAGS_$(o) += -L $(CHILDKERNEL) --extern childkernel))
$(addprefix $(obj)/,$(childkernel-objects)): $(CHILDKERNEL)/libchildkernel.rmeta

# INLINE=1, in a kernel tree CONFIG_CHILDKERNEL_INLINE: what Rust calls of C that
# is inline there, the kernel's helpers and the library's, is linked into each
# Rust object as bitcode before machine code is made of it, as kernels do with
# RUST_INLINE_HELPERS. This is their command (scripts/Makefile.build), for any
# kernel; clang has to be of the same LLVM as rustc.
ifneq ($(KBUILD_EXTMOD),)
CONFIG_CHILDKERNEL_INLINE := $(if $(filter 1 y,$(INLINE)),y)
endif

childkernel-target-x86 := x86_64-linux-gnu
childkernel-target-arm64 := aarch64-linux-gnu
childkernel-target-um := x86_64-linux-gnu

ifdef CONFIG_CHILDKERNEL_INLINE
CLANG ?= clang
childkernel-clang := $(if $(CONFIG_CC_IS_CLANG),$(CC),$(CLANG))
childkernel-llvm-link := $(or $(LLVM_LINK),llvm-link)
childkernel-check-clang = test "$$($(childkernel-clang) -dumpversion | cut -d. -f1)" = \
	"$(CONFIG_RUSTC_LLVM_MAJOR_VERSION)" || { echo >&2 "INLINE=1 needs clang \
	$(CONFIG_RUSTC_LLVM_MAJOR_VERSION), the LLVM of rustc: set CLANG and LLVM_LINK"; false; }

# gcc's flags, as clang calls them. What it has no word for changes no layout and
# is no mitigation. Rust's functions have no calls of ftrace, so these have none.
childkernel-clang-flags = $(if $(CONFIG_CC_IS_CLANG),$(CLANG_FLAGS) $(filter-out $(CC_FLAGS_LTO),$1), \
	--target=$(childkernel-target-$(SRCARCH)) \
	$(filter-out -W% -mpreferred-stack-boundary=% -mindirect-branch% -mno-fp-ret-in-387 \
		-mrecord-mcount -mfentry -pg -fmin-function-alignment=% -falign-% -fconserve-stack \
		-fno-allow-store-data-races -fzero-init-padding-bits=% -fsanitize=bounds-strict \
		-fdiagnostics-% -fplugin% --param%,$(filter-out -Wp$(comma)%,$1)) $(filter -Wp$(comma)%,$1) \
	$(patsubst -mpreferred-stack-boundary=3,-mstack-alignment=8,$(filter -mpreferred-stack-boundary=3,$1)) \
	$(if $(filter -mindirect-branch=thunk-extern,$1),-mretpoline-external-thunk) \
	$(filter -mindirect-branch-cs-prefix,$1) \
	$(if $(filter -fsanitize=bounds-strict,$1),-fsanitize=array-bounds) \
	$(patsubst -fmin-function-alignment=%,-falign-functions=%,$(filter -fmin-function-alignment=%,$1)))

childkernel-bitcode = $(CHILDKERNEL)/libchildkernel$(if $(part-of-module),_module).bc
childkernel-cmd-rustc = $(rust_common_cmd) --emit=llvm-bc=$(@:.o=.bc) $<; \
	$(childkernel-llvm-link) --internalize --suppress-warnings $(@:.o=.bc) $(childkernel-bitcode) \
		$(if $(CONFIG_RUST_INLINE_HELPERS),$(objtree)/rust/helpers/helpers$(if $(part-of-module),_module).bc) \
		-o $(@:.o=.m.bc); \
	$(childkernel-clang) $(call childkernel-clang-flags,$(KBUILD_CFLAGS)) \
		-mllvm -trap-unreachable -mllvm -no-trap-after-noreturn \
		-Wno-override-module -Wno-unused-command-line-argument -c $(@:.o=.m.bc) -o $@ $(cmd_ld_single) $(cmd_objtool)

$(addprefix $(obj)/,$(childkernel-objects)): private cmd_rustc_o_rs = $(childkernel-cmd-rustc)
$(addprefix $(obj)/,$(childkernel-objects)): $(CHILDKERNEL)/libchildkernel_module.bc \
	$(if $(KBUILD_EXTMOD),,$(CHILDKERNEL)/libchildkernel.bc)

ifneq ($(abspath $(CHILDKERNEL)),$(abspath $(obj)))
$(CHILDKERNEL)/libchildkernel_module.bc:
	@echo >&2 "$@ is missing: build the library with INLINE=1, or this without"; false
endif
endif

quiet_cmd_childkernel_abi = ABI     $@
      cmd_childkernel_abi = sed 's/.define CHILDKERNEL_ABI \(.*\)/extern const char \1;\
		static const void *const built_against __attribute__((used)) = \&\1;/' $< > $@

$(addprefix $(obj)/,$(childkernel-dependants:%=%_childkernel.c)): $(obj)/%_childkernel.c: \
		$(CHILDKERNEL)/childkernel_abi.h FORCE
	$(call if_changed,childkernel_abi)

targets += $(childkernel-dependants:%=%_childkernel.c)
clean-files += $(childkernel-dependants:%=%_childkernel.c) \
	$(childkernel-objects:.o=.bc) $(childkernel-objects:.o=.m.bc)

ifneq ($(KBUILD_EXTMOD),)
ifneq ($(abspath $(CHILDKERNEL)),$(abspath $(obj)))
KBUILD_EXTRA_SYMBOLS += $(CHILDKERNEL)/Module.symvers
endif
endif
