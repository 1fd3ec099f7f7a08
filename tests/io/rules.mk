# Drivers that test the upper half of the executive from inside.
IOTESTS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/io/*.c))
$(B)/tests/io/%.sys: tests/io/%.c tests/io/test.h
	@mkdir -p $(@D)
	$(DRVCC) $(DRVLD) -o $@ $< -lntoskrnl -lhal
tests: $(IOTESTS)
