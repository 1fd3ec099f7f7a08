# The way of requests, for --trace io.
TRACETESTS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/trace/*.c))
tests: $(TRACETESTS)
