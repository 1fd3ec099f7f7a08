# Drivers that test the registry from inside.
CMTESTS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/cm/*.c))
$(CMTESTS): tests/io/test.h tests/cm/key.h tests/cm/hives.h
tests: $(CMTESTS)
