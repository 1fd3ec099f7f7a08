# Tests of devices from inside.
DEVICETESTS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/devices/*.c))
$(DEVICETESTS): tests/devices/card.h
$(DEVICETESTS): DRVCC += -Wno-multichar -Wno-array-bounds -Werror
tests: $(DEVICETESTS)
