# Event providers, with a trace and without.
ETWTESTS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/etw/*.c))
$(ETWTESTS): tests/io/test.h
tests: $(ETWTESTS)
