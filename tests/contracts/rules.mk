# Contracts: what the tables tool refuses, the look-ups of the host, and every routine called at every level.
CT := $(B)/tests/contracts

$(CT)/%.o: tests/contracts/%.c | $(B)/gen/contracts.stamp
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@
$(CT)/contracts_test: $(CT)/contracts_test.o $(MACHINEOBJ)
	$(CC) -o $@ $^ $(LIBS)
$(CT)/lookup_test: $(CT)/lookup_test.o $(B)/host/report/contracts.o $(B)/gen/contracts_host.o
	$(CC) -o $@ $^ -lcmocka
# Its imports come from our own import libraries: mingw's lack the newer names. hal.dll first, so that forwarders are used.
# Linked by lld, because GNU ld puts the members of lld's import libraries in the wrong order.
$(CT)/calls.o: tests/contracts/calls.c $(B)/gen/contracts.stamp
	@mkdir -p $(@D)
	$(DRVCC) -Wextra -Werror -Wno-unused-parameter -fno-builtin -ffreestanding -Iinclude -I$(B)/gen -c $< -o $@
$(CT)/contract_test.sys: $(CT)/calls.o $(B)/nt/ntoskrnl.exe $(B)/nt/hal.dll
	ld.lld -m i386pep --subsystem native -e DriverEntry -shared --dynamicbase --exclude-all-symbols -o $@ $< $(B)/nt/libhal.a \
		$(B)/nt/libntoskrnl.a

tests: $(CT)/contracts_test $(CT)/lookup_test $(CT)/contract_test.sys
