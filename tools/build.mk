# What is built from what. Called by the Makefile once the packages are there.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
B := build
W := /usr/share/mingw-w64/include

# ---- the kernel: PE images, freestanding C ----
NTCC := clang --target=x86_64-w64-mingw32 -std=gnu11 -fms-extensions -ffreestanding -funwind-tables -fno-stack-protector \
	-mno-red-zone -mno-avx -fno-builtin -fno-strict-aliasing -O2 -g -gdwarf-4 -ffunction-sections -fdata-sections \
	-Wall -Wextra -Werror -Wno-unused-parameter -Wno-dll-attribute-on-redeclaration -Wno-pragma-pack -Wno-ignored-attributes \
	-Wno-microsoft-anon-tag -Wno-inconsistent-dllimport \
	-fdebug-prefix-map=$(CURDIR)=. -isystem include/ddk -isystem $(W) -isystem $(W)/ddk -Iinclude -Int -Int/inc -I$(B)/gen
NTSRC := $(wildcard nt/*/*.c)
NTASM := $(wildcard nt/*/*.S)
NTOBJ := $(NTSRC:%.c=$(B)/%.o) $(NTASM:%.S=$(B)/%.o) $(B)/gen/contracts_nt.o

# ---- the host: ELF ----
CC := gcc
OPT := -O2
CFLAGS := -std=gnu11 $(OPT) -g -Wall -Wextra -Werror -Wno-unused-parameter -Iinclude -Ihost -I$(B)/gen -MMD -MP \
	-ffile-prefix-map=$(CURDIR)=. $(shell pkg-config --cflags lua5.4 2>/dev/null)
LIBS := -lZydis $(shell pkg-config --libs lua5.4 2>/dev/null) -lm
# what a machine consists of, for programs that run one without the command line
MACHINEDIRS := base machine devices sandbox supervisor loader
MACHINESRC = $(wildcard $(MACHINEDIRS:%=host/%/*.c) $(MACHINEDIRS:%=host/%/*.S))
MACHINEOBJ = $(patsubst %.S,$(B)/%.o,$(patsubst %.c,$(B)/%.o,$(MACHINESRC)))
HOSTSRC := $(wildcard host/*/*.c)
HOSTASM := $(wildcard host/*/*.S)
HOSTOBJ := $(HOSTSRC:%.c=$(B)/%.o) $(HOSTASM:%.S=$(B)/%.o) $(B)/gen/contracts_host.o

.PHONY: all tests
all: $(B)/irqlab $(B)/nt/ntoskrnl.exe $(B)/nt/hal.dll $(B)/nt/wmilib.sys $(B)/nt/lib/libntoskrnl.a $(B)/nt/lib/libhal.a $(B)/nt/lib/libwmilib.a examples

$(B)/gen/contracts.stamp: $(wildcard tools/contracts.lua tools/contracts/*.lua contracts/*.tsv contracts/*/*.tsv)
	@mkdir -p $(B)/gen
	lua5.4 tools/contracts.lua contracts $(B)/gen
	@touch $@
$(B)/gen/contracts_nt.c $(B)/gen/contracts_host.c $(B)/gen/ntoskrnl.def $(B)/gen/hal.def $(B)/gen/wmilib.def: $(B)/gen/contracts.stamp

$(B)/gen/contracts_nt.o: $(B)/gen/contracts_nt.c
	$(NTCC) -c $< -o $@
$(B)/gen/contracts_host.o: $(B)/gen/contracts_host.c
	$(CC) $(CFLAGS) -c $< -o $@
# Every file of the kernel begins with nt.h: read once. Its own dependencies (with the system's headers) rebuild all.
$(B)/pch/nt.h.pch: nt/inc/nt.h | $(B)/gen/contracts.stamp
	@mkdir -p $(@D)
	$(NTCC) -MD -MP -MF $(@:.pch=.d) -MT $@ -x c-header $< -o $@
$(B)/nt/%.o: nt/%.c $(B)/pch/nt.h.pch
	@mkdir -p $(@D)
	$(NTCC) -include-pch $(B)/pch/nt.h.pch -MMD -MP -c $< -o $@
$(B)/nt/%.o: nt/%.S
	@mkdir -p $(@D)
	$(NTCC) -MMD -MP -c $< -o $@
$(B)/host/%.o: host/%.c | $(B)/gen/contracts.stamp
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@
$(B)/host/%.o: host/%.S
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@

# .incbin is no dependency the compiler tells of
$(B)/host/scenario/scripts.o: $(wildcard host/scenario/*.lua)

$(B)/nt/ntoskrnl.exe: $(NTOBJ) $(B)/gen/ntoskrnl.def
	ld.lld -m i386pep --subsystem native -e KiSystemStartup -shared --gc-sections --image-base 0x1a0000000000 \
		--dynamicbase -o $@ $(NTOBJ) $(B)/gen/ntoskrnl.def --out-implib $(B)/nt/libntoskrnl.a
# hal.dll holds forwarders only. lld writes no image without an object, and its mingw front end has no --no-entry.
$(B)/nt/hal.dll: $(B)/gen/hal.def
	@mkdir -p $(@D)
	$(NTCC) -g0 -c -x c /dev/null -o $(B)/nt/hal.o
	ld.lld -m i386pep --subsystem native -Xlink=-noentry -shared -o $@ $(B)/nt/hal.o $(B)/gen/hal.def --out-implib $(B)/nt/libhal.a
$(B)/nt/wmilib.sys: $(B)/gen/wmilib.def $(B)/nt/hal.dll
	ld.lld -m i386pep --subsystem native -Xlink=-noentry -shared -o $@ $(B)/nt/hal.o $(B)/gen/wmilib.def --out-implib $(B)/nt/libwmilib.a

# Import libraries for drivers, of all that the kernel exports. By mingw's own tool: GNU ld lays out import tables wrongly
# when lld's kind of library is mixed with others.
DRVLIBS := $(B)/nt/lib/libntoskrnl.a $(B)/nt/lib/libhal.a $(B)/nt/lib/libwmilib.a
$(DRVLIBS): $(B)/nt/lib/lib%.a: $(B)/gen/%.def
	@mkdir -p $(@D)
	x86_64-w64-mingw32-dlltool -d $< -l $@

# Static libraries of the kit that drivers link: in mingw's form, which every linker takes.
KITLIBS := $(patsubst lib/%,$(B)/nt/lib/lib%.a,$(wildcard lib/*))
all: $(KITLIBS)
$(B)/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(NTCC) -g0 -D_KERNEL_MODE=1 -MD -MP -c $< -o $@
$(KITLIBS): $(B)/nt/lib/lib%.a: $(patsubst %.c,$(B)/%.o,$(wildcard lib/*/*.c))
	@mkdir -p $(@D)
	rm -f $@
	x86_64-w64-mingw32-ar rcsD $@ $(filter $(B)/lib/$*/%,$^)

$(B)/irqlab: $(HOSTOBJ)
	$(CC) -Wl,-z,now -o $@ $^ $(LIBS)

# ---- examples: mingw gcc by default ----
# Drivers begin with <ntddk.h>: read once. gcc finds the compiled form first, and leaves it where it doesn't fit.
DRVCC := x86_64-w64-mingw32-gcc -std=gnu11 -O2 -g -gdwarf-4 -Wall -Wno-multichar -Wno-array-bounds -fno-strict-aliasing -fno-stack-protector \
	-ffile-prefix-map=$(CURDIR)/= \
	-I$(B)/pch -isystem include/ddk -isystem $(W)/ddk
DRVLD := -nostdlib -shared -Wl,--subsystem,native -Wl,--entry,DriverEntry -Wl,--dynamicbase -L$(B)/nt/lib
$(B)/pch/ntddk.h.gch: tools/pch.h
	@mkdir -p $(@D)
	$(DRVCC) -w -MD -MP -MF $(@:.gch=.d) -MT $@ -x c-header $< -o $@
EXAMPLES := $(patsubst %.c,$(B)/examples/%.sys,$(notdir $(wildcard examples/*/*.c)))
examples: $(EXAMPLES)
.PHONY: examples
define example_rule
$(B)/examples/$(notdir $(1:.c=.sys)): $(1) | $(DRVLIBS) $(B)/pch/ntddk.h.gch
	@mkdir -p $$(@D)
	$$(DRVCC) $$(DRVLD) -o $$@ $$< -lntoskrnl -lhal
endef
$(foreach s,$(wildcard examples/*/*.c),$(eval $(call example_rule,$(s))))

-include $(wildcard tests/tests.mk tests/*/rules.mk)
-include $(shell find $(B) -name '*.d' 2>/dev/null)

# ---- the client library: ordinary Linux programs as user processes of a machine ----
CLIENTOBJ := $(patsubst %.c,$(B)/%.o,$(wildcard client/*.c))
all: $(B)/client/libirqlab-client.a $(B)/client/libirqlab-client.so
$(B)/client/%.o: client/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -fPIC -pthread -Iclient -c $< -o $@
$(B)/client/libirqlab-client.a: $(CLIENTOBJ)
	rm -f $@
	ar rcs $@ $^
$(B)/client/libirqlab-client.so: $(CLIENTOBJ)
	$(CC) -shared -pthread -Wl,-soname,libirqlab-client.so.0 -o $@ $^

# examples' programs
CLIENTS := $(patsubst %.c,$(B)/examples/%,$(notdir $(wildcard examples/*/client/*.c)))
examples: $(CLIENTS)
define client_rule
$(B)/examples/$(notdir $(1:.c=)): $(1) $(B)/client/libirqlab-client.a
	@mkdir -p $$(@D)
	$$(CC) $$(CFLAGS) -Iclient -o $$@ $$< $(B)/client/libirqlab-client.a -pthread
endef
$(foreach s,$(wildcard examples/*/client/*.c),$(eval $(call client_rule,$(s))))
