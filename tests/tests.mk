# What the tests need built. Every tests/*/rules.mk adds to `tests`.
RULEDRIVERS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/rules/*/*.c) $(wildcard tests/kernel/*.c))

# Imports go by name, so a driver that is linked stays right when the library grows: it is no reason to build it again.
$(B)/tests/%.sys: tests/%.c $(wildcard tests/kernel/*.h) | $(DRVLIBS) $(B)/pch/ntddk.h.gch
	@mkdir -p $(@D)
	$(DRVCC) $(DRVLD) -o $@ $< $(filter %.a,$^) -lntoskrnl -lhal

# imports.def in a rule's folder: what its drivers import besides.
$(B)/tests/rules/%/libimports.a: tests/rules/%/imports.def
	@mkdir -p $(@D)
	x86_64-w64-mingw32-dlltool -d $< -l $@
$(foreach d,$(wildcard tests/rules/*/imports.def),$(eval $(B)/$(dir $d)bad.sys: $(B)/$(dir $d)libimports.a))

tests: all $(RULEDRIVERS)
