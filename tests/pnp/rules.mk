# Plug and Play, power, WMI: drivers that test the kernel from inside. Some import from wmilib.sys.
PNPTESTS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/pnp/*.c tests/pnp/stack/*.c))
$(PNPTESTS): $(B)/tests/pnp/%.sys: tests/pnp/%.c tests/pnp/pnp.h tests/pnp/simple.h tests/pnp/simple_body.h $(DRVLIBS) | $(B)/pch/ntddk.h.gch
	@mkdir -p $(@D)
	$(DRVCC) -Iinclude/ddk $(DRVLD) -o $@ $< -L$(B)/nt/lib -lntoskrnl -lhal -lwmilib
tests: $(PNPTESTS)
# The twins of the rules about Plug and Play and power begin with the same headers.
$(filter $(B)/tests/rules/pnp.% $(B)/tests/rules/power.%,$(RULEDRIVERS)): $(wildcard tests/pnp/*.h)
