# INF files on their own, under sanitizers.
INFSRC := $(wildcard host/inf/*.c) host/registry/stream.c
tests: $(B)/tests/inf/inf_test
$(B)/tests/inf/inf_test: tests/inf/inf_test.c $(INFSRC) $(wildcard host/inf/*.h host/registry/*.h) include/door.h
	@mkdir -p $(@D)
	gcc -std=gnu11 -g -O1 -Wall -Wextra -Wno-unused-parameter -Iinclude -Ihost -fsanitize=address,undefined \
		-fno-sanitize-recover=all -o $@ $< $(INFSRC) -lcmocka
