# What the tests need built. Every tests/*/rules.mk adds to `tests`.
RULEDRIVERS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/rules/*/*.c) $(wildcard tests/kernel/*.c))

# Imports go by name, so a driver that is linked stays right when the library grows: it is no reason to build it again.
$(B)/tests/%.sys: tests/%.c $(wildcard tests/kernel/*.h) | $(DRVLIBS) $(B)/pch/ntddk.h.gch
	@mkdir -p $(@D)
	$(DRVCC) $(DRVLD) -o $@ $< -lntoskrnl -lhal

tests: all $(RULEDRIVERS)
