# The seeded mistakes and their twins.
RACES := $(patsubst tests/%.c,$(B)/tests/%.sys,$(wildcard tests/races/*/*.c))
$(RACES): tests/races/race.h
tests: $(RACES)
.PHONY: races
races: all $(RACES)
