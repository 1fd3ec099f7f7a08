# What the tests need built. Every tests/*/rules.mk adds to `tests`.
RULEDRIVERS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/rules/*/*.c) $(wildcard tests/kernel/*.c))

# mingw's import libraries lack some routines; ours has all that the kernel exports.
$(B)/tests/%.sys: tests/%.c $(wildcard tests/kernel/*.h) | $(B)/nt/ntoskrnl.exe
	@mkdir -p $(@D)
	$(DRVCC) $(DRVLD) -o $@ $< -lntoskrnl -lhal $(B)/nt/libntoskrnl.a

tests: all $(RULEDRIVERS)
