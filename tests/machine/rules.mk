# Tests of the machine and the supervisor: test kernels (PE) and one host program that runs them.
TM := $(B)/tests/machine
TM_KERNELS := $(patsubst tests/machine/kernel_%.c,%,$(wildcard tests/machine/kernel_*.c))
TM_OBJ := $(MACHINEOBJ) $(TM)/harness.o

$(TM)/%.o: tests/machine/%.c
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
# a module of the kernel's that a test kernel has no use for
$(TM)/%/wmilib.sys: $(TM)/%/hal.dll
	cp $< $@
$(TM)/images/driver.sys: $(TM)/pe/driver.o $(TM)/images/ntoskrnl.exe
	ld.lld -m i386pep --subsystem native -e DriverEntry -shared --dynamicbase -o $@ $< $(@D)/libnt.a
$(TM)/bench_machine: $(TM)/bench_machine.o $(TM_OBJ)
	$(CC) -Wl,-z,now -o $@ $^ $(LIBS)
$(TM)/%_test: $(TM)/%_test.o $(TM_OBJ)
	$(CC) -Wl,-z,now -o $@ $^ $(LIBS) -lcmocka

TM_TESTS := $(patsubst tests/machine/%.c,$(TM)/%,$(wildcard tests/machine/*_test.c))
.PHONY: tests-machine
TM_ALL := $(TM_TESTS) $(foreach k,$(TM_KERNELS),$(TM)/$(k)/ntoskrnl.exe $(TM)/$(k)/hal.dll $(TM)/$(k)/wmilib.sys) $(TM)/images/driver.sys
tests: $(TM_ALL)
tests-machine: $(TM_ALL)
	@for t in $(TM_TESTS); do $$t || exit 1; done
.PHONY: bench-machine
bench-machine: $(TM)/bench_machine $(TM)/bench/ntoskrnl.exe $(TM)/bench/hal.dll
	@$<
