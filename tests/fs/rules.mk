# Drivers that test files, file system routines and the cache from inside.
FSTESTS := $(patsubst %.c,$(B)/%.sys,$(wildcard tests/fs/*.c))
$(FSTESTS): tests/io/test.h tests/fs/testfs.h tests/fs/fatfs.h tests/fs/fatvol.h
tests: $(FSTESTS)
