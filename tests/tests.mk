# What the tests need built. Every tests/*/rules.mk adds to `tests`.
RULEDRIVERS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/rules/*/*.c) $(wildcard tests/kernel/*.c))

$(B)/tests/%.sys: tests/%.c $(wildcard tests/kernel/*.h)
	@mkdir -p $(@D)
	$(DRVCC) $(DRVLD) -o $@ $< -lntoskrnl -lhal

tests: all $(RULEDRIVERS)
