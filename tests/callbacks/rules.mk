# Drivers that are called back when something happens to the system; signed.sys asks to be checked as a signed driver does.
CALLBACKTESTS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/callbacks/*.c))
$(CALLBACKTESTS): tests/io/test.h
$(B)/tests/callbacks/signed.sys: DRVLD += -Wl,--forceinteg
tests: $(CALLBACKTESTS)
