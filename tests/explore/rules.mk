# Exploration: small drivers whose mistake only some schedules show, and their twins.
TE := $(B)/tests/explore
TE_DRIVERS := $(patsubst tests/explore/drivers/%.c,$(TE)/%.sys,$(wildcard tests/explore/drivers/*.c))
TE_PARTS := $(wildcard host/base/*.c host/machine/*.c host/machine/*.S host/sandbox/*.c host/sandbox/*.S host/supervisor/*.c \
	host/loader/*.c host/devices/*.c host/explore/*.c host/scenario/*.c host/scenario/*.S host/registry/*.c)
TE_OBJ := $(patsubst %.S,$(B)/%.o,$(patsubst %.c,$(B)/%.o,$(TE_PARTS)))

$(TE)/%.sys: DRVCC += -Wno-multichar -Wno-array-bounds -Werror
$(TE)/%.sys: tests/explore/drivers/%.c tests/explore/drivers/threads.h | $(DRVLIBS)
	@mkdir -p $(@D)
	$(DRVCC) $(DRVLD) -o $@ $< -lntoskrnl -lhal
# The same driver, built in another way: other code, other bytes.
$(TE)/other/%.sys: tests/explore/drivers/%.c tests/explore/drivers/threads.h
	@mkdir -p $(@D)
	$(DRVCC) -O0 $(DRVLD) -o $@ $< -lntoskrnl -lhal
$(TE)/%: tests/explore/%.c $(TE_OBJ)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MF $@.d -Wl,-z,now -o $@ $< $(TE_OBJ) $(LIBS) -lcmocka

.PHONY: tests-explore
tests-explore: all $(TE_DRIVERS) $(B)/tests/user/queue.sys $(TE)/other/flag_bad.sys $(TE)/record_test $(TE)/extents_test $(TE)/repeat_test $(TE)/bench_explore
tests: tests-explore
