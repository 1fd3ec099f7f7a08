# The talk's drivers by each of the three compilers; mingw gcc's are the examples themselves.
TALK := $(basename $(notdir $(wildcard examples/talk/*.c)))
TALKFLAGS := -std=gnu11 -O2 -g -fms-extensions -ffreestanding -funwind-tables -Wall -Wno-pragma-pack -Wno-ignored-attributes \
	-Wno-microsoft-anon-tag -Werror -ffile-prefix-map=$(CURDIR)/= -isystem $(W) -isystem $(W)/ddk

$(B)/tests/talk/clang/%.sys: examples/talk/%.c
	@mkdir -p $(@D)
	clang --target=x86_64-w64-mingw32 $(TALKFLAGS) -c $< -o $(@:.sys=.o)
	x86_64-w64-mingw32-gcc $(DRVLD) -o $@ $(@:.sys=.o) -lntoskrnl -lhal
$(B)/tests/talk/nt.lib: $(B)/gen/ntoskrnl.def
	@mkdir -p $(@D)
	llvm-dlltool -m i386:x86-64 -d $< -l $@
$(B)/tests/talk/msvc/%.sys: examples/talk/%.c | $(B)/tests/talk/nt.lib
	@mkdir -p $(@D)
	clang --target=x86_64-pc-windows-msvc -fgnuc-version=4.2.1 -gcodeview $(TALKFLAGS) -c $< -o $(@:.sys=.obj)
	lld-link /driver /subsystem:native /entry:DriverEntry /nodefaultlib /debug /out:$@ $(@:.sys=.obj) $(B)/tests/talk/nt.lib

tests: $(TALK:%=$(B)/tests/talk/clang/%.sys) $(TALK:%=$(B)/tests/talk/msvc/%.sys)
