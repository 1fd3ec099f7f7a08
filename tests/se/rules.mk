# Drivers that test tokens, access checks and descriptors from inside.
SETESTS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/se/*.c))
$(SETESTS): tests/io/test.h
tests: $(SETESTS)
