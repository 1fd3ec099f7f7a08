# Tests of the runtime library: the kernel's own rtl objects and the tests in one PE image, run by a small ELF harness.
RTLTEST_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard nt/rtl/*.c)) $(patsubst %.S,$(B)/%.o,$(wildcard nt/rtl/*.S))
RTLTEST_SRC := $(filter-out tests/rtl/harness.c,$(wildcard tests/rtl/*.c))

$(B)/tests/rtl/harness: tests/rtl/harness.c tests/rtl/rtltest.h include/door.h
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Itests/rtl -o $@ $<
$(B)/tests/rtl/%.o: tests/rtl/%.c
	@mkdir -p $(@D)
	$(NTCC) -Itests/rtl -MMD -MP -c $< -o $@
$(B)/tests/rtl/%.o: tests/rtl/%.S
	@mkdir -p $(@D)
	$(NTCC) -c $< -o $@
$(B)/tests/rtl/rtltest.exe: $(RTLTEST_SRC:%.c=$(B)/%.o) $(B)/tests/rtl/pattern.o $(RTLTEST_OBJ)
	ld.lld -m i386pep --subsystem native -e TestStart -shared --image-base 0x1a0000000000 -o $@ $^

.PHONY: tests-rtl figures-rtl
tests-rtl: $(B)/tests/rtl/harness $(B)/tests/rtl/rtltest.exe
	$^
figures-rtl: $(B)/tests/rtl/harness $(B)/tests/rtl/rtltest.exe
	$(B)/tests/rtl/harness --figures $(B)/tests/rtl/rtltest.exe
tests: $(B)/tests/rtl/harness $(B)/tests/rtl/rtltest.exe
