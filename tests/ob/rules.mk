# Drivers that test objects, names and handles from inside.
OBTESTS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/ob/*.c))
$(OBTESTS): tests/io/test.h
tests: $(OBTESTS)
