$(B)/tests/bench/time: tests/bench/time.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Werror -o $@ $< -pthread
tests: $(B)/tests/bench/bench.sys $(B)/tests/bench/trip.sys $(B)/tests/bench/time
