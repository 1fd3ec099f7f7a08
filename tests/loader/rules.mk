# Tests of host/loader: drivers built by three tool chains, cmocka tests over them, and a mutation fuzzer under ASan.
LT := $(B)/tests/loader
LTSRC := $(wildcard host/loader/*.c)
LTHDR := $(wildcard host/loader/*.h) include/door.h tests/loader/tests.h tests/loader/mutate.h
LTIMG := $(LT)/gcc.sys $(LT)/clang.sys $(LT)/msvc.sys $(LT)/bare.sys
LTCC := gcc -std=gnu11 -g -Wall -Wextra -Werror -Wno-unused-parameter -Wno-missing-field-initializers -Iinclude -Ihost -Ihost/loader \
	-DIMAGES='"$(LT)"' -ffile-prefix-map=$(CURDIR)=.
LTCLANG := -std=gnu11 -fms-extensions -ffreestanding -O2 -fno-stack-protector -isystem $(W) -isystem $(W)/ddk -w

.PHONY: tests-loader
tests: tests-loader
tests-loader: $(LT)/test_image $(LT)/test_patch $(LT)/test_random $(LT)/fuzz

$(LT)/libnt.a: tests/loader/nt.def
	@mkdir -p $(@D)
	llvm-dlltool-14 -m i386:x86-64 -d $< -l $@
# GNU ld makes an empty import table of llvm's short import objects, so it gets a library of its own kind.
$(LT)/libntgnu.a: tests/loader/nt.def
	@mkdir -p $(@D)
	x86_64-w64-mingw32-dlltool -m i386:x86-64 -d $< -l $@
$(LT)/gcc.sys: tests/loader/driver.c $(LT)/libntgnu.a
	x86_64-w64-mingw32-gcc -std=gnu11 -O2 -g -w -fno-stack-protector -I$(W)/ddk -nostdlib -shared -Wl,--subsystem,native \
		-Wl,--entry,DriverEntry -Wl,--dynamicbase -o $@ $< $(LT)/libntgnu.a
$(LT)/clang.sys: tests/loader/driver.c $(LT)/libnt.a
	clang --target=x86_64-w64-mingw32 -funwind-tables -g -gdwarf-4 $(LTCLANG) -c $< -o $(LT)/clang.o
	ld.lld -m i386pep --subsystem native -e DriverEntry -shared --dynamicbase -o $@ $(LT)/clang.o $(LT)/libnt.a
$(LT)/msvc.sys: tests/loader/driver.c $(LT)/libnt.a
	clang --target=x86_64-pc-windows-msvc -fgnuc-version=4.2.1 -funwind-tables -gcodeview -g $(LTCLANG) -c $< -o $(LT)/msvc.obj
	lld-link /driver /subsystem:native /entry:DriverEntry /nodefaultlib /out:$@ $(LT)/msvc.obj $(LT)/libnt.a
$(LT)/bare.sys: tests/loader/driver.c $(LT)/libnt.a
	clang --target=x86_64-w64-mingw32 -fno-asynchronous-unwind-tables $(LTCLANG) -c $< -o $(LT)/bare.o
	ld.lld -m i386pep --subsystem native -e DriverEntry -shared --dynamicbase -o $@ $(LT)/bare.o $(LT)/libnt.a

$(LT)/test_image: tests/loader/test_image.c $(LTSRC) $(LTHDR) | $(LTIMG)
	$(LTCC) -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -o $@ $< $(LTSRC) -lcmocka -lZydis
$(LT)/test_patch: tests/loader/test_patch.c tests/loader/code.S $(LTSRC) $(LTHDR) | $(LTIMG)
	$(LTCC) -O1 -o $@ $< tests/loader/code.S $(LTSRC) -lcmocka -lZydis
$(LT)/test_random: tests/loader/test_random.c tests/loader/code.S $(LTSRC) $(LTHDR)
	@mkdir -p $(@D)
	$(LTCC) -O1 -o $@ $< tests/loader/code.S $(LTSRC) -lcmocka -lZydis
$(LT)/fuzz: tests/loader/fuzz.c $(LTSRC) $(LTHDR) | $(LTIMG)
	$(LTCC) -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -o $@ $< $(LTSRC) -lZydis
