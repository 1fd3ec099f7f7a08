# Test drivers for `irqlab test`.
tests: $(patsubst %.c,$(B)/%.sys,$(wildcard tests/test/*.c))
