# Tests of devices from inside.
DEVICETESTS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/devices/*.c))
$(DEVICETESTS): tests/devices/card.h
$(DEVICETESTS): DRVCC += -Wno-multichar -Wno-array-bounds -Werror
tests: $(DEVICETESTS)
RULEDEVICES := $(shell grep -l devices/card.h tests/rules/*/*.c 2>/dev/null)
$(RULEDEVICES:%.c=$(B)/%.sys): tests/devices/card.h
