# Tests of what the user sees: reports against golden files, symbols, options, scenarios, and the command line's answers to
# bad input. `make -f tools/build.mk rebase-report` writes the golden files anew.
TR := $(B)/tests/report
TR_OBJ := $(patsubst %.c,$(B)/%.o,$(wildcard host/report/*.c host/scenario/*.c) host/registry/stream.c host/base/status.c host/base/temporary.c host/cli/options.c host/cli/near.c \
	tests/report/mock/contracts.c) $(B)/host/scenario/scripts.o
TR_TESTS := $(patsubst tests/report/%.c,$(TR)/%,$(wildcard tests/report/*_test.c))

$(TR)/%.o: tests/report/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@
$(TR)/%_test: $(TR)/%_test.o $(TR_OBJ)
	$(CC) -o $@ $^ $(LIBS) -lcmocka
$(TR)/stuck.sys $(TR)/epilogue.sys: $(TR)/%.sys: tests/report/%.S
	@mkdir -p $(@D)
	x86_64-w64-mingw32-gcc -g -ffile-prefix-map=$(CURDIR)/= $(DRVLD) -o $@ $< -lntoskrnl
$(TR)/dwarf/names.sys: tests/report/names.c
	@mkdir -p $(@D)
	$(DRVCC) $(DRVLD) -o $@ $< -lntoskrnl
$(TR)/pdb/names.sys: tests/report/names.c tests/report/names.def
	@mkdir -p $(@D)
	clang --target=x86_64-pc-windows-msvc -fgnuc-version=4.2.1 -fms-extensions -ffreestanding -funwind-tables -gcodeview -g -O1 \
		-isystem $(W) -isystem $(W)/ddk -c $< -o $(@D)/names.obj
	llvm-dlltool -m i386:x86-64 -d tests/report/names.def -l $(@D)/nt.lib
	lld-link /driver /subsystem:native /entry:DriverEntry /nodefaultlib /debug $(@D)/names.obj $(@D)/nt.lib /out:$@

$(TR)/libmissing.a: tests/report/missing.def
	@mkdir -p $(@D)
	x86_64-w64-mingw32-dlltool -d $< -l $@
$(TR)/missing.sys: tests/report/missing.c $(TR)/libmissing.a
	$(DRVCC) $(DRVLD) -o $@ $^ -lntoskrnl
$(TR)/fails.sys: tests/report/fails.c
	@mkdir -p $(@D)
	$(DRVCC) $(DRVLD) -o $@ $< -lntoskrnl

TR_DRIVERS := $(addprefix $(TR)/,stuck.sys epilogue.sys dwarf/names.sys pdb/names.sys missing.sys fails.sys)

.PHONY: tests-report rebase-report
tests: $(TR_TESTS) $(TR_DRIVERS)
tests-report: all $(TR_TESTS) $(TR_DRIVERS)
	@for t in $(TR_TESTS); do $$t || exit 1; done
rebase-report: $(TR)/report_test $(TR)/stuck.sys
	@$< --rebase
