# Drivers that test the transaction manager and transacted keys from inside.
TMTESTS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/tm/*.c))
$(TMTESTS): tests/io/test.h tests/cm/key.h
tests: $(TMTESTS)
