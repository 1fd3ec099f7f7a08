$(B)/tests/determinism/driver.sys: DRVCC += -Wno-multichar -Wno-array-bounds -Werror
tests: $(B)/tests/determinism/driver.sys
