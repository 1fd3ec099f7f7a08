# The same driver in two builds, and the program itself built without optimisation (over the same kernel).
TD := $(B)/tests/determinism
$(TD)/driver.sys $(TD)/O0/driver.sys: DRVCC += -Wno-multichar -Wno-array-bounds -Werror
$(TD)/O0/driver.sys: tests/determinism/driver.c | $(DRVLIBS)
	@mkdir -p $(@D)
	$(DRVCC) -O0 $(DRVLD) -o $@ $< -lntoskrnl -lhal
tests: $(TD)/driver.sys $(TD)/O0/driver.sys

.PHONY: plain
plain: all
	@mkdir -p $(B)/plain
	@ln -sfn ../nt $(B)/plain/nt
	@$(MAKE) --no-print-directory -f tools/build.mk B=$(B)/plain OPT=-O0 $(B)/plain/irqlab
