$(B)/tests/bench/time $(B)/tests/bench/growth: $(B)/tests/bench/%: tests/bench/%.c tests/bench/measure.c tests/bench/measure.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -g -Wall -Wextra -Werror -o $@ $< tests/bench/measure.c -pthread
tests: $(B)/tests/bench/bench.sys $(B)/tests/bench/trip.sys $(B)/tests/bench/many.sys $(B)/tests/bench/time $(B)/tests/bench/growth

# All that `make bench` runs; some of it belongs to other folders.
.PHONY: benches
benches: all $(B)/tests/bench/bench.sys $(B)/tests/bench/trip.sys $(B)/tests/bench/many.sys $(B)/tests/bench/time $(B)/tests/bench/growth \
	$(B)/tests/explore/bench_explore \
	$(B)/tests/explore/update_good.sys $(B)/tests/explore/update_bad.sys $(B)/tests/determinism/driver.sys \
	$(B)/tests/client/bench $(B)/tests/user/echo.sys
