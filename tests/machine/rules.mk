# Tests of the machine and the supervisor: test kernels (PE) and one host program that runs them.
TM := $(B)/tests/machine
TM_KERNELS := $(patsubst tests/machine/kernel_%.c,%,$(wildcard tests/machine/kernel_*.c))
TM_PARTS := $(wildcard host/base/*.c host/devices/*.c host/machine/*.c host/machine/*.S host/sandbox/*.c host/sandbox/*.S host/supervisor/*.c host/loader/*.c)
TM_OBJ := $(patsubst %,$(TM)/obj/%.o,$(TM_PARTS) tests/machine/harness.c)

$(TM)/obj/%.o: %
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -Itests/machine -c $< -o $@
$(TM)/pe/%.o: tests/machine/%.c tests/machine/kernel.h tests/machine/traps.h include/door.h
	@mkdir -p $(@D)
	$(NTCC) -c $< -o $@
$(TM)/%/ntoskrnl.exe: $(TM)/pe/kernel_%.o $(TM)/pe/kernel.o $(TM)/pe/traps.o
	@mkdir -p $(@D)
	ld.lld -m i386pep --subsystem native -e KiSystemStartup -shared --export-all-symbols --image-base 0x1a0000000000 \
		--dynamicbase -o $@ $^ --out-implib $(@D)/libnt.a
$(TM)/%/hal.dll: $(TM)/pe/hal.o $(TM)/%/ntoskrnl.exe
	ld.lld -m i386pep --subsystem native -Xlink=-noentry -shared --export-all-symbols -o $@ $< $(@D)/libnt.a
$(TM)/images/driver.sys: $(TM)/pe/driver.o $(TM)/images/ntoskrnl.exe
	ld.lld -m i386pep --subsystem native -e DriverEntry -shared --dynamicbase -o $@ $< $(@D)/libnt.a
$(TM)/bench_machine: $(TM)/obj/tests/machine/bench_machine.c.o $(TM_OBJ)
	$(CC) -Wl,-z,now -o $@ $^ $(LIBS)
$(TM)/%_test: $(TM)/obj/tests/machine/%_test.c.o $(TM_OBJ)
	$(CC) -Wl,-z,now -o $@ $^ $(LIBS) -lcmocka

TM_TESTS := $(patsubst tests/machine/%.c,$(TM)/%,$(wildcard tests/machine/*_test.c))
.PHONY: tests-machine
tests-machine: $(TM_TESTS) $(foreach k,$(TM_KERNELS),$(TM)/$(k)/ntoskrnl.exe $(TM)/$(k)/hal.dll) $(TM)/images/driver.sys
	@for t in $(TM_TESTS); do $$t || exit 1; done
.PHONY: bench-machine
bench-machine: $(TM)/bench_machine $(TM)/bench/ntoskrnl.exe $(TM)/bench/hal.dll
	@$<
