# Tags are multi-character constants, and gcc thinks that an access through GS is one through a null pointer.
$(B)/tests/kernel/%.sys $(B)/tests/rules/%.sys $(B)/tests/bench/%.sys: DRVCC += -Wno-multichar -Wno-array-bounds -Werror
# Exception handling by __try is clang's.
$(addprefix $(B)/tests/kernel/,backtrace.sys exmisc.sys objects.sys rtlmisc.sys seh.sys vmtables.sys) $(B)/tests/fs/fat.sys $(B)/tests/user/maps.sys $(B)/tests/user/quota.sys $(B)/tests/user/vanish.sys: DRVCC := clang --target=x86_64-w64-mingw32 -std=gnu11 -fms-extensions -O2 -g -gdwarf-4 -Wall \
	-fno-strict-aliasing -fno-stack-protector -Wno-ignored-attributes -Wno-pragma-pack -Wno-inconsistent-dllimport \
	-Wno-four-char-constants -Wno-microsoft-anon-tag -ffile-prefix-map=$(CURDIR)/= -isystem include/ddk -isystem $(W) -isystem $(W)/ddk -fuse-ld=lld
