# Registry text on its own, under sanitizers; and machines that begin with it and save it.
REGSRC := host/registry/parse.c host/registry/stream.c host/registry/write.c
tests: $(B)/tests/registry/parse_test $(B)/tests/registry/settings.sys
$(B)/tests/registry/parse_test: tests/registry/parse_test.c $(REGSRC) $(wildcard host/registry/*.h) include/door.h
	@mkdir -p $(@D)
	gcc -std=gnu11 -g -O1 -Wall -Wextra -Wno-unused-parameter -Iinclude -Ihost -fsanitize=address,undefined \
		-fno-sanitize-recover=all -o $@ $< $(REGSRC) -lcmocka
$(B)/tests/registry/settings.sys: tests/io/test.h tests/cm/key.h
