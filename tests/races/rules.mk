# The seeded mistakes and their twins.
RACES := $(patsubst tests/%.c,$(B)/tests/%.sys,$(wildcard tests/races/*/*.c))
$(RACES): tests/races/race.h
$(RACES): DRVCC += -Wno-array-bounds # gs:[...] of the public headers, to some versions of gcc
tests: $(RACES)
.PHONY: races
races: all $(RACES)
$(RACES): $(wildcard tests/races/*/*.h) tests/devices/card.h
