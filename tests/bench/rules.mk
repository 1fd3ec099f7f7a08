$(B)/tests/bench/time: tests/bench/time.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Werror -o $@ $< -pthread
tests: $(B)/tests/bench/bench.sys $(B)/tests/bench/trip.sys $(B)/tests/bench/time

# All that `make bench` runs; some of it belongs to other folders.
.PHONY: benches
benches: all $(B)/tests/bench/bench.sys $(B)/tests/bench/trip.sys $(B)/tests/bench/time $(B)/tests/explore/bench_explore \
	$(B)/tests/explore/update_good.sys $(B)/tests/explore/update_bad.sys $(B)/tests/determinism/driver.sys \
	$(B)/tests/client/bench $(B)/tests/user/echo.sys
