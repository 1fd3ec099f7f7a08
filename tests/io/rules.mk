# Drivers that test the upper half of the executive from inside.
IOTESTS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/io/*.c))
$(IOTESTS): tests/io/test.h
tests: $(IOTESTS)
