$(B)/tests/mutated/mutated: tests/mutated/mutated.c tests/loader/mutate.h tests/loader/tests.h
	@mkdir -p $(@D)
	gcc -std=gnu11 -O1 -g -Wall -Wextra -Werror -Wno-unused-parameter -Wno-missing-field-initializers -Wno-unused-function \
		-Iinclude -Ihost -Ihost/loader -Itests/loader -o $@ $<
tests: $(B)/tests/mutated/mutated
