# Drivers that try to get out.
ESCAPES := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/escape/*.c))
$(B)/tests/escape/victim/secret:
	@mkdir -p $(@D)
	echo "a file of the host's" >$@
$(ESCAPES): tests/escape/escape.h include/door.h | $(B)/tests/escape/victim/secret
$(ESCAPES): DRVCC += -Iinclude -DVICTIM='"$(CURDIR)/$(B)/tests/escape/victim"' -Wno-array-bounds -Wno-unused-function -mfsgsbase -Werror
tests: $(ESCAPES)
