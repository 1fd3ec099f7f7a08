# What the tests need built. Every tests/*/rules.mk adds to `tests`.
RULEDRIVERS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/rules/*/*.c) $(wildcard tests/kernel/*.c))

# Imports go by name, so a driver that is linked stays right when the library grows: it is no reason to build it again.
# mingw's import libraries lack some routines. What it lacks comes from a library of all that the kernel exports, made by
# mingw's own tool: GNU ld lays out import tables wrongly when lld's kind of library is mixed in.
$(B)/tests/libntoskrnl-all.a: $(B)/gen/contracts.stamp
	@mkdir -p $(@D)
	x86_64-w64-mingw32-dlltool -d $(B)/gen/ntoskrnl.def -l $@

$(B)/tests/%.sys: tests/%.c $(wildcard tests/kernel/*.h) | $(B)/tests/libntoskrnl-all.a $(B)/pch/ntddk.h.gch
	@mkdir -p $(@D)
	$(DRVCC) $(DRVLD) -o $@ $< -lntoskrnl -lhal $(B)/tests/libntoskrnl-all.a

tests: all $(RULEDRIVERS)
