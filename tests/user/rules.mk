USERTESTS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/user/*.c))
$(USERTESTS): $(wildcard tests/user/*.h)
tests: $(USERTESTS)
