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

quiet_cmd_childkernel_abi = ABI     $@
      cmd_childkernel_abi = sed 's/.define CHILDKERNEL_ABI \(.*\)/extern const char \1;\
		static const void *const built_against __attribute__((used)) = \&\1;/' $< > $@

$(addprefix $(obj)/,$(childkernel-dependants:%=%_childkernel.c)): $(obj)/%_childkernel.c: \
		$(CHILDKERNEL)/childkernel_abi.h FORCE
	$(call if_changed,childkernel_abi)

targets += $(childkernel-dependants:%=%_childkernel.c)
clean-files += $(childkernel-dependants:%=%_childkernel.c)

ifneq ($(KBUILD_EXTMOD),)
ifneq ($(abspath $(CHILDKERNEL)),$(abspath $(obj)))
KBUILD_EXTRA_SYMBOLS += $(CHILDKERNEL)/Module.symvers
endif
endif
